package traffic_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

var epoch = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func TestParseMode(t *testing.T) {
	for text, want := range map[string]traffic.Mode{"auto": traffic.Auto, "true": traffic.On, "false": traffic.Never} {
		got, err := traffic.ParseMode(text)
		if got != want || err != nil || got.String() != text {
			t.Errorf("ParseMode(%q) = %s, %v", text, got, err)
		}
	}
	if _, err := traffic.ParseMode("yes"); err == nil {
		t.Error("yes: no error")
	}
}

// TestClockSetBack: the meter goes on when the machine's clock is set back, and late requests change nothing.
func TestClockSetBack(t *testing.T) {
	m := traffic.NewMeter(traffic.Config{Enter: limit.Rate{Requests: 10, Window: time.Second}}.WithDefaults())
	pour := func(from time.Time) time.Time {
		for s := range 6 {
			now := from.Add(time.Duration(s) * time.Second)
			for range 20 {
				m.Note(now.Unix())
				m.Note(now.Unix() - 1) // a late one
			}
			m.Judge(now)
			m.Judge(now.Add(-time.Second))
		}
		return from.Add(6 * time.Second)
	}
	now := pour(epoch)
	if m.Judge(now); !m.High() {
		t.Errorf("not high at %v a second", m.Rate(now.Unix()))
	}
	now = now.Add(-time.Hour)
	m.Judge(now)
	now = pour(now)
	if rate := m.Rate(now.Unix()); rate < 20 || rate > 40 {
		t.Errorf("after the clock was set back: %v a second, want 20 to 40", rate)
	}
	now = now.Add(2 * time.Minute)
	if m.Judge(now); m.High() {
		t.Error("still high two minutes after the last request")
	}
}

// TestConcurrentNotes: counting from everywhere loses next to nothing.
func TestConcurrentNotes(t *testing.T) {
	m := traffic.NewMeter(traffic.Config{}.WithDefaults())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for s := range int64(5) {
				for range 1000 {
					m.Note(epoch.Unix() + s)
				}
			}
		})
	}
	all.Wait()
	if rate := m.Rate(epoch.Unix() + 5); rate < 1000 || rate > 8000 {
		t.Errorf("%v a second, want up to 8000", rate)
	}
}

// TestLoad: goroutines that wait for a processor are noticed.
func TestLoad(t *testing.T) {
	l := traffic.NewLoad(time.Microsecond)
	l.Sample()
	var all sync.WaitGroup
	for range 100 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for range 50 {
				for n := range 2000 {
					_ = n * n
				}
				runtime.Gosched()
			}
		})
	}
	all.Wait()
	l.Sample()
	if l.Level() == traffic.Calm {
		t.Error("calm while two hundred goroutines wanted to run")
	}
}
