package pagestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file of a state folder that its writer holds locked.
const lockName = "lock"

// A LockedError means that another process writes the page log.
type LockedError struct {
	PID int // 0: unknown
	Dir string
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another freshet is writing %s", e.Dir)
	}
	return fmt.Sprintf("another freshet (pid %d) is writing %s", e.PID, e.Dir)
}

// lockFolder takes the lock of a state folder. Closing the file releases the lock. The file stays: if it were removed, two
// processes could each lock a file of that name.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		b, _ := io.ReadAll(io.LimitReader(f, 32)) // only for the message
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		_ = f.Close()
		return nil, &LockedError{PID: pid, Dir: dir}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}
