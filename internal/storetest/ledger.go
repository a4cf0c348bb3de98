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

// Ledger is the suite that every ledger of the guard passes. join gives the end of a server by its name; all ends of a test
// are of one ledger, which is empty at first.
func Ledger(t *testing.T, open func(t *testing.T) (join func(server string) guard.Ledger)) {
	const window = time.Second
	t.Run("takes", func(t *testing.T) {
		join := open(t)
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
		join := open(t)
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
	t.Run("counts", func(t *testing.T) {
		join := open(t)
		a, b := join("a"), join("b")
		for i, row := range []struct {
			l      guard.Ledger
			add    map[string]int64
			others map[string]int64
		}{
			{a, map[string]int64{"api x": 10}, map[string]int64{"api x": 0}},
			{b, map[string]int64{"api x": 1, "api y": 5}, map[string]int64{"api x": 10, "api y": 0}},
			{b, map[string]int64{"api x": 1}, map[string]int64{"api x": 0}},
			{a, map[string]int64{"api x": 7, "api y": 1}, map[string]int64{"api x": 2, "api y": 5}},
			{a, nil, nil},
			{b, map[string]int64{"api x": 1}, map[string]int64{"api x": 7}},
		} {
			others, _, _, err := row.l.Share(t.Context(), row.add, time.Minute, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			for key := range row.add {
				if others[key] != row.others[key] {
					t.Errorf("step %d: others added %d to %q, want %d", i, others[key], key, row.others[key])
				}
			}
		}
	})
	t.Run("events", func(t *testing.T) {
		join := open(t)
		a, b := join("a"), join("b")
		share := func(l guard.Ledger, cursor string, want []string, events ...string) string {
			t.Helper()
			var out [][]byte
			for _, e := range events {
				out = append(out, []byte(e))
			}
			_, news, next, err := l.Share(t.Context(), nil, time.Minute, out, cursor)
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
		share(a, ca, nil)
		share(b, cb, []string{"4"})
		share(join("late"), "", []string{"1", "2", "3", "4"})
	})
}
