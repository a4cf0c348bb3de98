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
			owed, _, _, err := l.Share(t.Context(), spent, nil, nil, nil, "")
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
		type told struct {
			strikes      []string
			bans, orders map[string]string
		}
		// share tells, and is told what is wanted, whatever of bans and orders comes first.
		share := func(l guard.Ledger, cursor string, tell told, want ...string) string {
			t.Helper()
			var strikes [][]byte
			for _, e := range tell.strikes {
				strikes = append(strikes, []byte(e))
			}
			stands := func(m map[string]string) map[string][]byte {
				out := map[string][]byte{}
				for about, text := range m {
					out[about] = []byte(text)
				}
				return out
			}
			_, news, next, err := l.Share(t.Context(), nil, strikes, stands(tell.bans), stands(tell.orders), cursor)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range news {
				got = append(got, string(n))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("news %q, want %q", got, want)
			}
			return next
		}
		type texts = map[string]string
		nothing := told{}
		a, b := join("a"), join("b")
		ca := share(a, "", told{strikes: []string{"1", "2"}, orders: texts{"kill": "k3"}})
		cb := share(b, "", told{strikes: []string{"3"}, bans: texts{"x": "b1", "y": "b1"}}, "1", "2", "k3")
		cb = share(b, cb, nothing)
		ca = share(a, ca, told{orders: texts{"x": "o1"}}, "3", "b1", "b1")
		ca = share(a, ca, nothing)
		cb = share(b, cb, nothing, "o1")
		// What is older than what stands, or the same, is nobody's news; nor is what was replaced.
		ca = share(a, ca, told{orders: texts{"kill": "k2", "x": "o1"}, bans: texts{"x": "b0"}})
		cb = share(b, cb, nothing)
		ca = share(a, ca, told{orders: texts{"kill": "k4"}, bans: texts{"x": "b2"}})
		ca = share(a, ca, told{orders: texts{"kill": "k4 and more"}})
		cb = share(b, cb, nothing, "k4 and more", "b2")
		share(join("late"), "", nothing, "1", "2", "3", "k4 and more", "o1", "b1", "b2")
		// Signs and letters are compared as bytes, not as words.
		ca = share(a, ca, told{orders: texts{"kill": "~"}})
		ca = share(a, ca, told{orders: texts{"kill": "ü"}})
		ca = share(a, ca, told{orders: texts{"kill": "z"}})
		cb = share(b, cb, nothing, "ü")

		// What is lost is said to be, and what is told meanwhile is heard.
		lose()
		if next := share(a, ca, told{strikes: []string{"5"}, bans: texts{"x": "b3"}}); next != "" {
			t.Errorf("the cursor after the loss is %q, want none", next)
		}
		if next := share(b, cb, nothing); next != "" {
			t.Errorf("the other's cursor after the loss is %q, want none", next)
		}
		cb = share(b, "", told{strikes: []string{"7"}}, "5", "b3")
		share(join("late"), "", nothing, "5", "7", "b3")
		share(b, cb, nothing)
	})
	t.Run("bounds", func(t *testing.T) {
		join, _ := open(t)
		a := join("a")
		share := func(l guard.Ledger, strikes [][]byte, bans, orders map[string][]byte, cursor string) ([][]byte, string) {
			t.Helper()
			_, news, next, err := l.Share(t.Context(), nil, strikes, bans, orders, cursor)
			if err != nil {
				t.Fatal(err)
			}
			return news, next
		}
		_, cursor := share(a, nil, nil, map[string][]byte{"kill": []byte("k"), "lift": []byte("l")}, "")
		away := join("away")
		_, left := share(away, nil, nil, nil, "")
		for i := 0; i < 12_000; i += 500 {
			var strikes [][]byte
			bans := map[string][]byte{}
			for j := range 500 {
				strikes = append(strikes, fmt.Appendf(nil, "strike %d", i+j))
				bans[fmt.Sprintf("ban %d", i+j)] = fmt.Appendf(nil, "ban %d", i+j)
			}
			_, cursor = share(a, strikes, bans, nil, cursor)
		}
		// All that stands is learned by who comes late, and by who was away.
		hears := func(l guard.Ledger, cursor string) map[string]int {
			t.Helper()
			heard := map[string]int{}
			for {
				news, next := share(l, nil, nil, nil, cursor)
				if cursor = next; len(news) == 0 {
					return heard
				}
				for _, e := range news {
					heard[string(e)]++
				}
			}
		}
		for name, heard := range map[string]map[string]int{"late": hears(join("late"), ""), "away": hears(away, left)} {
			if n := heard["k"] + heard["l"]; n != map[string]int{"late": 2, "away": 0}[name] {
				t.Errorf("%s: of two orders, which the one that was away knew, %d are heard", name, n)
			}
			nbans := 0
			for e, n := range heard {
				if n != 1 {
					t.Errorf("%s: %q is heard %d times", name, e, n)
				}
				if e[0] == 'b' {
					nbans++
				}
			}
			if nbans != 10_000 || heard["ban 11999"] != 1 || heard["strike 11999"] != 1 || len(heard) > 22_000 {
				t.Errorf("%s: %d bans and %d in all are heard, want 10,000, with the newest, and of strikes the newest thousands", name, nbans, len(heard))
			}
		}
	})
}
