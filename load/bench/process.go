package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A cost is what one whole process took, from start to exit.
type cost struct {
	Wall      time.Duration `json:"wall"`
	CPU       time.Duration `json:"cpu"`       // user and system
	PeakBytes int64         `json:"peakBytes"` // resident set
	Pages     int           `json:"pages"`     // as the program counts them; 0: it did not say
}

// measure runs a command in dir and returns what it cost and what it printed on standard output. What is still to be
// written to disk from before is written first, so that no process pays for another.
func measure(ctx context.Context, dir string, env []string, name string, args ...string) (cost, []byte, error) {
	syscall.Sync()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return cost{}, nil, fmt.Errorf("run %s %q: %w\n%s%s", name, args, err, tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}, nil, fmt.Errorf("run %s: this system does not tell what a process used", name)
	}
	return cost{
		Wall:      wall,
		CPU:       time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		PeakBytes: int64(usage.Maxrss) * maxrssUnit,
	}, stdout.Bytes(), nil
}

// maxrssUnit is the unit of Rusage.Maxrss on Linux in bytes.
const maxrssUnit = 1024

// tail is the end of what a program printed.
func tail(b []byte) []byte {
	if len(b) > 4000 {
		return append([]byte("…"), b[len(b)-4000:]...)
	}
	return b
}
