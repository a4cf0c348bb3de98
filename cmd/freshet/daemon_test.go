//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"freshet/internal/testenv"
	"freshet/revalidator"
)

// TestDaemonHistory runs freshet revalidate and freshet serve as processes over one state folder, while documents are
// edited, saved in pieces, renamed, deleted, scheduled and made to expire, the content folder goes away and comes back,
// jobs are sent once, twice and for nothing, and the daemon is killed again and again. No known page ever fails or is
// torn, no job that was accepted is lost, and after quiet the public tree is the one of a clean build. The last steps are
// edits alone: nothing then looks at everything, so that what the file watch loses stays lost.
func TestDaemonHistory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	d := &daemonSite{t: t, exe: testenv.Freshet(t), dir: t.TempDir(), control: nil}
	d.control = revalidator.NewControl(filepath.Join(d.dir, "state"))
	for i := range 40 {
		d.post(i, 0, time.Now().AddDate(0, 0, -1-i))
	}
	d.write("pages/about.md", "---\ntitle: About\n---\n\nAbout this site.\n")
	d.start()
	d.everything()
	stop := d.readWhile("/", "/blog/", "/about/", "/feed.xml", "/sitemap.xml")

	rounds, alone := 120, 25
	if testing.Short() {
		rounds = 40
	}
	var jobs []string
	kills := 0
	for n := range rounds + alone {
		if n == rounds {
			d.quiet(jobs)
		}
		step := r.IntN(15)
		if n >= rounds {
			step %= 8
		}
		switch step {
		case 0, 1, 2:
			d.post(r.IntN(40), n, time.Now().AddDate(0, 0, -1-r.IntN(40)))
		case 3: // an editor that truncates first, and takes its time
			d.write(fmt.Sprintf("blog/post-%02d.md", r.IntN(40)), "")
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
			d.post(r.IntN(40), n, time.Now().AddDate(0, 0, -3))
		case 4:
			d.must(os.RemoveAll(d.file(fmt.Sprintf("blog/post-%02d.md", r.IntN(40)))))
		case 5:
			if from := d.file(fmt.Sprintf("blog/post-%02d.md", r.IntN(40))); exists(from) {
				d.must(os.Rename(from, d.file(fmt.Sprintf("blog/moved-%02d.md", r.IntN(10)))))
			}
		case 6:
			d.post(40+r.IntN(5), n, time.Now().Add(time.Duration(r.IntN(2000))*time.Millisecond))
		case 7:
			d.postUntil(45+r.IntN(5), n, time.Now().AddDate(0, 0, -1), time.Now().Add(time.Duration(r.IntN(2000))*time.Millisecond))
		case 8:
			d.must(os.Rename(d.file("."), filepath.Join(d.dir, "away")))
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			d.must(os.Rename(filepath.Join(d.dir, "away"), d.file(".")))
		case 9:
			kills++
			d.kill()
			if r.IntN(2) == 0 {
				d.post(r.IntN(40), n, time.Now().AddDate(0, 0, -2))
			}
			d.start()
		default:
			o := revalidator.Offer{Origin: revalidator.OriginCommand, Request: revalidator.Request{
				Docs: []revalidator.Doc{{Given: fmt.Sprintf("blog:post-%02d", r.IntN(60))}}}, EventKey: fmt.Sprint("event", r.IntN(30))}
			if r.IntN(5) == 0 {
				o.Request = revalidator.Request{Tags: []string{"water"}}
			}
			for range 1 + r.IntN(2) {
				if j, _, err := d.control.Accept(t.Context(), o); err == nil {
					jobs = append(jobs, j.ID)
				}
			}
			if r.IntN(4) == 0 { // in the middle of it
				kills++
				d.kill()
				d.start()
			}
		}
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
		}
	}
	time.Sleep(3 * time.Second) // what was scheduled has come, what was half written is taken for what it is
	clean := t.TempDir()
	cmd := d.command("build", "--url", "https://example.org", "--state", filepath.Join(clean, "state"), "--public", filepath.Join(clean, "public"))
	if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "left out because of mistakes") {
		t.Fatalf("clean build: %v\n%s", err, out)
	}
	want := readTree(t, filepath.Join(clean, "public"))
	var wrong []string
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // a busy machine has not built all yet
		got := readTree(t, filepath.Join(d.dir, "public"))
		wrong = nil
		for name := range want {
			if got[name] != want[name] {
				wrong = append(wrong, fmt.Sprintf("%s is not that of a clean build (there: %t)", name, got[name] != ""))
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok && !strings.HasPrefix(name, "assets/") {
				wrong = append(wrong, fmt.Sprintf("the tree has %s, a clean build has not", name))
			}
		}
		if len(wrong) == 0 || time.Now().After(end) {
			break
		}
	}
	slices.Sort(wrong)
	for _, text := range wrong {
		t.Error(text)
	}
	d.quiet(jobs)
	stop()
	t.Logf("%d kills, %d jobs, %d files", kills, len(jobs), len(want))
	d.kill()
}

// TestHangUp sends a service what asks others to read their files again: it goes on.
func TestHangUp(t *testing.T) {
	d := &daemonSite{t: t, exe: testenv.Freshet(t), dir: t.TempDir()}
	d.control = revalidator.NewControl(filepath.Join(d.dir, "state"))
	d.post(1, 0, time.Now().AddDate(0, 0, -1))
	d.start()
	d.must(d.cmd.Process.Signal(syscall.SIGHUP))
	d.everything()
	d.must(d.cmd.Process.Signal(syscall.SIGTERM))
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, d.log.String())
	}
	d.cmd = nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// A daemonSite is a site whose daemon is killed.
type daemonSite struct {
	t       *testing.T
	exe     string
	dir     string
	control *revalidator.Control
	cmd     *exec.Cmd
	log     bytes.Buffer
}

func (d *daemonSite) must(errs ...error) {
	d.t.Helper()
	if err := errors.Join(errs...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *daemonSite) file(name string) string { return filepath.Join(d.dir, "content", name) }

func (d *daemonSite) write(name, text string) {
	d.t.Helper()
	d.must(os.MkdirAll(filepath.Dir(d.file(name)), 0o755), os.WriteFile(d.file(name), []byte(text), 0o644))
}

func (d *daemonSite) post(i, edition int, date time.Time) {
	d.t.Helper()
	d.postUntil(i, edition, date, time.Time{})
}

// postUntil writes a post that expires; the zero time: never.
func (d *daemonSite) postUntil(i, edition int, date, expiry time.Time) {
	d.t.Helper()
	until := ""
	if !expiry.IsZero() {
		until = "expiresAt: " + expiry.UTC().Format(time.RFC3339Nano) + "\n"
	}
	d.write(fmt.Sprintf("blog/post-%02d.md", i), fmt.Sprintf("---\ntitle: Post %d edition %d\ndate: %s\n%stags: [t%d, water]\n---\n\nEdition %d.\n",
		i, edition, date.UTC().Format(time.RFC3339Nano), until, (i+edition)%4, edition))
}

func (d *daemonSite) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.exe, args...)
	cmd.Dir = d.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir}
	return cmd
}

// start starts the daemon and waits until it answers.
func (d *daemonSite) start() {
	d.t.Helper()
	d.log.Reset()
	d.cmd = d.command("revalidate", "--url", "https://example.org", "--state", "state", "--public", "public")
	d.cmd.Stderr = &d.log
	d.must(d.cmd.Start())
	d.t.Cleanup(d.kill)
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if s, err := d.control.Status(d.t.Context()); err == nil && s.PID == d.cmd.Process.Pid {
			return
		} else if time.Now().After(end) {
			d.kill()
			d.t.Fatalf("the daemon does not answer: %v\n%s", err, d.log.String())
		}
	}
}

func (d *daemonSite) kill() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill() // what has ended cannot be killed
		_ = d.cmd.Wait()
		d.cmd = nil
	}
}

// quiet waits until all jobs are done.
func (d *daemonSite) quiet(jobs []string) {
	d.t.Helper()
	for _, id := range jobs {
		if j, err := d.control.Look(d.t.Context(), id, patience); err != nil || j.State != revalidator.Done {
			d.t.Errorf("job %s, which was accepted: %+v, %v", id, j, err)
		}
	}
}

// everything has all looked at, and waits for it.
func (d *daemonSite) everything() {
	d.t.Helper()
	j, _, err := d.control.Accept(d.t.Context(), revalidator.Offer{Origin: revalidator.OriginCommand, Request: revalidator.Request{Everything: true}})
	d.must(err)
	if j, err = d.control.Look(d.t.Context(), j.ID, time.Minute); err != nil || j.State != revalidator.Done {
		d.t.Fatalf("looking at everything: %+v, %v", j, err)
	}
}

// readWhile serves the site and reads pages that it has until stop: none fails. Posts, which come and go, are read too.
// Whatever is read is whole.
func (d *daemonSite) readWhile(paths ...string) (stop func()) {
	d.t.Helper()
	cmd := d.command("serve", "--listen", "127.0.0.1:0", "--state", "state", "--log", "error")
	out, err := cmd.StdoutPipe()
	d.must(err, cmd.Start())
	line := make([]byte, 100)
	n, err := io.ReadAtLeast(out, line, len("http://localhost:1/\n"))
	d.must(err)
	address := strings.TrimSuffix(strings.TrimSpace(string(line[:n])), "/")
	ctx, cancel := context.WithCancel(d.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		client := &http.Client{Timeout: patience}
		for n := 0; ctx.Err() == nil; n++ {
			path := paths[n%len(paths)]
			if n%2 == 0 {
				path = fmt.Sprintf("/blog/post-%02d/", n/2%50)
			}
			status, body, err := get(client, address+path)
			comes := n%2 == 0 && (status == http.StatusNotFound || status == http.StatusGone)
			if ctx.Err() == nil && (err != nil || status != http.StatusOK && !comes) {
				d.t.Errorf("GET %s: %d, %v", path, status, err)
			}
			if ctx.Err() == nil && err == nil && !whole(path, body) {
				d.t.Errorf("GET %s: %d with half a page: %q", path, status, body)
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	d.t.Cleanup(stop)
	return stop
}

// whole reports whether a page, feed or sitemap is so to its end.
func whole(path, body string) bool {
	end := "</html>"
	switch {
	case path == "/feed.xml":
		end = "</rss>"
	case path == "/sitemap.xml":
		end = "</urlset>"
	}
	return strings.HasSuffix(strings.TrimSpace(body), end)
}
