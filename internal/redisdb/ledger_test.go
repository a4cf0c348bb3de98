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
	if _, _, _, err := l.Share(t.Context(), map[string]time.Duration{"api 203.0.113.7": time.Minute}, [][]byte{[]byte("{}")}, ""); err != nil {
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
		"{guard}:log":                   {"stream", 30 * 24 * time.Hour},
		"{guard}:log:name":              {"string", 30 * 24 * time.Hour},
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

// TestLogBounded: the log is cut, read in parts, and read to its end.
func TestLogBounded(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Redis(t), ownPrefix()
	a, b := open(t, url, prefix).Ledger(), open(t, url, prefix).Ledger()
	share := func(l *redisdb.Ledger, events [][]byte, cursor string) ([][]byte, string) {
		t.Helper()
		_, news, next, err := l.Share(t.Context(), nil, events, cursor)
		if err != nil {
			t.Fatal(err)
		}
		return news, next
	}
	const total = 12_000
	cursor := ""
	for i := 0; i < total; i += 500 {
		var events [][]byte
		for j := range 500 {
			events = append(events, fmt.Appendf(nil, "%d", i+j))
		}
		news, next := share(a, events, cursor)
		if cursor = next; len(news) > 0 {
			t.Fatalf("a server hears its own events: %q", news[0])
		}
	}
	if n := raw(t, url).XLen(t.Context(), prefix+"{guard}:log").Val(); n < 10_000 || n > 10_200 {
		t.Errorf("the log has %d entries, want 10,000 and a few", n)
	}
	cursor = ""
	first, want := true, 0
	for {
		// It tells something itself meanwhile, and misses nothing for that.
		news, next := share(b, [][]byte{[]byte("b")}, cursor)
		cursor = next
		if len(news) == 0 {
			break
		}
		if len(news) > 1000 {
			t.Fatalf("%d events at once, want 1,000 at most", len(news))
		}
		for _, e := range news {
			n := 0
			if _, err := fmt.Sscan(string(e), &n); err != nil {
				t.Fatal(err)
			}
			if !first && n != want {
				t.Fatalf("event %d follows %d", n, want-1)
			}
			first, want = false, n+1
		}
	}
	if want != total {
		t.Errorf("the last event is %d, want %d", want-1, total-1)
	}
}

// TestCommands: a round of sharing is one command, and so is an attempt, whatever is in it.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := testenv.NewRedis(t)
	l := open(t, s.URL(), "").Ledger()
	spent, events := map[string]time.Duration{}, [][]byte{}
	for i := range 1000 {
		spent[fmt.Sprintf("api 10.0.%d.%d", i/256, i%256)] = time.Second
		events = append(events, []byte(`{"reopen":true}`))
	}
	round := func() {
		t.Helper()
		if _, _, _, err := l.Share(t.Context(), spent, events, ""); err != nil {
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
				if _, _, cursor, err = l.Share(context.Background(), spent, nil, cursor); err != nil {
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
