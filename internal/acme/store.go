package acme

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/certmagic"
)

// A store is certmagic's folder of files with the system's locks. Those of a process that is killed are free at once,
// where certmagic's own count as held for 10 s, and need a goroutine each that says so.
//
// A lock is a file that its holder has locked, and removes before it lets go; a file that was removed locks nothing.
type store struct {
	*certmagic.FileStorage

	mu    sync.Mutex // protects what follows
	held  map[string]*os.File
	empty []chan struct{} // closed when nothing is held
}

func newStore(dir string) *store {
	return &store{FileStorage: &certmagic.FileStorage{Path: dir}, held: map[string]*os.File{}}
}

// lockWait is between tries for a lock that somebody has: it is mostly for a certificate, which takes seconds.
const lockWait = 100 * time.Millisecond

func (s *store) lockFile(name string) string {
	return filepath.Join(s.Path, "locks", certmagic.StorageKeys.Safe(name)+".lock")
}

// Lock implements certmagic.Locker.
func (s *store) Lock(ctx context.Context, name string) error {
	for {
		if ok, err := s.TryLock(ctx, name); ok || err != nil {
			return err
		}
		select {
		case <-time.After(lockWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (s *store) TryLock(_ context.Context, name string) (bool, error) {
	path := s.lockFile(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, fmt.Errorf("lock %s: %w", path, err)
	}
	locked, err1 := f.Stat()
	there, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(locked, there) {
		_ = f.Close() // its last holder let go between our opening it and our locking it
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name] = f
	return true, nil
}

// Unlock implements certmagic.Locker.
func (s *store) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.held[name]
	if !ok {
		return fmt.Errorf("the lock %s is not held", name)
	}
	delete(s.held, name)
	err := errors.Join(os.Remove(s.lockFile(name)), f.Close())
	s.wake()
	return err
}

// idle returns a channel that is closed when no lock is held.
func (s *store) idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.empty = append(s.empty, c)
	s.wake()
	return c
}

// wake tells who waits; mu is held.
func (s *store) wake() {
	if len(s.held) > 0 {
		return
	}
	for _, c := range s.empty {
		close(c)
	}
	s.empty = nil
}
