package revalidator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"freshet/internal/linelog"
)

// The journal is lines of package linelog. docs/formats/journal.md has all of it.
const (
	journalName    = "journal"
	journalVersion = 1
	journalPages   = 20      // of an ended job: the page log knows all
	compactAt      = 4 << 20 // bytes, when less than half of them is needed
)

// A record is one line of the journal. Type says which of the other fields it has.
type record struct {
	Type     string     `json:"type"`               // journal, job, end, key, position
	Version  int        `json:"version,omitempty"`  // journal
	Job      *Job       `json:"job,omitempty"`      // job
	Keys     []string   `json:"keys,omitempty"`     // job: what repeats of it are known by
	Position *string    `json:"position,omitempty"` // job, position: of the feed
	Jobs     []ending   `json:"jobs,omitempty"`     // end: what is new of them
	Result   *Result    `json:"result,omitempty"`   // end: of their build; absent: they were parked
	Key      string     `json:"key,omitempty"`      // key
	Of       string     `json:"of,omitempty"`       // key: the job that has it
	At       *time.Time `json:"at,omitempty"`       // key: when that was accepted
}

// An ending is what is new of a job that has ended.
type ending struct {
	ID      string     `json:"job"`
	State   State      `json:"state"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Tries   int        `json:"tries,omitempty"`
	Error   string     `json:"error,omitempty"`
}

// A journal keeps what was accepted. What Append has returned for is on the disk.
type journal struct {
	path string

	mu      sync.Mutex
	synced  sync.Cond // a sync has ended; on mu
	f       journalFile
	size    int64  // of whole records
	live    int64  // of them after the last rewriting
	written uint64 // records
	safe    uint64 // records that are known to be on the disk
	syncing bool
	broken  error // the file cannot be trusted any more: only rewriting it helps
}

// A journalFile is what an open journal is written to: an *os.File, or what tests put around it.
type journalFile interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// openJournal reads the journal in a folder, and makes one where there is none. What a crash has left of a last line is
// cut off. damaged counts lines that something else has spoiled; a file without any whole line is put aside.
func openJournal(dir string) (j *journal, records []record, damaged int, err error) {
	j = &journal{path: filepath.Join(dir, journalName)}
	j.synced.L = &j.mu
	data, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, fmt.Errorf("read journal: %w", err)
	}
	records, size, damaged := parseJournal(data)
	switch {
	case len(records) == 0 && len(data) > 0:
		// It is made whole, under another name: this is not what a crash leaves. Somebody may want to see it.
		damaged = max(bytes.Count(data, []byte{'\n'}), 1)
		if err := os.Rename(j.path, j.path+".damaged"); err != nil {
			return nil, nil, 0, fmt.Errorf("put the damaged journal aside: %w", err)
		}
		return j, nil, damaged, j.rewrite(func() []record { return nil })
	case len(records) == 0:
		return j, nil, 0, j.rewrite(func() []record { return nil })
	case records[0].Type != "journal":
		damaged++
		records = append([]record{{}}, records...)
	case records[0].Version != journalVersion:
		return nil, nil, 0, fmt.Errorf("read journal: %s has version %d, and this freshet knows %d", j.path, records[0].Version, journalVersion)
	}
	if j.f, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return nil, nil, 0, fmt.Errorf("open journal: %w", err)
	}
	if err := j.f.Truncate(int64(size)); err != nil {
		return nil, nil, 0, errors.Join(fmt.Errorf("cut the end of the journal: %w", err), j.f.Close())
	}
	j.size = int64(size)
	return j, records[1:], damaged, nil
}

// parseJournal returns the whole records, and where the last of them ends.
func parseJournal(data []byte) (records []record, size, damaged int) {
	bad := 0 // lines since the last whole record
	for at := 0; at < len(data); {
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			break
		}
		line := data[at : at+n]
		at += n + 1
		var r record
		if !linelog.Decode(line, &r) {
			bad++
			continue
		}
		damaged += bad
		bad = 0
		records, size = append(records, r), at
	}
	return records, size, damaged
}

func (r *record) append(b []byte) ([]byte, error) {
	b, err := linelog.Append(b, r)
	if err != nil {
		return nil, fmt.Errorf("write journal: %w", err)
	}
	return b, nil
}

// append adds a record. With sync it returns once that is on the disk; records of several callers share one sync.
func (j *journal) append(r record, sync bool) error {
	line, err := r.append(nil)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return fmt.Errorf("write journal: %w", j.broken)
	}
	if _, err := j.f.Write(line); err != nil {
		if cut := j.f.Truncate(j.size); cut != nil {
			j.broken = errors.Join(err, cut)
		}
		return fmt.Errorf("write journal: %w", err)
	}
	j.size += int64(len(line))
	j.written++
	for mine := j.written; sync && j.safe < mine; {
		if j.broken != nil {
			return fmt.Errorf("write journal: %w", j.broken)
		}
		if j.syncing {
			j.synced.Wait()
			continue
		}
		j.syncing = true
		upTo := j.written
		j.mu.Unlock()
		err := j.f.Sync()
		j.mu.Lock()
		j.syncing = false
		if err != nil {
			j.broken = err // what the system could not write it may have dropped
		} else {
			j.safe = max(j.safe, upTo)
		}
		j.synced.Broadcast()
	}
	return nil
}

// due reports whether the journal should be rewritten: much of it is not needed, it cannot be trusted, or somebody has
// removed it.
func (j *journal) due() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil || j.size > max(compactAt, 2*j.live) {
		return true
	}
	_, err := os.Lstat(j.path)
	return errors.Is(err, fs.ErrNotExist)
}

// rewrite puts a new journal in the place of the old one. needed returns its records; nothing is appended meanwhile. A
// crash leaves the one or the other.
func (j *journal) rewrite(needed func() []record) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.syncing {
		j.synced.Wait()
	}
	records := needed()
	defer func() {
		if err != nil {
			err = fmt.Errorf("rewrite journal: %w", err)
		}
	}()
	text, err := (&record{Type: "journal", Version: journalVersion}).append(nil)
	for i := 0; i < len(records) && err == nil; i++ {
		text, err = records[i].append(text)
	}
	if err != nil {
		return err
	}
	f, err := linelog.Replace(j.path, text, 0o600)
	if f == nil {
		return err
	}
	if j.f != nil {
		_ = j.f.Close() // nothing finds it any more
	}
	j.f, j.size, j.live = f, int64(len(text)), int64(len(text))
	j.safe, j.broken = j.written, err
	j.synced.Broadcast()
	return err
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.syncing {
		j.synced.Wait()
	}
	j.broken = errors.New("it is closed")
	return j.f.Close()
}
