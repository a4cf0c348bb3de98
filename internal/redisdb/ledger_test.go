package redisdb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"freshet/internal/redisdb"
	"freshet/internal/storetest"
	"freshet/internal/testenv"
	"freshet/server/guard"
)

var _ guard.Ledger = (*redisdb.Ledger)(nil)

// raw is a client beside those under test.
func raw(t testing.TB, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// keysOf are the keys below a prefix.
func keysOf(t testing.TB, c *redis.Client, prefix string) []string {
	t.Helper()
	var keys []string
	for it := c.Scan(t.Context(), 0, prefix+"*", 1000).Iterator(); it.Next(t.Context()); {
		keys = append(keys, it.Val())
	}
	return keys
}

func TestLedger(t *testing.T) {
	url := testenv.Redis(t)
	storetest.Ledger(t, func(t *testing.T) (func(string) guard.Ledger, func()) {
		prefix := ownPrefix()
		join := func(string) guard.Ledger { return open(t, url, prefix).Ledger() }
		return join, func() {
			c := raw(t, url)
			if err := c.Del(t.Context(), keysOf(t, c, prefix)...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestThousandAtOnce: of 1,000 attempts at once on four servers exactly five pass, by address and by account.
func TestThousandAtOnce(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	var passed, failed atomic.Int64
	var all sync.WaitGroup
	for server := range 4 {
		l := open(t, url, prefix).Ledger()
		for i := range 250 {
			all.Go(func() {
				// One of both keys is the same for all, so that neither may be taken without the other.
				keys := []string{"auth 203.0.113.7", fmt.Sprint("account ", server, i)}
				if i%2 == 0 {
					keys[0], keys[1] = keys[1], keys[0]
				}
				_, wait, err := l.Take(t.Context(), keys, 5, 15*time.Minute)
				if err != nil {
					t.Error(err)
					failed.Add(1)
				} else if wait == 0 {
					passed.Add(1)
				} else if wait > 15*time.Minute {
					t.Errorf("wait %s", wait)
				}
			})
		}
	}
	all.Wait()
	if passed.Load() != 5 || failed.Load() != 0 {
		t.Errorf("%d passed and %d failed of 1,000, want 5 and none", passed.Load(), failed.Load())
	}
	// Who was refused has taken nothing of the other key.
	if n := len(keysOf(t, raw(t, url), prefix+"{guard}:take:account")); n != 5 {
		t.Errorf("%d accounts have attempts, want those 5 that passed", n)
	}
}

// TestKeys: every key has an end, and the kind that docs/formats/redis.md says.
func TestKeys(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	l, c := open(t, url, prefix).Ledger(), raw(t, url)
	if _, _, err := l.Take(t.Context(), []string{"auth 203.0.113.7"}, 5, 15*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := l.Share(t.Context(), map[string]time.Duration{"api 203.0.113.7": time.Minute}, [][]byte{[]byte("{}")}, stands(1), stands(1), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Present(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		kind string
		ends time.Duration
	}{
		"{guard}:take:auth 203.0.113.7": {"list", 15 * time.Minute},
		"{guard}:debt:api 203.0.113.7":  {"string", time.Minute},
		"{guard}:servers":               {"zset", time.Minute},
		"{guard}:strikes":               {"stream", 24 * time.Hour},
		"{guard}:name":                  {"string", 30 * 24 * time.Hour},
		"{guard}:bans":                  {"hash", 30 * 24 * time.Hour},
		"{guard}:bans:turns":            {"zset", 30 * 24 * time.Hour},
		"{guard}:orders":                {"hash", 30 * 24 * time.Hour},
		"{guard}:orders:turns":          {"zset", 30 * 24 * time.Hour},
	}
	for _, key := range keysOf(t, c, prefix) {
		w, ok := want[strings.TrimPrefix(key, prefix)]
		if !ok {
			t.Errorf("a key that is nowhere described: %s", key)
			continue
		}
		delete(want, strings.TrimPrefix(key, prefix))
		ends := c.PTTL(t.Context(), key).Val()
		if kind := c.Type(t.Context(), key).Val(); kind != w.kind || ends > w.ends || ends < w.ends-time.Minute/2 {
			t.Errorf("%s is a %s that ends in %s, want a %s, %s", key, kind, ends, w.kind, w.ends)
		}
	}
	if len(want) > 0 {
		t.Errorf("not there: %v", want)
	}
}

// stands are n bans or orders.
func stands(n int) map[string][]byte {
	all := map[string][]byte{}
	for i := range n {
		all[fmt.Sprint("about ", i)] = fmt.Append(nil, "text ", i)
	}
	return all
}

// TestKept: Redis holds no more than docs/formats/redis.md says, and reads in parts.
func TestKept(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	a, b, c := open(t, url, prefix).Ledger(), open(t, url, prefix).Ledger(), raw(t, url)
	cursor := ""
	for i := range 24 {
		var hits [][]byte
		bans := map[string][]byte{}
		for j := range 500 {
			hits = append(hits, fmt.Append(nil, i*500+j))
			bans[fmt.Sprint(i*500+j)] = fmt.Append(nil, "ban ", i*500+j)
		}
		_, news, next, err := a.Share(t.Context(), nil, hits, bans, stands(3), cursor)
		if cursor = next; err != nil || len(news) > 0 {
			t.Fatalf("a server hears its own events: %q, %v", news, err)
		}
	}
	if n := c.XLen(t.Context(), prefix+"{guard}:strikes").Val(); n < 5000 || n > 5200 {
		t.Errorf("%d strikes, want 5,000 and a few", n)
	}
	for key, want := range map[string]int64{"bans": 10_000, "orders": 3} {
		texts, turns := c.HLen(t.Context(), prefix+"{guard}:"+key).Val(), c.ZCard(t.Context(), prefix+"{guard}:"+key+":turns").Val()
		if texts != want || turns != want {
			t.Errorf("%d %s and %d turns, want %d", texts, key, turns, want)
		}
	}
	_, news, _, err := b.Share(t.Context(), nil, nil, nil, nil, "")
	if err != nil || len(news) != 2003 {
		t.Errorf("%d events at once, %v; want 1,000 strikes, as many bans, and three orders", len(news), err)
	}
}

// TestPartLost: where Redis goes back to what it was, as a replica does that takes over, or loses a key, servers are told.
func TestPartLost(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	c := raw(t, url)
	for _, key := range []string{"bans", "orders"} {
		l := open(t, url, prefix).Ledger()
		share := func(cursor string) string {
			t.Helper()
			_, _, next, err := l.Share(t.Context(), nil, nil, stands(1), stands(1), cursor)
			if err != nil {
				t.Fatal(err)
			}
			return next
		}
		cursor := share(share(""))
		if next := share(cursor); next != cursor || cursor == "" {
			t.Errorf("the cursor goes from %q to %q", cursor, next)
		}
		if err := c.Del(t.Context(), prefix+"{guard}:"+key, prefix+"{guard}:"+key+":turns").Err(); err != nil {
			t.Fatal(err)
		}
		if next := share(cursor); next != "" {
			t.Errorf("without %s the cursor is %q, want none", key, next)
		}
		if next := share(""); next == "" || share(next) != next {
			t.Errorf("after the loss the cursor is %q", next)
		}
	}
}

// TestCommands: a round of sharing is one command, and so is an attempt, whatever is in it.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := testenv.NewRedis(t)
	l := open(t, s.URL(), "").Ledger()
	spent, hits := map[string]time.Duration{}, [][]byte{}
	for i := range 1000 {
		spent[fmt.Sprintf("api 10.0.%d.%d", i/256, i%256)] = time.Second
		hits = append(hits, []byte(`{"strike":{}}`))
	}
	round := func() {
		t.Helper()
		if _, _, _, err := l.Share(t.Context(), spent, hits, stands(100), stands(100), ""); err != nil {
			t.Fatal(err)
		}
	}
	processed := func() int {
		n := 0
		for line := range strings.SplitSeq(raw(t, s.URL()).Info(t.Context(), "commandstats").Val(), "\n") {
			// What the script itself does is not said by anybody.
			if name, rest, ok := strings.Cut(line, ":calls="); ok && strings.HasPrefix(name, "cmdstat_eval") {
				calls := 0
				_, _ = fmt.Sscanf(rest, "%d", &calls)
				n += calls
			}
		}
		return n
	}
	round() // a connection is made, and the script is sent
	before := processed()
	const rounds = 20
	for range rounds {
		round()
	}
	if n := processed() - before; n != rounds {
		t.Errorf("%d commands for %d rounds, want one each", n, rounds)
	}
	// Redis forgets scripts.
	s.Do("SCRIPT FLUSH")
	round()
	round()
	for range 2 {
		if _, _, err := l.Take(t.Context(), []string{"auth x"}, 5, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkShare(b *testing.B) {
	url := testenv.Redis(b)
	for _, keys := range []int{0, 1, 100, 4096} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			l := open(b, url, ownPrefix()).Ledger()
			spent := map[string]time.Duration{}
			for i := range keys {
				spent[fmt.Sprintf("api 203.0.%d.%d", i/256, i%256)] = time.Millisecond
			}
			cursor := ""
			for b.Loop() {
				var err error
				if _, _, cursor, err = l.Share(context.Background(), spent, nil, nil, nil, cursor); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTake(b *testing.B) {
	l := open(b, testenv.Redis(b), ownPrefix()).Ledger()
	i := 0
	for b.Loop() {
		i++
		if _, _, err := l.Take(context.Background(), []string{fmt.Sprint("auth ", i), fmt.Sprint("account ", i)}, 5, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
