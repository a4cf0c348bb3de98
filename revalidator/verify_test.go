package revalidator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"freshet/revalidator"
)

// A collection is a source of names that can be away.
type collection struct {
	mu    sync.Mutex
	names map[string]bool
	away  bool
	asked int
}

func (c *collection) Names(context.Context) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.away {
		return nil, errors.New("source is away")
	}
	var out []string
	for name := range c.names {
		out = append(out, name)
	}
	return out, nil
}

func (c *collection) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// TestVerificationRound runs three rounds over 10,000 documents. Every document that is there is compared once in each,
// also one that came during it; the work is spread; nothing is asked for twice.
func TestVerificationRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collection{names: map[string]bool{}}
		for i := range 10_000 {
			c.names[fmt.Sprintf("blogs:%05d", i)] = true
		}
		seen := map[string][]time.Time{}
		first := time.Now()
		watched := []string{"blogs:00000", "blogs:05000", "blogs:09999", "blogs:new"}
		recovering := false
		var largest int
		var stamps []time.Time
		var began time.Time
		r, built := start(t, revalidator.Config{
			Verify: time.Hour, Census: c,
		}, func(ch revalidator.Change) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.away {
				return errors.New("source is away")
			}
			largest = max(largest, len(ch.Verify))
			for _, name := range ch.Verify {
				seen[name] = append(seen[name], time.Now())
			}
			if ch.Everything {
				began = time.Now()
			}
			if ch.Compared.IsZero() {
				return nil
			}
			stamps = append(stamps, time.Now())
			if age := time.Since(ch.Compared); age > time.Hour && !recovering {
				t.Errorf("the site counts as compared %s ago", age)
			}
			for _, name := range watched {
				last := began
				if times := seen[name]; len(times) > 0 && times[len(times)-1].After(began) {
					last = times[len(times)-1]
				}
				if name != "blogs:new" && last.Before(ch.Compared) {
					t.Errorf("the site counts as compared since %s, %s was last at %s", ch.Compared, name, last)
				}
			}
			return nil
		})
		time.Sleep(20 * time.Minute)
		c.change(func() { c.names["blogs:new"] = true })
		for range 3 * 60 {
			r.Add(revalidator.Change{Documents: []string{"blogs:00001"}}) // what is asked for does not disturb it
			time.Sleep(time.Minute)
		}
		built()
		for _, name := range watched {
			times := append([]time.Time{first}, seen[name]...)
			if len(times) < 4 {
				t.Fatalf("%s was compared %d times in 200 minutes", name, len(seen[name]))
			}
			for i := 1; i < len(times); i++ {
				if d := times[i].Sub(times[i-1]); d > time.Hour && name != "blogs:new" {
					t.Errorf("%s was not compared for %s", name, d)
				}
			}
		}
		if largest > 60 {
			t.Errorf("%d documents were compared at once, want them spread over the hour", largest)
		}
		for i := 1; i < len(stamps); i++ {
			if d := stamps[i].Sub(stamps[i-1]); d > time.Minute {
				t.Errorf("the site's age was not told for %s", d)
			}
		}

		// An outage in the middle of a round: politely, and everything at once when it ends.
		c.change(func() { c.away, c.asked = true, 0 })
		time.Sleep(30 * time.Minute)
		tries := len(built())
		c.change(func() {
			if tries+c.asked > 30*60/3 {
				t.Errorf("%d builds and %d censuses in an outage of 30 minutes", tries, c.asked)
			}
		})
		c.change(func() { c.away, recovering = false, true })
		time.Sleep(5 * time.Second)
		c.change(func() { recovering = false })
		if got := built(); !slices.ContainsFunc(got, func(ch revalidator.Change) bool { return ch.Everything && !ch.Compared.IsZero() }) {
			t.Errorf("within 5 s of the recovery built %d times, want everything compared", len(got))
		}
		c.change(func() { clear(seen) })
		time.Sleep(time.Hour)
		built()
		for i := range 10_000 {
			if n := len(seen[fmt.Sprintf("blogs:%05d", i)]); n < 1 || n > 2 {
				t.Fatalf("document %d was compared %d times in the hour after", i, n)
			}
		}
	})
}

// TestVerificationOfNothing keeps the site verified when it has no documents, and when there is no census.
func TestVerificationOfNothing(t *testing.T) {
	for name, census := range map[string]revalidator.Census{"empty": &collection{}, "without census": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, built := start(t, revalidator.Config{Verify: time.Hour, Census: census}, succeed)
				time.Sleep(5 * time.Hour)
				got := built()
				if len(got) < 6 || len(got) > 8 {
					t.Errorf("%d builds in five hours, want one at the start and one in each hour or somewhat less", len(got))
				}
				for _, c := range got {
					if c.Compared.IsZero() || c.Everything != (census == nil || c.Cause == "start") {
						t.Errorf("built %+v", c)
					}
				}
			})
		})
	}
}

// TestOnDemandGoesFirst builds what is asked for before what is due, and still lets nothing wait for more than a while.
func TestOnDemandGoesFirst(t *testing.T) {
	t.Run("both wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, census := range []revalidator.Census{nil, &collection{names: map[string]bool{"a": true, "b": true}}} {
				begun := time.Now()
				r, built := start(t, revalidator.Config{Verify: time.Minute, Census: census}, func(c revalidator.Change) error {
					if len(c.Documents) > 0 && c.Documents[0] == "long" {
						time.Sleep(time.Minute) // a part of the round is due when it ends
					}
					return nil
				})
				time.Sleep(time.Second)
				built()
				r.Add(revalidator.Change{Documents: []string{"long"}})
				time.Sleep(time.Until(begun.Add(time.Minute)))
				r.Add(revalidator.Change{Documents: []string{"asked for"}})
				time.Sleep(2 * time.Second)
				got := built()
				if len(got) < 3 || !slices.Equal(got[1].Documents, []string{"asked for"}) || got[2].Cause != "verification" {
					t.Errorf("with census %v built %+v, want what is asked for, then the verification", census, got)
				}
			}
		})
	})
	t.Run("there is always something to do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var verified []time.Duration
			r, built := start(t, revalidator.Config{Verify: time.Minute}, func(c revalidator.Change) error {
				if c.Cause == "verification" {
					verified = append(verified, time.Since(begun))
				}
				time.Sleep(40 * time.Millisecond)
				return nil
			})
			for range 60 * 100 {
				r.Add(revalidator.Change{Documents: []string{"a"}})
				time.Sleep(10 * time.Millisecond)
			}
			built()
			// A round is at most 0.8 of its time long; then it waits for two seconds, and the build that runs.
			if len(verified) != 1 || verified[0] > 51*time.Second {
				t.Errorf("under load the site was verified after %v, want that once in a minute, two seconds late at most", verified)
			}
		})
	})
}
