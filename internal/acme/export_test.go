package acme

// NewStore opens a folder as processes do that share it.
var NewStore = newStore

// Idle is closed when no lock is held.
func (s *store) Idle() <-chan struct{} { return s.idle() }
