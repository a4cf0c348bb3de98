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

// The journal is a file of lines in the format of package linelog. docs/formats/journal.md specifies it.
const (
	journalName    = "journal"
	journalVersion = 1
	journalPages   = 20      // pages that an ended job keeps; the page log has all
	compactAt      = 4 << 20 // bytes; below this size the journal is not rewritten
)

// A record is one line of the journal. Type decides which other fields are set.
type record struct {
	Type     string     `json:"type"`               // journal, job, end, key, position
	Version  int        `json:"version,omitempty"`  // journal
	Job      *Job       `json:"job,omitempty"`      // job
	Keys     []string   `json:"keys,omitempty"`     // job: keys that identify its repeats
	Position *string    `json:"position,omitempty"` // job, position: the feed's position
	Jobs     []ending   `json:"jobs,omitempty"`     // end: the jobs that ended
	Result   *Result    `json:"result,omitempty"`   // end: the result of their build; absent: they were parked
	Key      string     `json:"key,omitempty"`      // key
	Of       string     `json:"of,omitempty"`       // key: the job that was accepted under it
	At       *time.Time `json:"at,omitempty"`       // key: when the job was accepted
}

// An ending holds the fields of a job that change when it ends.
type ending struct {
	ID      string     `json:"job"`
	State   State      `json:"state"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	Tries   int        `json:"tries,omitempty"`
	Error   string     `json:"error,omitempty"`
}

// A journal keeps accepted jobs on the disk.
type journal struct {
	path string

	mu      sync.Mutex
	synced  sync.Cond // signals the end of a sync; uses mu
	f       journalFile
	size    int64  // bytes of whole records
	live    int64  // size after the last rewrite
	written uint64 // records appended
	safe    uint64 // records known to be on the disk
	syncing bool
	broken  error // the file cannot be trusted any more and must be rewritten
}

// A journalFile is the open file of a journal: an *os.File, or a wrapper in tests.
type journalFile interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// openJournal reads the journal in a folder, or creates it. It cuts off an incomplete last line, which a crash can
// leave. damaged counts other unreadable lines. A file without any readable line is renamed, and a new one is started.
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
		// A crash cannot cause this: rewrite creates the file with a whole first line. Keep the file for inspection.
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

// parseJournal returns the readable records, and the offset at which the last one ends.
func parseJournal(data []byte) (records []record, size, damaged int) {
	bad := 0 // unreadable lines since the last readable record
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

// append adds a record. With sync it returns when the record is on the disk. Concurrent callers share one sync.
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
			j.broken = err // the kernel may have dropped the data that it could not write
		} else {
			j.safe = max(j.safe, upTo)
		}
		j.synced.Broadcast()
	}
	return nil
}

// due reports whether the journal should be rewritten: more than half of it is obsolete, it cannot be trusted, or
// somebody has deleted the file.
func (j *journal) due() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil || j.size > max(compactAt, 2*j.live) {
		return true
	}
	_, err := os.Lstat(j.path)
	return errors.Is(err, fs.ErrNotExist)
}

// rewrite replaces the journal by a new file with the records that needed returns. Appends wait meanwhile. A crash
// leaves either the old file or the new one.
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
		_ = j.f.Close() // the file has no name any more
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
