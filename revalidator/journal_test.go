package revalidator_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"freshet/revalidator"
)

// A run is a revalidator over a state folder, outside of a bubble.
type run struct {
	*revalidator.Revalidator
	stop func()
}

// open starts a revalidator and waits until it accepts.
func open(t *testing.T, cfg revalidator.Config) *run {
	t.Helper()
	if cfg.Build == nil {
		cfg.Build = func(context.Context, revalidator.Change) (revalidator.Result, error) {
			return revalidator.Result{}, nil
		}
	}
	r, err := revalidator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	for end := time.Now().Add(10 * time.Second); ; {
		select {
		case err := <-done:
			done <- nil
			t.Fatalf("Run: %v", err)
		default:
		}
		_, _, err := r.Accept(ctx, revalidator.Offer{})
		if err != nil && strings.Contains(err.Error(), "names nothing") && r.Running() {
			return &run{r, stop}
		}
		if time.Now().After(end) {
			t.Fatal("the revalidator does not begin")
		}
		time.Sleep(time.Millisecond)
	}
}

func offer(name string) revalidator.Offer {
	return revalidator.Offer{Origin: "test", Event: "event of " + name, Request: revalidator.Request{Docs: []revalidator.Doc{{Given: name}}}}
}

func accept(t *testing.T, r *run, o revalidator.Offer) revalidator.Job {
	t.Helper()
	j, _, err := r.Accept(t.Context(), o)
	if err != nil {
		t.Fatalf("Accept(%v): %v", o, err)
	}
	return j
}

func await(t *testing.T, r *run, id string, want revalidator.State) revalidator.Job {
	t.Helper()
	j, err := r.Look(t.Context(), id, 10*time.Second)
	if err != nil || j.State != want {
		t.Fatalf("job %s is %+v, %v; want it %s", id, j, err, want)
	}
	return j
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestJournalCutAnywhere cuts a journal after every byte: what was accepted while the file was that long is there.
func TestJournalCutAnywhere(t *testing.T) {
	state := t.TempDir()
	r := open(t, revalidator.Config{State: state, Build: func(ctx context.Context, _ revalidator.Change) (revalidator.Result, error) {
		<-ctx.Done() // nothing is ever built
		return revalidator.Result{}, ctx.Err()
	}})
	name := filepath.Join(state, revalidator.JournalName)
	var ids []string
	var sizes []int
	for i := range 10 {
		ids = append(ids, accept(t, r, offer(fmt.Sprint("blog:नदी-", i))).ID)
		sizes = append(sizes, len(read(t, name)))
	}
	r.stop()
	data := read(t, name)
	for n := range len(data) + 1 {
		whole := 0
		for whole < len(sizes) && sizes[whole] <= n {
			whole++
		}
		got, _, damaged := revalidator.JobsIn(data[:n])
		if !slices.Equal(got, ids[:whole]) || damaged > 0 {
			t.Fatalf("cut after %d bytes the journal holds %q and %d damaged lines, want %q", n, got, damaged, ids[:whole])
		}
		torn := append(bytes.Clone(data[:n]), "\x00\x00garbage\n\xff"...)
		if got, _, _ := revalidator.JobsIn(torn); !slices.Equal(got, ids[:whole]) {
			t.Fatalf("with a torn end after %d bytes the journal holds %q, want %q", n, got, ids[:whole])
		}
	}
	// A line in the middle that something has spoiled is told and costs no other.
	spoiled := bytes.Clone(data)
	spoiled[sizes[3]+20] ^= 1
	if got, _, damaged := revalidator.JobsIn(spoiled); damaged != 1 || !slices.Equal(got, slices.Delete(slices.Clone(ids), 4, 5)) {
		t.Errorf("with line 4 spoiled the journal holds %q and %d damaged lines", got, damaged)
	}
}

// TestCrashPoints copies the state folder between the steps of a job's life, which is what a kill leaves, and starts from
// every copy: each job is built, and one that was known to be done is still known.
func TestCrashPoints(t *testing.T) {
	type point struct {
		name  string
		files map[string][]byte
	}
	var points []point
	var accepted []string
	state := t.TempDir()
	snap := func(name string) {
		p := point{name: name, files: map[string][]byte{}}
		for _, f := range []string{revalidator.JournalName, revalidator.JournalName + ".tmp"} {
			if b, err := os.ReadFile(filepath.Join(state, f)); err == nil {
				p.files[f] = b
			}
		}
		points = append(points, p)
	}
	var fail atomic.Bool
	r := open(t, revalidator.Config{State: state, MaxTries: 1, Unavailable: func(error) bool { return false },
		Build: func(_ context.Context, c revalidator.Change) (revalidator.Result, error) {
			if len(c.Documents) > 0 {
				snap("during the build of " + strings.Join(c.Documents, ", "))
				if fail.Load() {
					return revalidator.Result{}, errors.New("mistake")
				}
			}
			return revalidator.Result{Generation: 7, Pages: []revalidator.PageChange{{Path: "/blog/a/", Outcome: "changed"}}}, nil
		}})
	snap("empty")
	a := accept(t, r, offer("blog:a"))
	accepted = append(accepted, a.ID)
	a = await(t, r, a.ID, revalidator.Done)
	snap("a done")
	fail.Store(true)
	b := accept(t, r, offer("blog:b"))
	accepted = append(accepted, b.ID)
	await(t, r, b.ID, revalidator.Parked)
	snap("b parked")
	if err := r.Compact(); err != nil {
		t.Fatal(err)
	}
	snap("rewritten")
	half := points[len(points)-2]
	whole := points[len(points)-1].files[revalidator.JournalName]
	points = append(points,
		point{"during the rewriting", map[string][]byte{revalidator.JournalName: half.files[revalidator.JournalName], revalidator.JournalName + ".tmp": whole[:len(whole)/2]}},
		point{"before the renaming", map[string][]byte{revalidator.JournalName: half.files[revalidator.JournalName], revalidator.JournalName + ".tmp": whole}},
		point{"file made, nothing written", map[string][]byte{revalidator.JournalName: nil}})
	r.stop()

	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			state := t.TempDir()
			for name, data := range p.files {
				write(t, filepath.Join(state, name), data)
			}
			here, _, _ := revalidator.JobsIn(p.files[revalidator.JournalName])
			r := open(t, revalidator.Config{State: state})
			for _, id := range accepted {
				if !slices.Contains(here, id) {
					continue
				}
				j := await(t, r, id, revalidator.Done)
				if j.Accepted.IsZero() || j.Event == "" || len(j.Request.Docs) != 1 {
					t.Errorf("job %+v has lost what it is about", j)
				}
				if id == a.ID && slices.Contains([]string{"a done", "b parked", "rewritten", "during the rewriting"}, p.name) &&
					(j.Generation != 7 || len(j.Pages) != 1 || !j.Ended.Equal(*a.Ended)) {
					t.Errorf("job %+v, want it as it ended: %+v", j, a)
				}
			}
			next := accept(t, r, offer("blog:c"))
			await(t, r, next.ID, revalidator.Done)
			r.stop()
			ids, _, damaged := revalidator.JobsIn(read(t, filepath.Join(state, revalidator.JournalName)))
			if damaged > 0 || !slices.Contains(ids, next.ID) {
				t.Errorf("the journal holds %q and %d damaged lines", ids, damaged)
			}
		})
	}
}

// TestKill kills a process that accepts jobs, many times, and checks after each that all it had told of are known. Its
// journal is rewritten again and again meanwhile.
func TestKill(t *testing.T) {
	if state := os.Getenv("FRESHET_TEST_KILL"); state != "" {
		acceptForever(t, state)
		return
	}
	state := t.TempDir()
	told := map[string]bool{}
	for round := range 15 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "FRESHET_TEST_KILL="+state)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed := make(chan struct{})
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if id, ok := strings.CutPrefix(lines.Text(), "job "); ok {
				told[id] = true
			}
			if n == 0 {
				go func() {
					defer close(killed)
					time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
					_ = cmd.Process.Kill() // it runs: it has no end of its own
				}()
			}
		}
		_ = cmd.Wait() // it was killed
		<-killed
		ids, _, damaged := revalidator.JobsIn(read(t, filepath.Join(state, revalidator.JournalName)))
		for id := range told {
			if !slices.Contains(ids, id) {
				t.Fatalf("after kill %d the journal does not know job %s, which was accepted", round, id)
			}
		}
		if damaged > 0 {
			t.Fatalf("after kill %d the journal has %d damaged lines", round, damaged)
		}
	}
	t.Logf("%d jobs", len(told))
	if len(told) < 15 {
		t.Errorf("%d jobs in all, want more", len(told))
	}
}

func acceptForever(t *testing.T, state string) {
	r := open(t, revalidator.Config{State: state})
	for i := 0; ; i++ {
		var g sync.WaitGroup
		for range 4 {
			g.Go(func() {
				j, _, err := r.Accept(t.Context(), offer("blog:a"))
				if err != nil {
					t.Error(err)
					return
				}
				os.Stdout.WriteString("job " + j.ID + "\n")
			})
		}
		g.Wait()
		if i%5 == 4 {
			if err := r.Compact(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A disk is the file of a journal that knows which of its bytes a power cut would leave.
type disk struct {
	revalidator.JournalFile
	sync func() error // while it runs nothing more becomes safe

	mu    sync.Mutex // protects what follows
	bytes []byte
	safe  int
	syncs int
}

func (d *disk) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes = append(d.bytes, b...)
	return d.JournalFile.Write(b)
}

func (d *disk) Sync() error {
	d.mu.Lock()
	upTo := len(d.bytes) // what is written during a sync may be on the disk after it, or not
	d.syncs++
	d.mu.Unlock()
	if err := d.sync(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.safe = max(d.safe, upTo)
	return nil
}

// has reports whether a job is on the disk.
func (d *disk) has(j revalidator.Job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return j.ID != "" && bytes.Contains(d.bytes[:d.safe], []byte(j.ID))
}

// TestAcceptedIsSynced has nobody told that a job is accepted before a sync that began after the job was written has
// ended; jobs that are written during a sync share the next; and a job whose sync fails is not accepted, is not built,
// and may be sent again.
func TestAcceptedIsSynced(t *testing.T) {
	// begin starts a revalidator on a disk, in a bubble.
	begin := func(t *testing.T, sync func() error) (*revalidator.Revalidator, *disk, func() []revalidator.Change) {
		r, built := start(t, revalidator.Config{State: t.TempDir()}, succeed)
		time.Sleep(time.Second)
		built()
		d := &disk{sync: sync}
		r.WrapJournal(func(f revalidator.JournalFile) revalidator.JournalFile {
			d.JournalFile = f
			return d
		})
		return r, d, built
	}
	t.Run("in order", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{}, 3)
			r, d, built := begin(t, func() error { <-release; return nil })
			var accepted atomic.Int64
			accept := func(n int) {
				go func() {
					j, _, err := r.Accept(t.Context(), offer(fmt.Sprint("blog:", n)))
					if err != nil || !d.has(j) {
						t.Errorf("Accept returns job %q, %v, which the disk does not have", j.ID, err)
					}
					accepted.Add(1)
				}()
				synctest.Wait()
			}
			for n := range 20 {
				accept(n)
			}
			time.Sleep(time.Minute)
			if got := built(); accepted.Load() != 0 || len(got) > 0 || r.Status().Waiting > 0 || d.syncs != 1 {
				t.Fatalf("before a sync has ended %d jobs of 20 are accepted, built %v, %d syncs", accepted.Load(), got, d.syncs)
			}
			release <- struct{}{}
			if synctest.Wait(); accepted.Load() != 1 || d.syncs != 2 {
				t.Errorf("after a sync that began when one job was written %d are accepted, %d syncs", accepted.Load(), d.syncs)
			}
			accept(20)
			release <- struct{}{}
			if synctest.Wait(); accepted.Load() != 20 || d.syncs != 3 {
				t.Errorf("after the second sync %d jobs are accepted and %d syncs began, want 20, and one more for the last", accepted.Load(), d.syncs)
			}
			release <- struct{}{}
			time.Sleep(time.Second)
			if got := built(); accepted.Load() != 21 || len(got) == 0 || d.syncs != 3 {
				t.Errorf("%d jobs accepted with %d syncs, built %v", accepted.Load(), d.syncs, got)
			}
		})
	})
	t.Run("many at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, d, _ := begin(t, func() error { time.Sleep(time.Duration(rand.IntN(8)) * time.Millisecond); return nil })
			var g sync.WaitGroup
			for n := range 500 {
				g.Go(func() {
					time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
					j, _, err := r.Accept(t.Context(), offer(fmt.Sprint("blog:", n)))
					if err != nil || !d.has(j) {
						t.Errorf("Accept returns job %q, %v, which the disk does not have", j.ID, err)
					}
				})
			}
			g.Wait()
			if d.syncs > 120 {
				t.Errorf("%d syncs for 500 jobs in 100 ms, want them shared", d.syncs)
			}
		})
	})
	t.Run("failing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			full := errors.New("the disk is full")
			release := make(chan struct{})
			r, d, built := begin(t, func() error { <-release; return full })
			o := offer("blog:a")
			o.EventKey, o.DeliveryKey = "event", "delivery"
			var failed atomic.Int64
			for n := range 5 {
				go func() {
					o := o
					if n > 0 {
						o = offer(fmt.Sprint("blog:", n))
					}
					if j, _, err := r.Accept(t.Context(), o); !errors.Is(err, full) || j.ID != "" {
						t.Errorf("Accept whose sync fails: %+v, %v", j, err)
					}
					failed.Add(1)
				}()
			}
			synctest.Wait()
			close(release)
			time.Sleep(time.Second)
			if got := built(); failed.Load() != 5 || len(got) > 0 || d.syncs != 1 {
				t.Errorf("%d of 5 jobs failed with %d syncs, built %v; what a failed sync has dropped no other brings back", failed.Load(), d.syncs, got)
			}
			// The journal is written anew meanwhile, on a disk that works.
			j, repeat, err := r.Accept(t.Context(), o)
			if err != nil || repeat != revalidator.Fresh {
				t.Errorf("sent again: %+v, %v, %v", j, repeat, err)
			}
			time.Sleep(time.Second)
			if got := built(); len(got) != 1 || !slices.Equal(got[0].Documents, []string{"blog:a"}) {
				t.Errorf("built %v, want what was accepted", got)
			}
		})
	})
}

// TestForeignJournal puts a file aside that is no journal, says so, and goes on; a newer one is left alone.
func TestForeignJournal(t *testing.T) {
	state := t.TempDir()
	name := filepath.Join(state, revalidator.JournalName)
	write(t, name, []byte("something else\n"))
	var log bytes.Buffer
	r := open(t, revalidator.Config{State: state, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	await(t, r, accept(t, r, offer("blog:a")).ID, revalidator.Done)
	r.stop()
	if got := string(read(t, name+".damaged")); got != "something else\n" || !strings.Contains(log.String(), "lines of the journal are damaged") {
		t.Errorf("put aside %q and logged %q", got, log.String())
	}
	text := `{"type":"journal","version":2}`
	write(t, name, fmt.Appendf(nil, "%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text))
	newer, err := revalidator.New(revalidator.Config{State: state,
		Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
			return revalidator.Result{}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "has version 2") {
		t.Errorf("Run over a newer journal: %v", err)
	}
	if _, _, err := newer.Accept(t.Context(), offer("blog:a")); !errors.Is(err, revalidator.ErrStopped) {
		t.Errorf("Accept without a journal: %v, want ErrStopped", err)
	}
}

// TestRepeats accepts an event once, however often and however concurrently it is delivered, also after a restart.
func TestRepeats(t *testing.T) {
	state := t.TempDir()
	r := open(t, revalidator.Config{State: state})
	o := offer("blog:a")
	o.EventKey, o.DeliveryKey = "event", "delivery 1"
	var mu sync.Mutex
	ids, fresh := map[string]bool{}, 0
	var g sync.WaitGroup
	for range 50 {
		g.Go(func() {
			j, repeat, err := r.Accept(t.Context(), o)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[j.ID] = true
			if repeat == revalidator.Fresh {
				fresh++
			} else if repeat != revalidator.Replayed {
				t.Errorf("the same delivery again is repeat %d, want a replay", repeat)
			}
		})
	}
	g.Wait()
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("50 deliveries at once made jobs %v, %d of them fresh", ids, fresh)
	}
	o.DeliveryKey = "delivery 2"
	if j, repeat, err := r.Accept(t.Context(), o); err != nil || !ids[j.ID] || repeat != revalidator.Repeated {
		t.Errorf("another delivery of the event: %v, %d, %v", j, repeat, err)
	}
	if err := r.Compact(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = open(t, revalidator.Config{State: state})
	if j, repeat, err := r.Accept(t.Context(), o); err != nil || !ids[j.ID] || repeat != revalidator.Repeated {
		t.Errorf("after a restart: %v, %d, %v", j, repeat, err)
	}
	o.EventKey, o.DeliveryKey = "", ""
	if _, repeat, err := r.Accept(t.Context(), o); err != nil || repeat != revalidator.Fresh {
		t.Errorf("without keys: %d, %v, want it fresh", repeat, err)
	}
}

// BenchmarkAccept measures one durable acceptance, and many at once.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			r, err := revalidator.New(revalidator.Config{State: b.TempDir(),
				Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
					return revalidator.Result{}, nil
				}})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- r.Run(ctx) }()
			for !r.Running() {
				time.Sleep(time.Millisecond)
			}
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := r.Accept(ctx, offer("blog:a")); err != nil && !errors.Is(err, revalidator.ErrBusy) {
						b.Error(err)
					}
				}
			})
			b.StopTimer()
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}
