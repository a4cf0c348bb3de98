package revalidator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/revalidator"
)

// A stream is a feed that a test drives.
type stream struct {
	watches chan string // positions that Watch was called with
	events  chan event
	silent  time.Duration // before it says that it has begun
}

type event struct {
	names      []string
	everything bool
	position   string
	err        error // ends Watch
	done       chan error
}

func newStream() *stream { return &stream{watches: make(chan string, 1000), events: make(chan event)} }

func (s *stream) Watch(ctx context.Context, position string, report func([]string, bool, string) error) error {
	s.watches <- position
	select {
	case <-time.After(s.silent):
	case <-ctx.Done():
		return nil
	}
	if position == "" {
		if err := report(nil, false, "start"); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-s.events:
			if e.err != nil {
				close(e.done)
				return e.err
			}
			e.done <- report(e.names, e.everything, e.position)
		}
	}
}

func (s *stream) say(e event) error {
	e.done = make(chan error, 1)
	s.events <- e
	return <-e.done
}

// TestFeed takes names and positions, goes on where it was after a break and after a restart, and has everything looked
// at when changes may have been missed.
func TestFeed(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		_, built := start(t, revalidator.Config{State: state, Feed: s}, succeed)
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("at the start built %v, want everything once", got)
		}
		if got := <-s.watches; got != "" {
			t.Errorf("began at %q", got)
		}
		if err := s.say(event{names: []string{"blogs:1", "blogs:2"}, position: "p1"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 || !slices.Equal(got[0].Documents, []string{"blogs:1", "blogs:2"}) {
			t.Errorf("built %v, want what the feed named", got)
		}
		if err := s.say(event{position: "p2"}); err != nil {
			t.Error(err)
		}
		_ = s.say(event{err: errors.New("cut")})
		time.Sleep(time.Second)
		if got := <-s.watches; got != "p2" {
			t.Errorf("after a break went on at %q, want p2", got)
		}
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("after a break built %v, want everything", got)
		}
		for range 100 { // a feed that breaks at once, again and again
			_ = s.say(event{err: errors.New("cut")})
		}
		if got := built(); len(got) > 10 {
			t.Errorf("a broken feed had everything looked at %d times", len(got))
		}
		time.Sleep(time.Minute)
		built()
		if err := s.say(event{everything: true, position: "p3"}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("history lost: built %v, want everything", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		_, built := start(t, revalidator.Config{State: state, Feed: s}, succeed)
		time.Sleep(time.Second)
		if got := <-s.watches; got != "p3" {
			t.Errorf("after a restart went on at %q, want p3", got)
		}
		if got := built(); len(got) != 1 {
			t.Errorf("built %v, want everything once", got)
		}
	})
}

// TestFeedIsLate has everything looked at again when the feed begins after the first build: what changed in between is
// in neither.
func TestFeedIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		s.silent = 10 * time.Second
		_, built := start(t, revalidator.Config{Feed: s}, succeed)
		time.Sleep(5 * time.Second)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("before the feed began built %v, want everything", got)
		}
		time.Sleep(10 * time.Second)
		if got := built(); len(got) != 1 || !got[0].Everything {
			t.Errorf("after the feed began built %v, want everything again", got)
		}
	})
}

// TestFeedEndsOutage has the source asked again within a second when it answers the feed, whatever pause an outage had come
// to; not more often, and not because of what it had answered before it was asked.
func TestFeedEndsOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		var away atomic.Bool
		r, built := start(t, revalidator.Config{Feed: s, State: t.TempDir()}, func(revalidator.Change) error {
			if away.Load() {
				time.Sleep(100 * time.Millisecond)
				return errors.New("source is away")
			}
			return nil
		})
		time.Sleep(time.Second)
		away.Store(true)
		r.Add(revalidator.Change{Documents: []string{"blogs:1"}})
		time.Sleep(10 * time.Minute)
		if n := len(built()); n > 10*60/4 {
			t.Errorf("%d builds in an outage of 10 minutes", n)
		}
		for i := range 600 { // it answers the feed ten times a second, but no build
			if err := s.say(event{position: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(built()); n < 30 || n > 60 {
			t.Errorf("%d builds in a minute in which only the feed is answered, want about one a second", n)
		}
		for range 20 {
			time.Sleep(time.Minute)
			away.Store(false)
			if err := s.say(event{everything: true, position: "back"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second + 100*time.Millisecond)
			if got := built(); !slices.ContainsFunc(got, func(c revalidator.Change) bool { return c.Everything }) || r.Status().Waiting > 0 {
				t.Fatalf("a second after the source answered the feed built %v, %d jobs wait", got, r.Status().Waiting)
			}
			away.Store(true)
			r.Add(revalidator.Change{Documents: []string{"blogs:1"}})
		}
	})
}

// TestFeedDuringOutage takes in far more than can wait, in bounds, and builds it when the source is back.
func TestFeedDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		var away atomic.Bool
		r, built := start(t, revalidator.Config{Feed: s}, func(revalidator.Change) error {
			if away.Load() {
				return errors.New("source is away")
			}
			return nil
		})
		time.Sleep(time.Second)
		away.Store(true)
		for range revalidator.MaxWaiting + 1000 {
			if err := s.say(event{names: []string{"blogs:1"}, position: "p"}); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Status().Waiting; got > revalidator.MaxWaiting+1 {
			t.Errorf("%d jobs wait", got)
		}
		if _, _, err := r.Accept(t.Context(), offer("blog:a")); !errors.Is(err, revalidator.ErrBusy) {
			t.Errorf("one more: %v, want ErrBusy", err)
		}
		built()
		away.Store(false)
		time.Sleep(5 * time.Second)
		if got := built(); len(got) == 0 || !got[0].Everything {
			t.Errorf("built %v after the outage, want everything", got)
		}
		if got := r.Status().Waiting; got != 0 {
			t.Errorf("%d jobs wait after the outage", got)
		}
	})
}
