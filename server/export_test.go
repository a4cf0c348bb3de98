package server

import "time"

// Forget lets the files be looked at again at once.
func (k *KeyPair) Forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked = time.Time{}
}

// BreakOutcomes makes counting a page panic.
func (s *Server) BreakOutcomes() { s.metrics.outcomes = nil }
