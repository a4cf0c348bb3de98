package acme_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/certmagic"

	"freshet/internal/acme"
)

// One at a time has a lock, of all who share a folder, and a file that somebody left there is no lock.
func TestLocks(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	one, other := acme.NewStore(dir), acme.NewStore(dir)
	var _ interface {
		certmagic.Storage
		certmagic.TryLocker
	} = one
	if err := os.MkdirAll(filepath.Join(dir, "locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "locks", "host.lock"), []byte("of one who was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ok, err := one.TryLock(ctx, "host"); !ok || err != nil {
		t.Fatalf("TryLock of a lock that was left = %v, %v", ok, err)
	}
	if ok, err := other.TryLock(ctx, "host"); ok || err != nil {
		t.Errorf("TryLock of a lock that is held = %v, %v", ok, err)
	}
	if ok, err := one.TryLock(ctx, "host"); ok || err != nil {
		t.Errorf("TryLock of a lock that we hold = %v, %v", ok, err)
	}
	if ok, err := other.TryLock(ctx, "another"); !ok || err != nil {
		t.Errorf("TryLock of another lock = %v, %v", ok, err)
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	if err := other.Lock(late, "host"); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock after the end = %v", err)
	}
	select {
	case <-one.Idle():
		t.Error("idle while a lock is held")
	default:
	}
	idle := one.Idle()
	if err := one.Unlock(ctx, "host"); err != nil {
		t.Error(err)
	}
	<-idle
	if err := one.Unlock(ctx, "host"); err == nil {
		t.Error("a lock that is not held was given back")
	}
	if err := other.Lock(ctx, "host"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"host", "another"} {
		if err := other.Unlock(ctx, name); err != nil {
			t.Error(err)
		}
	}

	var inside atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		s := []interface {
			TryLock(context.Context, string) (bool, error)
			Unlock(context.Context, string) error
		}{one, other}[i%2]
		wg.Go(func() {
			for n := 0; n < 200; {
				ok, err := s.TryLock(ctx, "host")
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two have the lock")
				}
				inside.Add(-1)
				if err := s.Unlock(ctx, "host"); err != nil {
					t.Error(err)
				}
				n++
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(filepath.Join(dir, "locks")); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}
