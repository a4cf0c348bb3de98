package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"freshet/server/guard"
)

// Ledger is the suite that every ledger of the guard passes. join gives a server's end, of the ledger of the test, which is
// empty at first; lose makes it lose everything.
func Ledger(t *testing.T, open func(t *testing.T) (join func(server string) guard.Ledger, lose func())) {
	const window = time.Second
	t.Run("takes", func(t *testing.T) {
		join, _ := open(t)
		a, b := join("a"), join("b")
		take := func(l guard.Ledger, want int, keys ...string) {
			t.Helper()
			if left, wait, err := l.Take(t.Context(), keys, 3, window); err != nil || left != want || wait != 0 {
				t.Errorf("Take(%q): %d left, wait %s, %v; want %d left", keys, left, wait, err, want)
			}
		}
		take(a, 2, "auth x", "account 1")
		take(b, 1, "auth x", "account 2")
		take(a, 2, "auth y", "account 3")
		take(b, 0, "auth x", "account 2")
		// A key that has none left takes from no other.
		for range 5 {
			if _, wait, err := a.Take(t.Context(), []string{"auth x", "account 9"}, 3, window); err != nil || wait <= 0 || wait > window {
				t.Errorf("Take of a key that is used up: wait %s, %v", wait, err)
			}
		}
		take(b, 2, "account 9")
		_, wait, err := b.Take(t.Context(), []string{"auth x"}, 3, window)
		if err != nil || wait <= 0 {
			t.Fatalf("wait %s, %v", wait, err)
		}
		time.Sleep(wait + 50*time.Millisecond)
		if _, wait, err := b.Take(t.Context(), []string{"auth x"}, 3, window); err != nil || wait != 0 {
			t.Errorf("after its time: wait %s, %v", wait, err)
		}
	})
	t.Run("takes at once", func(t *testing.T) {
		join, _ := open(t)
		var passed atomic.Int32
		var all sync.WaitGroup
		for server := range 4 {
			l := join(fmt.Sprint("s", server))
			for range 50 {
				all.Go(func() {
					_, wait, err := l.Take(t.Context(), []string{"auth x", "account 1"}, 5, time.Minute)
					if err != nil {
						t.Error(err)
					} else if wait == 0 {
						passed.Add(1)
					}
				})
			}
		}
		all.Wait()
		if n := passed.Load(); n != 5 {
			t.Errorf("%d of 200 passed, want 5", n)
		}
	})
	t.Run("takes in any window", func(t *testing.T) {
		join, _ := open(t)
		const limit, window = 3, 300 * time.Millisecond
		type try struct{ asked, answered time.Time }
		var mu sync.Mutex
		var passed []try
		var all sync.WaitGroup
		end := time.Now().Add(4 * window)
		for server := range 3 {
			l := join(fmt.Sprint("s", server))
			all.Go(func() {
				for time.Now().Before(end) {
					this := try{asked: time.Now()}
					_, wait, err := l.Take(t.Context(), []string{"auth x", fmt.Sprint("account ", server)}, limit, window)
					this.answered = time.Now()
					if err != nil {
						t.Error(err)
						return
					}
					if wait == 0 {
						mu.Lock()
						passed = append(passed, this)
						mu.Unlock()
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		all.Wait()
		slices.SortFunc(passed, func(a, b try) int { return a.asked.Compare(b.asked) })
		for i := limit; i < len(passed); i++ {
			// One was counted at some moment between question and answer.
			if d := passed[i].answered.Sub(passed[i-limit].asked); d < window {
				t.Errorf("%d passed within %s, of %s", limit+1, d, window)
			}
		}
		if n := len(passed); n < 2*limit || n > 5*limit {
			t.Errorf("%d passed in four windows and a bit, want %d in each", n, limit)
		}
	})
	t.Run("servers", func(t *testing.T) {
		join, lose := open(t)
		present := func(l guard.Ledger, want int) {
			t.Helper()
			if n, err := l.Present(t.Context()); err != nil || n != want {
				t.Errorf("%d servers, %v; want %d", n, err, want)
			}
		}
		a, b := join("a"), join("b")
		present(a, 1)
		present(a, 1)
		present(b, 2)
		present(a, 2)
		lose()
		present(a, 1)
	})
	t.Run("debts", func(t *testing.T) {
		join, lose := open(t)
		a, b := join("a"), join("b")
		begin := time.Now()
		share := func(l guard.Ledger, spent, want map[string]time.Duration) {
			t.Helper()
			owed, _, _, err := l.Share(t.Context(), spent, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			for key, most := range want {
				if got := owed[key]; got > most || got < most-time.Since(begin)-time.Millisecond {
					t.Errorf("%q owes %s after %s, want %s less that at most", key, got, time.Since(begin), most)
				}
			}
			if len(owed) != len(want) {
				t.Errorf("owed %v, want %d keys", owed, len(want))
			}
		}
		type debts = map[string]time.Duration
		share(a, debts{"api x": 10 * time.Second}, debts{"api x": 10 * time.Second})
		share(b, debts{"api x": time.Second, "api y": 5 * time.Second}, debts{"api x": 11 * time.Second, "api y": 5 * time.Second})
		share(a, nil, debts{})
		share(a, debts{"api y": time.Second}, debts{"api y": 6 * time.Second})
		// A debt that is paid is forgotten.
		share(a, debts{"api z": 50 * time.Millisecond}, debts{"api z": 50 * time.Millisecond})
		time.Sleep(60 * time.Millisecond)
		begin = time.Now()
		share(b, debts{"api z": time.Second}, debts{"api z": time.Second})
		lose()
		share(b, debts{"api x": time.Second}, debts{"api x": time.Second})
	})
	t.Run("events", func(t *testing.T) {
		join, lose := open(t)
		a, b := join("a"), join("b")
		share := func(l guard.Ledger, cursor string, want []string, events ...string) string {
			t.Helper()
			var out [][]byte
			for _, e := range events {
				out = append(out, []byte(e))
			}
			_, news, next, err := l.Share(t.Context(), nil, out, cursor)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range news {
				got = append(got, string(n))
			}
			if !slices.Equal(got, want) {
				t.Errorf("news %q, want %q", got, want)
			}
			return next
		}
		ca := share(a, "", nil, "1", "2")
		cb := share(b, "", []string{"1", "2"}, "3")
		cb = share(b, cb, nil)
		ca = share(a, ca, []string{"3"}, "4")
		ca = share(a, ca, nil)
		cb = share(b, cb, []string{"4"})
		share(join("late"), "", []string{"1", "2", "3", "4"})

		// A log that is lost is said to be, and what is told meanwhile is heard.
		lose()
		if next := share(a, ca, nil, "5"); next != "" {
			t.Errorf("the cursor after the loss is %q, want none", next)
		}
		ca = share(a, "", nil, "6")
		cb = share(b, cb, nil)
		if cb != "" {
			t.Errorf("the other's cursor after the loss is %q, want none", cb)
		}
		cb = share(b, cb, []string{"5", "6"}, "7")
		share(a, ca, []string{"7"})
		share(b, cb, nil)
	})
}
