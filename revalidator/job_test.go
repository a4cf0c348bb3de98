package revalidator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/revalidator"
)

// TestPoisonedJob isolates jobs that no build can do among a thousand that are well: these are built, once each, the
// others are tried some times and parked with their errors, and done when everything could be looked at.
func TestPoisonedJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var healed atomic.Bool
		times := map[string]int{}
		r, built := start(t, revalidator.Config{MaxTries: 3, Unavailable: func(error) bool { return false }}, func(c revalidator.Change) error {
			if !healed.Load() {
				for _, bad := range []string{"bad1", "bad2"} {
					if slices.Contains(c.Documents, bad) {
						return fmt.Errorf("cannot read %s", bad)
					}
				}
			}
			for _, name := range c.Documents {
				times[name]++
			}
			return nil
		})
		time.Sleep(time.Second)
		built()
		ids := map[string]string{}
		for i := range 1000 {
			name := fmt.Sprint("good", i)
			switch i {
			case 77:
				name = "bad1"
			case 700:
				name = "bad2"
			}
			j, _, err := r.Accept(t.Context(), offer(name))
			if err != nil {
				t.Fatal(err)
			}
			ids[name] = j.ID
		}
		time.Sleep(time.Hour)
		if n := len(built()); n > 100 {
			t.Errorf("%d builds for two bad jobs in a thousand", n)
		}
		for name, id := range ids {
			j, err := r.Look(t.Context(), id, 0)
			if err != nil {
				t.Fatal(err)
			}
			switch bad := strings.HasPrefix(name, "bad"); {
			case bad && (j.State != revalidator.Parked || j.Tries != 3 || j.Error != "cannot read "+name):
				t.Errorf("job of %s is %+v, want it parked after 3 tries", name, j)
			case !bad && (j.State != revalidator.Done || times[name] != 1):
				t.Errorf("job of %s is %+v, and was built %d times", name, j, times[name])
			}
		}
		healed.Store(true)
		r.Add(revalidator.Change{Everything: true})
		time.Sleep(time.Second)
		for _, bad := range []string{"bad1", "bad2"} {
			if j, err := r.Look(t.Context(), ids[bad], 0); err != nil || j.State != revalidator.Done {
				t.Errorf("after everything was looked at, job of %s is %+v, %v", bad, j, err)
			}
		}
	})
}

// TestCommonFailure does not blame jobs for what is none's fault: few builds, and all are done when it is mended.
func TestCommonFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		r, built := start(t, revalidator.Config{Unavailable: func(error) bool { return false }}, func(c revalidator.Change) error {
			if broken.Load() && !c.Everything {
				return errors.New("a template has a mistake")
			}
			return nil
		})
		time.Sleep(time.Second)
		built()
		var ids []string
		for i := range 100 {
			j, _, err := r.Accept(t.Context(), offer(fmt.Sprint("blog:", i)))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, j.ID)
		}
		time.Sleep(10 * time.Second)
		if n := len(built()); n > 20 {
			t.Errorf("%d builds in 10 s", n)
		}
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		for _, id := range ids {
			if j, err := r.Look(t.Context(), id, 0); err != nil || j.State != revalidator.Done || j.Error != "" {
				t.Fatalf("job %+v, %v", j, err)
			}
		}
	})
}

// TestOrigins tells a build who asked for each document of a batch, not only for the first.
func TestOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, built := start(t, revalidator.Config{}, succeed)
		time.Sleep(time.Second)
		built()
		var want []string
		for i := range 3 {
			o := offer(fmt.Sprint("blog:", i))
			o.Origin, o.Event = "webhook:ghost", fmt.Sprint("evt_", i)
			j, _, err := r.Accept(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("webhook:ghost, job %s, event evt_%d, accepted 2000-01-01T00:00:01Z", j.ID, i))
		}
		r.Add(revalidator.Change{Documents: []string{"a.md"}, Cause: "file watch: b.md"})
		time.Sleep(time.Second)
		got := built()
		if len(got) != 1 {
			t.Fatalf("built %v, want one batch", got)
		}
		for i := range 3 {
			if o := got[0].Origins[fmt.Sprint("blog:", i)]; o != want[i] {
				t.Errorf("blog:%d was asked for by %q, want %q", i, o, want[i])
			}
		}
		if o := got[0].Origins["a.md"]; o != "file watch" {
			t.Errorf("a.md was asked for by %q, want the file watch", o)
		}
	})
}

// TestJobFacts tells what became of a job: when, in which generation, with which pages.
func TestJobFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolved := 0
		var causes []string
		r, err := revalidator.New(revalidator.Config{
			Resolve: func(req revalidator.Request) ([]string, bool) {
				resolved++
				return append([]string{"blogs:1"}, req.Tags...), false
			},
			Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
				causes = append(causes, c.Cause)
				time.Sleep(5 * time.Millisecond)
				return revalidator.Result{Generation: 12, Pages: make([]revalidator.PageChange, 1500)}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Second)
		began := time.Now().UTC()
		j, _, err := r.Accept(ctx, revalidator.Offer{Origin: "webhook:ghost", Event: "evt_1", Request: revalidator.Request{Tags: []string{"go"}}})
		if err != nil || j.State != revalidator.Queued {
			t.Fatalf("Accept: %+v, %v", j, err)
		}
		if j, err = r.Look(ctx, j.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if j.State != revalidator.Done || j.Generation != 12 || len(j.Pages) != 1000 || j.MorePages != 500 || resolved != 1 ||
			j.Started.Sub(j.Accepted) != 3*time.Millisecond || j.Ended.Sub(*j.Started) != 5*time.Millisecond || took != 8*time.Millisecond {
			t.Errorf("job %+v, waited for %s", j, took)
		}
		if want := "webhook:ghost, job " + j.ID + ", event evt_1, accepted 2000-01-01T00:00:01Z: tag:go"; causes[len(causes)-1] != want {
			t.Errorf("cause %q, want %q", causes[len(causes)-1], want)
		}
		for _, bad := range []revalidator.Request{{}, {DryRun: true, Everything: true}, {Docs: []revalidator.Doc{{}}}, {Tags: []string{"a\nb"}},
			{Paths: []string{strings.Repeat("a", 2000)}}} {
			if _, _, err := r.Accept(ctx, revalidator.Offer{Request: bad}); err == nil {
				t.Errorf("Accept(%+v) succeeds", bad)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
