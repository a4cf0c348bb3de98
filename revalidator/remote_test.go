package revalidator_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"freshet/revalidator"
)

// TestRemote has a server in a process of its own know whether CDNs are purged: only as long as a daemon says so.
func TestRemote(t *testing.T) {
	state := t.TempDir()
	var trusted atomic.Bool
	daemon, err := revalidator.New(revalidator.Config{Control: state, Purged: trusted.Load,
		Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
			return revalidator.Result{}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	r := revalidator.NewRemote(revalidator.NewControl(state), nil)
	ctx, cancel := context.WithCancel(t.Context())
	asking := make(chan error, 1)
	go func() { asking <- r.Run(ctx) }()
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(running) }()
	defer func() {
		stop()
		cancel()
		if err := <-asking; err != nil {
			t.Error(err)
		}
	}()
	await := func(what string, want bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); r.Purged() != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: purged is %t", what, !want)
			}
		}
	}
	trusted.Store(true)
	await("purges are seen to work", true)
	trusted.Store(false)
	await("they are not any more", false)
	trusted.Store(true)
	await("they are again", true)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	await("there is no daemon", false)
}
