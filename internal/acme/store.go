package acme

import (
	"context"
	"sync"

	"github.com/caddyserver/certmagic"
)

// A store is certmagic's folder of files, and knows how many of its locks are held: a lock that a process leaves behind
// keeps others waiting, so the process waits for its own.
type store struct {
	*certmagic.FileStorage

	mu    sync.Mutex // protects what follows
	held  int
	empty []chan struct{} // closed when held is 0
}

func newStore(dir string) *store { return &store{FileStorage: &certmagic.FileStorage{Path: dir}} }

// Lock implements certmagic.Locker.
func (s *store) Lock(ctx context.Context, name string) error {
	err := s.FileStorage.Lock(ctx, name)
	if err == nil {
		s.count(1)
	}
	return err
}

// TryLock implements certmagic.TryLocker.
func (s *store) TryLock(ctx context.Context, name string) (bool, error) {
	ok, err := s.FileStorage.TryLock(ctx, name)
	if ok {
		s.count(1)
	}
	return ok, err
}

// Unlock implements certmagic.Locker.
func (s *store) Unlock(ctx context.Context, name string) error {
	err := s.FileStorage.Unlock(ctx, name)
	s.count(-1) // whatever that says, nobody tries it again
	return err
}

func (s *store) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
	s.wake()
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
	if s.held > 0 {
		return
	}
	for _, c := range s.empty {
		close(c)
	}
	s.empty = nil
}
