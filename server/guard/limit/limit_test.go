package limit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"freshet/server/guard/limit"
)

func TestParseRate(t *testing.T) {
	for _, row := range []struct {
		text string
		want limit.Rate
		back string
	}{
		{"120/1m", limit.Rate{Requests: 120, Window: time.Minute}, "120/1m"},
		{"5/15m", limit.Rate{Requests: 5, Window: 15 * time.Minute}, "5/15m"},
		{"500/s", limit.Rate{Requests: 500, Window: time.Second}, "500/s"},
		{"7/90s", limit.Rate{Requests: 7, Window: 90 * time.Second}, "7/1m30s"},
		{"10/h burst 3", limit.Rate{Requests: 10, Window: time.Hour, Burst: 3}, "10/1h burst 3"},
		{"off", limit.Off(), "off"},
	} {
		got, err := limit.ParseRate(row.text)
		if err != nil || got != row.want || got.String() != row.back {
			t.Errorf("ParseRate(%q) = %+v (%s), %v; want %+v", row.text, got, got, err, row.want)
		}
		if again, err := limit.ParseRate(got.String()); err != nil || again != got {
			t.Errorf("ParseRate(%q) = %+v, %v; want it back", got, again, err)
		}
	}
	for _, text := range []string{"", "120", "120/", "/1m", "0/1m", "-5/1m", "120/1", "120/1ms", "120/25h", "120/1m burst", "120/1m burst 0", "1e3/1m", "9999999/1m"} {
		if got, err := limit.ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %+v, want an error", text, got)
		}
	}
}

// TestBucket compares the word of state with a bucket of tokens.
func TestBucket(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		rate := limit.Rate{Requests: 1 + r.IntN(50), Window: time.Second * time.Duration(1+r.IntN(100)), Burst: r.IntN(20)}
		p := limit.NewPolicy(rate)
		burst := rate.Burst
		if burst == 0 {
			burst = rate.Requests
		}
		interval := int64(rate.Window) / int64(rate.Requests)
		var b limit.Bucket
		now := int64(time.Hour)
		tokens := int64(burst) * interval // in nanoseconds
		for range 500 {
			step := r.Int64N(3 * interval)
			now += step
			tokens = min(tokens+step, int64(burst)*interval)
			q, ok := p.Take(&b, now)
			if want := tokens >= interval; ok != want {
				t.Fatalf("%s: %d of %d ns in the bucket: Take = %v", rate, tokens, interval, ok)
			}
			if ok {
				tokens -= interval
			} else if int64(q.Wait) != interval-tokens {
				t.Fatalf("%s: Wait = %s, want %d ns", rate, q.Wait, interval-tokens)
			}
			if int64(q.Left) != tokens/interval || int64(q.Reset) != int64(burst)*interval-tokens || q.Limit != burst {
				t.Fatalf("%s: quota %+v with %d ns in the bucket", rate, q, tokens)
			}
			peek := p.Peek(b, now)
			if peek.Left != q.Left || peek.Reset != q.Reset {
				t.Fatalf("%s: Peek = %+v, want %+v", rate, peek, q)
			}
		}
	}
}

func TestOwe(t *testing.T) {
	p := limit.NewPolicy(limit.Rate{Requests: 60, Window: time.Minute})
	now := int64(time.Hour)
	for _, row := range []struct {
		debt time.Duration
		left int
		wait time.Duration
	}{
		{50 * time.Second, 10, 0},
		{20 * time.Second, 10, 0}, // less than is known
		{61 * time.Second, 0, 2 * time.Second},
		{5 * time.Minute, 0, 241 * time.Second},
		{1 << 50, 0, 15*time.Minute + time.Second},
	} {
		b := limit.Bucket(now + int64(50*time.Second))
		p.Owe(&b, now, row.debt)
		if q := p.Peek(b, now); q.Left != row.left || q.Wait != row.wait {
			t.Errorf("owing %s: %+v, want %d left, to wait %s", row.debt, q, row.left, row.wait)
		}
	}
	if d := limit.Bucket(0).Debt(now); d != 0 {
		t.Errorf("a full bucket owes %s", d)
	}
}

func TestLowered(t *testing.T) {
	p := limit.NewPolicy(limit.Rate{Requests: 120, Window: time.Minute})
	for by, want := range map[int64]int{1: 120, 2: 60, 4: 30, 1000: 1} {
		var b limit.Bucket
		n := 0
		for ; n < 1000; n++ {
			if _, ok := p.Lowered(by).Take(&b, int64(time.Hour)); !ok {
				break
			}
		}
		if n != want {
			t.Errorf("lowered by %d: %d pass, want %d", by, n, want)
		}
	}
}

// TestLog compares the log with all attempts that ever were.
func TestLog(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		most, window := 1+r.IntN(limit.MaxLog), time.Duration(1+r.IntN(1000))
		var l limit.Log
		var passed []int64
		now := int64(time.Hour)
		for range 500 {
			now += r.Int64N(int64(window)/2 + 2)
			n := 0
			for _, at := range passed {
				if now-at < int64(window) {
					n++
				}
			}
			q, ok := l.Take(now, most, window)
			if ok != (n < most) {
				t.Fatalf("%d of %d within %d: Take = %v", n, most, window, ok)
			}
			if ok {
				passed = append(passed, now)
			} else if _, early := l.Take(now+int64(q.Wait)-1, most, window); early {
				t.Fatalf("passes before Wait %d was over", q.Wait)
			}
			if q.Limit != most || q.Left < 0 || ok == (q.Wait > 0) {
				t.Fatalf("quota %+v, %v", q, ok)
			}
		}
	}
}

func TestLogOutOfOrder(t *testing.T) {
	var l limit.Log
	for i, at := range []int64{100, 90, 110, 50, 120} {
		if _, ok := l.Take(at, 5, 100); !ok {
			t.Fatalf("attempt %d refused", i)
		}
	}
	if _, ok := l.Take(121, 5, 100); ok {
		t.Error("a sixth within the window passes")
	}
}

func TestTable(t *testing.T) {
	for _, cells := range []int{0, 1, 8, 9, 1000, 1 << 12} {
		table := limit.NewTable[int](cells)
		if n := table.Cells(); n < cells || n > 2*max(cells, 8) {
			t.Errorf("NewTable(%d) has %d cells", cells, n)
		}
		for k := range uint64(10_000) {
			h := table.Hash(limit.Key{Lo: k})
			table.Lock(h)
			c, _ := table.Take(h, uint32(k))
			*c = int(k)
			if got := table.Get(h); got != c {
				t.Fatalf("Get(%d) = %p, want %p", k, got, c)
			}
			table.Unlock(h)
		}
		if table.Used() > table.Cells() {
			t.Errorf("%d cells used of %d", table.Used(), table.Cells())
		}
		found := 0
		for k := range uint64(10_000) {
			h := table.Hash(limit.Key{Lo: k})
			if c := table.Get(h); c != nil {
				if found++; *c != int(k) {
					t.Fatalf("key %d has the cell of %d", k, *c)
				}
			}
		}
		if found != table.Used() {
			t.Errorf("%d keys found in %d used cells", found, table.Used())
		}
	}
}

// TestOldestGoes: what is used stays, however many others come.
func TestOldestGoes(t *testing.T) {
	table := limit.NewTable[int](64)
	mine := table.Hash(limit.Key{Hi: 1})
	c, _ := table.Take(mine, 0)
	*c = 42
	for k := range uint64(100_000) {
		second := uint32(k / 10)
		if k%5 == 0 {
			if c, fresh := table.Take(mine, second); fresh || *c != 42 {
				t.Fatalf("lost after %d others", k)
			}
		}
		c, _ := table.Take(table.Hash(limit.Key{Lo: k}), second)
		*c = 0
	}
}

// TestLateRequest: a request that was stamped before another and comes after it takes nobody's place.
func TestLateRequest(t *testing.T) {
	table := limit.NewTable[int](8)
	for k := range uint64(8) {
		table.Take(table.Hash(limit.Key{Lo: k}), uint32(100+k))
	}
	table.Take(table.Hash(limit.Key{Lo: 99}), 103)
	for k := range uint64(8) {
		if got := table.Get(table.Hash(limit.Key{Lo: k})) != nil; got != (k != 0) {
			t.Errorf("key %d is there: %v", k, got)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("120/1m burst 3")
	f.Add("off")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := limit.ParseRate(text)
		if err != nil {
			return
		}
		again, err := limit.ParseRate(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("ParseRate(%q) = %s, which is read as %s, %v", text, r, again, err)
		}
		if !r.IsOff() {
			var b limit.Bucket
			if q, ok := limit.NewPolicy(r).Take(&b, int64(time.Hour)); !ok || q.Limit < 1 {
				t.Errorf("the first request under %s: %+v, %v", r, q, ok)
			}
		}
	})
}
