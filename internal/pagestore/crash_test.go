package pagestore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/pagestore"
	"freshet/internal/pagestore/pagetest"
)

func copyLog(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// TestCrashPoints stops the writer before each step of all it does. What was committed until then is there
// afterwards, whole, for a reader and for the next writer, which goes on as if nothing had happened.
func TestCrashPoints(t *testing.T) {
	home := pages{"/": "home", "/blog/a/": "a"}
	large := pages{"/large/": strings.Repeat("z", 2*pagestore.BufferBytes+10), "/blog/a/": "a2", "/more/": strings.Repeat("m", 1000)}
	tests := []struct {
		name string
		keep int
		do   func(w *pagestore.Writer) error
		may  []pages // what may be there afterwards besides the last that was reported
	}{
		{"commit", 20, func(w *pagestore.Writer) error {
			b := w.Begin()
			defer b.Abort()
			if err := put(b, large); err != nil {
				return err
			}
			_, err := b.Commit(pagestore.CommitInfo{})
			return err
		}, []pages{after(home, large)}},
		{"abort", 20, func(w *pagestore.Writer) error {
			b := w.Begin()
			err := put(b, large)
			b.Abort()
			return err
		}, nil},
		{"compact", 2, func(w *pagestore.Writer) error { return w.Compact(context.Background()) }, nil},
		{"rollback", 20, func(w *pagestore.Writer) error {
			_, err := w.Rollback(1, pagestore.CommitInfo{})
			return err
		}, []pages{{"/": "first"}}},
		{"close", 20, func(w *pagestore.Writer) error {
			if err := put(w.Begin(), large); err != nil {
				return err
			}
			return w.Close()
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			w := openWriter(t, pagestore.Config{Dir: base})
			commit(t, w, pages{"/": "first"})
			commit(t, w, pages{"/": "second"})
			commit(t, w, home)
			closeWriter(t, w)

			for n := 0; ; n++ {
				dir := t.TempDir()
				copyLog(t, base, dir)
				before, stopped := pagetest.StopAt(n)
				cfg := pagestore.Config{Dir: dir, Keep: tt.keep}
				w := openWriter(t, pagestore.WithSteps(cfg, before))
				reader := openReader(t, dir)
				err := tt.do(w)
				pagestore.Abandon(w)

				possible := append([]pages{home}, tt.may...)
				if !stopped() {
					if err != nil {
						t.Fatalf("nothing was stopped, and still: %v", err)
					}
					if n < 2 {
						t.Fatalf("there were only %d steps to stop at", n)
					}
					return
				}
				if err == nil && tt.name != "abort" && tt.name != "compact" {
					t.Errorf("step %d was stopped, and the error is nil", n)
				}
				one := func(name string, g *pagestore.Generation) {
					t.Helper()
					got := contents(t, g)
					for _, p := range possible {
						if cmp.Equal(got, p) {
							return
						}
					}
					t.Errorf("stopped at step %d: %s has %.200v", n, name, got)
				}
				one("a reader from before", reader.Current())
				one("a new reader", openReader(t, dir).Current())
				next := openWriter(t, cfg)
				one("the next writer", next.Current())
				wantContents(t, commit(t, next, pages{"!/large/": "", "!/blog/a/": "", "!/more/": "", "/": "next"}), pages{"/": "next"})
				wantContents(t, openReader(t, dir).Current(), pages{"/": "next"})
				if err := next.Compact(t.Context()); err != nil {
					t.Error(err)
				}
				closeWriter(t, next)
				logFile(t, dir) // one, and nothing temporary
				wantContents(t, openReader(t, dir).Current(), pages{"/": "next"})
			}
		})
	}
}

// TestCrashOfFirstOpen stops the making of a log.
func TestCrashOfFirstOpen(t *testing.T) {
	for n := 0; ; n++ {
		dir := t.TempDir()
		before, stopped := pagetest.StopAt(n)
		w, err := pagestore.OpenWriter(pagestore.WithSteps(pagestore.Config{Dir: dir}, before))
		if !stopped() {
			if err != nil || n < 4 {
				t.Fatalf("%d steps, error %v", n, err)
			}
			closeWriter(t, w)
			return
		}
		if err == nil {
			t.Errorf("step %d was stopped, and the error is nil", n)
		}
		if g := openReader(t, dir).Current(); g != nil {
			t.Errorf("step %d: a reader sees generation %d", n, g.ID)
		}
		w = openWriter(t, pagestore.Config{Dir: dir})
		wantContents(t, commit(t, w, pages{"/": "home"}), pages{"/": "home"})
		closeWriter(t, w)
		logFile(t, dir)
	}
}

// TestFailedStep fails single steps of commits, as a full disk does. The error is reported, the last generation stays,
// and when there is room again the same writer goes on.
func TestFailedStep(t *testing.T) {
	full := errors.New("no space left on device")
	for n := 0; ; n++ {
		dir := t.TempDir()
		var count, fail int
		fail = -1
		cfg := pagestore.WithSteps(pagestore.Config{Dir: dir}, func(string, string) error {
			count++
			if count-1 == fail {
				return full
			}
			return nil
		})
		w := openWriter(t, cfg)
		home := pages{"/": "home"}
		commit(t, w, home)
		size := logSize(t, dir)
		other := w.Begin()
		fail = count + n
		b := w.Begin()
		err := put(b, pages{"/large/": strings.Repeat("z", 3*pagestore.BufferBytes), "/x/": "x"})
		_, cerr := b.Commit(pagestore.CommitInfo{})
		if cerr == nil {
			if err != nil {
				t.Fatal(err)
			}
			if n < 3 {
				t.Fatalf("only %d steps", n)
			}
			other.Abort()
			return
		}
		if !errors.Is(cerr, full) {
			t.Errorf("step %d: Commit gives %v, want %v", n, cerr, full)
		}
		wantContents(t, w.Current(), home)
		wantContents(t, openReader(t, dir).Current(), home)
		if _, err := other.Object([]byte("x")); err == nil {
			t.Errorf("step %d: a batch whose objects were cut off goes on", n)
		}
		other.Abort()
		if got := logSize(t, dir); got != size {
			t.Errorf("step %d: the log has %d bytes, want it cut back to %d", n, got, size)
		}
		next := pages{"/x/": "x", "/large/": "not so large"}
		wantContents(t, commit(t, w, next), after(home, next))
		closeWriter(t, w)
		wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), after(home, next))
	}
}

// TestCannotCutBack: while the log cannot be cut back no batch succeeds, and afterwards the next one does.
func TestCannotCutBack(t *testing.T) {
	dir := t.TempDir()
	var failing bool
	w := openWriter(t, pagestore.WithSteps(pagestore.Config{Dir: dir}, func(step, _ string) error {
		if failing && (step == "sync" || step == "truncate") {
			return pagetest.ErrCrash
		}
		return nil
	}))
	home := pages{"/": "home"}
	commit(t, w, home)
	failing = true
	for range 2 {
		b := w.Begin()
		_ = put(b, pages{"/x/": "x"})
		if _, err := b.Commit(pagestore.CommitInfo{}); !errors.Is(err, pagetest.ErrCrash) {
			t.Errorf("Commit gives %v, want %v", err, pagetest.ErrCrash)
		}
		wantContents(t, w.Current(), home)
	}
	failing = false
	next := pages{"/y/": "y"}
	wantContents(t, commit(t, w, next), after(home, next))
	closeWriter(t, w)
	wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), after(home, next))
}

// generations writes a small log of several generations and returns what each has and where it ends.
func generations(t testing.TB, dir string) (wants []pages, ends []int64) {
	w := openWriter(t, pagestore.Config{Dir: dir})
	want := pages{}
	for _, step := range []pages{
		{"/": "home", "/blog/a/": "a"},
		{"/blog/b/": "b", "/old/x": "/blog/b/"},
		{"!/blog/a/": "", "/": "home 2"},
	} {
		want = after(want, step)
		commit(t, w, step)
		wants, ends = append(wants, want), append(ends, logSize(t, dir))
	}
	closeWriter(t, w)
	return wants, ends
}

// rewrite makes a file anew: disks are slow to empty one that is there.
func rewrite(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTornTail cuts a log at every byte, and also fills what was cut with zeros and with other bytes: readers see
// the last generation that is whole; a writer cuts off what is not and goes on.
func TestTornTail(t *testing.T) {
	base := t.TempDir()
	wants, ends := generations(t, base)
	whole, err := os.ReadFile(logFile(t, base))
	if err != nil {
		t.Fatal(err)
	}
	tails := map[string]func(n int) []byte{
		"cut":   func(int) []byte { return nil },
		"zeros": func(n int) []byte { return make([]byte, n) },
		"noise": func(n int) []byte { return []byte(strings.Repeat("\x02\x00\x00\x00\x01noise", n/10+1)[:n]) },
		"again": func(n int) []byte { return whole[:n] },
	}
	for name, tail := range tails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copyLog(t, base, dir)
			step := 9
			if name == "cut" {
				step = 1
			}
			for n := pagestore.HeaderSize; n <= len(whole); n += step {
				last := -1 // generation that is whole
				for i, end := range ends {
					if int64(n) >= end {
						last = i
					}
				}
				rewrite(t, logFile(t, dir), append(whole[:n:n], tail(len(whole)-n)...))
				r, err := pagestore.OpenReader(pagestore.Config{Dir: dir})
				if err != nil {
					t.Fatalf("at %d: %v", n, err)
				}
				g := r.Current()
				if (g == nil) != (last < 0) {
					t.Fatalf("at %d: reader has %v, want generation %d", n, g, last+1)
				}
				want := pages{}
				if last >= 0 {
					want = wants[last]
					wantContents(t, g, want)
				}
				w := openWriter(t, pagestore.Config{Dir: dir})
				wantContents(t, w.Current(), want)
				if w.Current().ID != uint64(last+1) {
					t.Errorf("at %d: generation %d, want %d", n, w.Current().ID, last+1)
				}
				if size := logSize(t, dir); last >= 0 && size != ends[last] {
					t.Errorf("at %d: the writer leaves %d bytes, want %d", n, size, ends[last])
				}
				if n%7 == 0 {
					wantContents(t, commit(t, w, pages{"/next/": "n"}), after(want, pages{"/next/": "n"}))
				}
				pagestore.Abandon(w)
				if n%7 == 0 {
					wantContents(t, openReader(t, dir).Current(), after(want, pages{"/next/": "n"}))
				}
			}
		})
	}
}

// TestNumberOfATornCommit: the commit of generation 3 stops at any byte, and so does the one that follows it. The number of a
// commit that has begun is not used again, so each costs one number and no more.
func TestNumberOfATornCommit(t *testing.T) {
	base := t.TempDir()
	_, ends := generations(t, base)
	whole, err := os.ReadFile(logFile(t, base))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyLog(t, base, dir)
	want := uint64(3)
	for n := ends[1]; n < ends[2]; n += 7 {
		rewrite(t, logFile(t, dir), whole[:n])
		next := func() uint64 {
			w := openWriter(t, pagestore.Config{Dir: dir})
			defer pagestore.Abandon(w)
			if got := w.Current().ID; got != 2 {
				t.Fatalf("cut at %d: generation %d is whole, want 2", n, got)
			}
			return commit(t, w, pages{"/next/": "n"}).ID
		}
		switch first := next(); {
		case first == 4 && n > ends[1]:
			want = 4 // from here on a part of the commit is there
		case first != want:
			t.Fatalf("cut at %d, where the commit is from %d to %d: the next generation is %d, want %d", n, ends[1], ends[2], first, want)
		}
		for torn := want; torn < want+2; torn++ { // and again: the commits that follow stop a byte short
			b, err := os.ReadFile(logFile(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, logFile(t, dir), b[:len(b)-1])
			if got := next(); got != torn+1 {
				t.Errorf("cut at %d: the generation after a torn %d is %d, want %d", n, torn, got, torn+1)
			}
		}
	}
	if want != 4 {
		t.Error("no cut has cost a number")
	}
}

// flips are places of a log whose bits are flipped one by one: every bit of the lengths of records, and some of all
// others.
func flips(whole []byte) (bits []int) {
	lengths := map[int]bool{}
	for pos := pagestore.HeaderSize; pos+9 <= len(whole); {
		for i := range 4 {
			lengths[pos+i] = true
		}
		pos += 9 + int(binary.LittleEndian.Uint32(whole[pos:]))
	}
	for n := range whole {
		for bit := range 8 {
			if lengths[n] || n%4 == 0 && bit == n/4%8 {
				bits = append(bits, 8*n+bit)
			}
		}
	}
	return bits
}

// TestDamage flips bits of a log of three commits, which ends there, or with what a crash has left of a fourth. Nothing is
// lost silently: what is opened is the third generation, with objects that are what they were or errors; or what is
// missing was reported with file and place, and no number is given to another generation. Damage in the last whole commit
// cannot be told from what a crash leaves.
func TestDamage(t *testing.T) {
	base := t.TempDir()
	wants, ends := generations(t, base)
	whole := readFile(t, logFile(t, base))
	w := openWriter(t, pagestore.Config{Dir: base})
	commit(t, w, pages{"/fourth/": "4"})
	closeWriter(t, w)
	fourth := readFile(t, logFile(t, base))
	last := wants[2]
	for name, b := range map[string][]byte{"whole": whole, "with a torn end": fourth[:len(fourth)-20]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copyLog(t, base, dir)
			file := logFile(t, dir)
			var intact, recovered, cut, unread int
			for _, bit := range flips(b) {
				if n := bit / 8; n >= int(ends[2]) && name != "whole" {
					continue // of what was not committed
				}
				if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
					t.Fatal(err)
				}
				flipped := bytes.Clone(b)
				flipped[bit/8] ^= 1 << (bit % 8)
				if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, flipped, 0o644); err != nil {
					t.Fatal(err)
				}
				where := fmt.Sprintf("byte %d bit %d", bit/8, bit%8)
				if r, err := pagestore.OpenReader(pagestore.Config{Dir: dir}); err != nil || r.Current() == nil || r.Current().ID < 2 {
					t.Fatalf("%s: a reader gets %v, %v", where, r, err)
				}
				var said strings.Builder
				w, err := pagestore.OpenWriter(pagestore.Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil))})
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				g := w.Current()
				switch {
				case g.ID == 3:
					intact++
					if got := g.Len(); got != len(last) {
						t.Errorf("%s: generation 3 has %d entries, want %d", where, got, len(last))
					}
				case g.ID == 2 && bit/8 >= int(ends[1]):
					cut++
					if !strings.Contains(said.String(), "the last commit is not whole") || !strings.Contains(said.String(), file) {
						t.Errorf("%s: the last commit was cut off, and this was said: %s", where, said.String())
					}
				case g.ID > 3:
					recovered++
					if !strings.Contains(said.String(), "is damaged at byte") || !strings.Contains(said.String(), file) {
						t.Errorf("%s: generation %d was recovered, and this was said: %s", where, g.ID, said.String())
					}
				default:
					t.Errorf("%s: generation %d", where, g.ID)
				}
				for e := range g.All() {
					if e.Status != 200 {
						continue
					}
					body, err := g.Object(e.Object)
					ok := false
					for _, want := range wants {
						ok = ok || string(body) == want[string(e.Path)]
					}
					if g.ID == 3 {
						ok = string(body) == last[string(e.Path)]
					}
					if err != nil {
						unread++
						if !w.Distrust(e.Path) {
							t.Errorf("%s: Object(%s) gives %v", where, e.Path, err)
						}
					} else if !ok {
						t.Errorf("%s: Object(%s) of generation %d = %q", where, e.Path, g.ID, body)
					}
					if _, err := g.Docs(e); err != nil {
						t.Errorf("%s: Docs(%s) of what was loaded: %v", where, e.Path, err)
					}
				}
				if next := commit(t, w, last); next.ID <= 3 {
					t.Errorf("%s: number %d is used again", where, next.ID)
				} else if got := contents(t, next); !cmp.Equal(after(got, last), got) {
					t.Errorf("%s: the next commit does not have all pages: %v", where, got)
				}
				closeWriter(t, w)
				if t.Failed() {
					t.FailNow()
				}
			}
			t.Logf("%d intact, %d recovered, %d cut, %d objects unreadable", intact, recovered, cut, unread)
			if intact == 0 || recovered == 0 || unread == 0 || cut == 0 {
				t.Error("the test shows nothing")
			}
		})
	}
}

// TestDamagedObjectIsKeptAnew: rendering the same bytes again mends a damaged object.
func TestDamagedObjectIsKeptAnew(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	g := commit(t, w, pages{"/a/": "some bytes"})
	e, _ := g.Lookup("/a/")
	f, err := os.OpenFile(logFile(t, dir), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("X"), e.Object.Offset+pagestore.ObjectHead); err != nil {
		t.Fatal(err)
	}
	if body, err := g.Object(e.Object); err == nil {
		t.Fatalf("Object = %q of a damaged object", body)
	}
	for _, when := range []string{"", " after compaction"} {
		if !w.Distrust("/a/") || len(w.Distrusted()) != 1 {
			t.Errorf("a damaged object is trusted%s", when)
		}
		if body, err := w.Current().Object(e.Object); err == nil {
			t.Errorf("Object = %q of a damaged object%s", body, when)
		}
		if err := w.Compact(t.Context()); err != nil {
			t.Error(err)
		}
		if e, _ = w.Current().Lookup("/a/"); len(w.Distrusted()) != 1 {
			t.Error("compaction forgets that an object is damaged")
		}
	}
	wantContents(t, commit(t, w, pages{"/a/": "some bytes"}), pages{"/a/": "some bytes"})
	if got := w.Distrusted(); len(got) > 0 {
		t.Errorf("Distrusted = %v after the object was kept anew", got)
	}
}

// TestKill kills a process that commits as fast as it can. Every page of a generation has its number, so a mixture
// would show.
func TestKill(t *testing.T) {
	if dir := os.Getenv("FRESHET_TEST_KILL_DIR"); dir != "" {
		commitForever(t, dir)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var acknowledged uint64
	for round := range 15 {
		cmd := exec.Command(exe, "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "FRESHET_TEST_KILL_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 3+round*2 && lines.Scan(); n++ {
			if acknowledged, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatalf("the process says %q", lines.Text())
			}
			if r := openReader(t, dir); n%4 == 0 {
				wantUniform(t, r.Current())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died
			if acknowledged, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				break // half a line
			}
		}
		_ = cmd.Wait() // killed
		wantUniform(t, openReader(t, dir).Current())
		w := openWriter(t, pagestore.Config{Dir: dir})
		if got := w.Current().ID; got < acknowledged {
			t.Errorf("round %d: generation %d, but %d was committed", round, got, acknowledged)
		}
		wantUniform(t, w.Current())
		closeWriter(t, w)
	}
}

func wantUniform(t testing.TB, g *pagestore.Generation) {
	t.Helper()
	if g == nil {
		return
	}
	for path, body := range contents(t, g) {
		if n, _, _ := strings.Cut(body, " "); n != fmt.Sprint(g.ID) {
			t.Errorf("%s of generation %d is of generation %s", path, g.ID, n)
		}
	}
}

func commitForever(t *testing.T, dir string) {
	w := openWriter(t, pagestore.Config{Dir: dir, Keep: 3})
	for {
		all := pages{}
		for i := range 10 {
			all[fmt.Sprintf("/p%d/", i)] = fmt.Sprintf("%d %s", w.Current().ID+1, strings.Repeat("x", i*1000))
		}
		b := w.Begin()
		if err := put(b, all); err != nil {
			t.Fatal(err)
		}
		g, err := b.Commit(pagestore.CommitInfo{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Println(g.ID); err != nil {
			os.Exit(0) // nobody listens any more
		}
		if g.ID%5 == 0 {
			if err := w.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLeftovers: what a stopped compaction may leave is cleared away by the next writer, and readers do not mind.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	old := logFile(t, dir)
	b, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeWriter(t, w)
	for name, content := range map[string][]byte{old: b, filepath.Join(dir, "log", "0000000000000003.seg.tmp"): b[:100]} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantContents(t, openReader(t, dir).Current(), pages{"/": "home"})
	w = openWriter(t, pagestore.Config{Dir: dir})
	wantContents(t, w.Current(), pages{"/": "home"})
	if name := filepath.Base(logFile(t, dir)); name != "0000000000000002.seg" {
		t.Errorf("the log is %s", name)
	}
}

// TestForeignFile: a file that is no page log is an error and stays.
func TestForeignFile(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "text": strings.Repeat("not a page log ", 10), "short": "freshetP\x01",
		"later": "freshetP\x63\x00\x00\x00" + strings.Repeat("\x00", 52),
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "log"), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "log", "0000000000000001.seg")
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, werr := pagestore.OpenWriter(pagestore.Config{Dir: dir})
		_, rerr := pagestore.OpenReader(pagestore.Config{Dir: dir})
		for _, err := range []error{werr, rerr} {
			if d, ok := errors.AsType[*pagestore.DamageError](err); !ok || d.File != file {
				t.Errorf("%s: %v, want a DamageError of %s", name, err, file)
			}
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != content {
			t.Errorf("%s: the file was changed to %q (%v)", name, b, err)
		}
	}
}

// TestForgedCommit: the bytes of a page cannot pass for records. A page holds a whole log of another site, whose last
// commit would end the file if the crash came at the right moment.
func TestForgedCommit(t *testing.T) {
	other := t.TempDir()
	generations(t, other)
	forged, err := os.ReadFile(logFile(t, other))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := openWriter(t, pagestore.Config{Dir: dir})
	commit(t, w, pages{"/": "home"})
	b := w.Begin()
	filler := strings.Repeat("f", pagestore.BufferBytes) // so that the forged one is written
	for _, body := range []string{string(forged), filler, filler} {
		if _, err := b.Object([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	pagestore.Abandon(w)
	file := logFile(t, dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	end := strings.Index(string(whole), string(forged))
	if end < 0 {
		t.Fatal("the page was not written")
	}
	if err := os.Truncate(file, int64(end+len(forged))); err != nil {
		t.Fatal(err)
	}
	wantContents(t, openReader(t, dir).Current(), pages{"/": "home"})
	wantContents(t, openWriter(t, pagestore.Config{Dir: dir}).Current(), pages{"/": "home"})
}
