package revalidator_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"freshet/internal/site"
	"freshet/revalidator"
)

// TestControl asks a daemon over its socket, also where the folder's path is longer than a socket's may be, and where a
// killed process has left its socket and what it was making.
func TestControl(t *testing.T) {
	for name, below := range map[string]string{"short": "", "long": strings.Repeat("a-long-name/", 12)} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), below)
			if err := os.MkdirAll(filepath.Join(state, "control-left"), 0o755); err != nil {
				t.Fatal(err)
			}
			control := revalidator.NewControl(state)
			if _, _, err := control.Accept(t.Context(), offer("blog:a")); !errors.Is(err, revalidator.ErrStopped) {
				t.Errorf("without a daemon: %v, want ErrStopped", err)
			}
			if below == "" { // a dead socket
				ln, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(state, revalidator.SocketName)})
				if err != nil {
					t.Fatal(err)
				}
				ln.SetUnlinkOnClose(false)
				if err := ln.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := control.Status(t.Context()); !errors.Is(err, revalidator.ErrStopped) {
					t.Errorf("over a dead socket: %v, want ErrStopped", err)
				}
			}
			hold, stuck := make(chan struct{}), make(chan struct{})
			r := open(t, revalidator.Config{State: state, Control: state,
				Plan: func(context.Context, revalidator.Request) ([]string, error) { return []string{"/"}, nil },
				Build: func(ctx context.Context, c revalidator.Change) (revalidator.Result, error) {
					switch {
					case slices.Contains(c.Documents, "blog:stuck"):
						close(stuck)
						<-ctx.Done()
						return revalidator.Result{}, ctx.Err()
					case !c.Everything:
						<-hold
					}
					return revalidator.Result{Generation: 3}, nil
				}})
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				if s, err := control.Status(t.Context()); err == nil && s.PID == os.Getpid() {
					break
				} else if time.Now().After(end) {
					t.Fatalf("Status: %+v, %v", s, err)
				}
			}
			info, err := os.Stat(filepath.Join(state, revalidator.SocketName))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the socket: %v, %v, want mode 0600", info, err)
			}
			if left, _ := filepath.Glob(filepath.Join(state, "control-*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if pages, err := control.Plan(t.Context(), offer("blog:a").Request); err != nil || len(pages) != 1 {
				t.Errorf("Plan: %q, %v", pages, err)
			}
			j, repeat, err := control.Accept(t.Context(), offer("blog:a"))
			if err != nil || j.ID == "" || repeat != revalidator.Fresh {
				t.Fatalf("Accept: %+v, %d, %v", j, repeat, err)
			}
			time.AfterFunc(50*time.Millisecond, func() { close(hold) })
			if j, err = control.Look(t.Context(), j.ID, time.Minute); err != nil || j.State != revalidator.Done || j.Generation != 3 {
				t.Errorf("Look: %+v, %v", j, err)
			}
			if jobs, err := control.Jobs(t.Context()); err != nil || len(jobs) != 1 {
				t.Errorf("Jobs: %+v, %v", jobs, err)
			}
			if _, err := control.Look(t.Context(), "nothing", 0); !errors.Is(err, site.ErrNotFound) {
				t.Errorf("Look for nothing: %v", err)
			}
			bad := offer("blog:a")
			bad.Request.Tags = []string{"a\x00"}
			var refused *revalidator.RefusedError
			if _, _, err := control.Accept(t.Context(), bad); !errors.As(err, &refused) || !strings.Contains(err.Error(), "not plain text") {
				t.Errorf("a bad request: %v", err)
			}
			if j, _, err = control.Accept(t.Context(), offer("blog:stuck")); err != nil {
				t.Fatal(err)
			}
			looked := make(chan error, 1)
			go func() {
				_, err := control.Look(t.Context(), j.ID, time.Minute)
				looked <- err
			}()
			<-stuck
			r.stop()
			if err := <-looked; !errors.Is(err, revalidator.ErrStopped) {
				t.Errorf("Look at a job while the daemon is stopped: %v, want ErrStopped", err)
			}
			if _, err := os.Stat(filepath.Join(state, revalidator.SocketName)); err == nil {
				t.Error("the socket is left behind")
			}
		})
	}
}
