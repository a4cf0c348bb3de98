package revalidator

// Names of files in the state folder.
const (
	JournalName = journalName
	SocketName  = socketName
)

// Bounds that tests reach.
const (
	MaxWaiting = maxWaiting
	MaxSeen    = maxSeen
)

// JobsIn returns the ids of the jobs that the bytes of a journal hold, and how many lines are damaged.
func JobsIn(data []byte) (ids []string, size, damaged int) {
	records, size, damaged := parseJournal(data)
	for _, r := range records {
		if r.Type == "job" {
			ids = append(ids, r.Job.ID)
		}
	}
	return ids, size, damaged
}

// Compact rewrites the journal whatever its size.
func (r *Revalidator) Compact() error {
	return r.rewrite(r.journal.Load())
}

// JournalFile is what an open journal is written to.
type JournalFile = journalFile

// WrapJournal puts something around the file of the open journal, until it is rewritten.
func (r *Revalidator) WrapJournal(wrap func(JournalFile) JournalFile) {
	log := r.journal.Load()
	log.mu.Lock()
	defer log.mu.Unlock()
	log.f = wrap(log.f)
}

// Running reports whether jobs can be accepted.
func (r *Revalidator) Running() bool { return r.cfg.State == "" || r.journal.Load() != nil }

// Sweep is a sweep, for tests.
type Sweep struct{ sweep }

// Look is its look.
func (s *Sweep) Look(roots []string) ([]string, error) { return s.look(roots) }
