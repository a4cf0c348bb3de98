package cdn

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/linelog"
	"freshet/internal/site"
)

func line(t testing.TB, r *record) string {
	t.Helper()
	b, err := linelog.Append(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func purgeLine(t testing.TB, seq uint64, all []string, paths ...site.Path) string {
	p := &purgeRecord{Seq: seq, Generation: 10 * seq, At: int64(1000 * seq), All: all}
	if seq == 1 {
		p.New = []string{"c", "d"}
	}
	for _, path := range paths {
		p.Pages = append(p.Pages, Page{Path: path, Key: "blog:" + string(path)})
	}
	return line(t, &record{Purge: p})
}

func doneLine(t testing.TB, seq uint64, paths ...site.Path) string {
	return line(t, &record{Done: &doneRecord{CDN: "c", Seq: seq, Paths: paths}})
}

// waitingAt is what a CDN has still to do: paths with the purge that asks for them.
func waitingAt(l *ledger, name string) map[site.Path]uint64 {
	got := map[site.Path]uint64{}
	if a := l.CDNs[name]; a != nil {
		for path, p := range a.Pending {
			got[path] = p.Seq
		}
	}
	return got
}

func TestReadLedger(t *testing.T) {
	one, two := purgeLine(t, 1, nil, "/a", "/b"), purgeLine(t, 2, nil, "/a")
	for _, row := range []struct {
		name       string
		text       string
		torn       int // bytes at the end that are no part of it
		damaged    bool
		generation uint64
		want       map[site.Path]uint64 // of c
	}{
		{name: "nothing", text: "", want: map[site.Path]uint64{}},
		{name: "half a head", text: outboxHead[:9], torn: 9, want: map[site.Path]uint64{}},
		{name: "a head", text: outboxHead, want: map[site.Path]uint64{}},
		{name: "another file", text: "[core]\n\tbare = false\n", torn: 21, damaged: true, want: map[site.Path]uint64{}},
		{name: "a purge", text: outboxHead + one, generation: 10, want: map[site.Path]uint64{"/a": 1, "/b": 1}},
		{name: "a newer one", text: outboxHead + one + two, generation: 20, want: map[site.Path]uint64{"/a": 2, "/b": 1}},
		{name: "torn", text: outboxHead + one + two[:len(two)-1], torn: len(two) - 1, generation: 10, want: map[site.Path]uint64{"/a": 1, "/b": 1}},
		{name: "torn with zeros", text: outboxHead + one + strings.Repeat("\x00", 50) + "\n", torn: 51, generation: 10,
			want: map[site.Path]uint64{"/a": 1, "/b": 1}},
		{name: "damaged", text: outboxHead + strings.Replace(one, "/a", "/x", 1) + two, damaged: true, generation: 20, want: map[site.Path]uint64{}},
		{name: "done", text: outboxHead + one + doneLine(t, 1, "/a"), generation: 10, want: map[site.Path]uint64{"/b": 1}},
		{name: "done before a newer one", text: outboxHead + one + two + doneLine(t, 1, "/a"), generation: 20, want: map[site.Path]uint64{"/a": 2, "/b": 1}},
		{name: "everything", text: outboxHead + one + purgeLine(t, 2, []string{"c"}, "/z"), generation: 20, want: map[site.Path]uint64{"": 2}},
		{name: "everything, done", text: outboxHead + one + purgeLine(t, 2, []string{"c"}) + purgeLine(t, 3, nil, "/z") + doneLine(t, 2, ""),
			generation: 30, want: map[site.Path]uint64{"/z": 3}},
		{name: "done by nobody", text: outboxHead + line(t, &record{Done: &doneRecord{CDN: "x", Seq: 1, Paths: []site.Path{"/a"}}}) + one,
			generation: 10, want: map[site.Path]uint64{"/a": 1, "/b": 1}},
		{name: "dropped", text: outboxHead + one + line(t, &record{Drop: "c"}) + two, generation: 20, want: map[site.Path]uint64{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, whole, damaged := readLedger([]byte(row.text))
			if damaged != row.damaged || l.Generation != row.generation || len(row.text)-whole != row.torn {
				t.Errorf("readLedger: damaged %v, generation %d, %d torn bytes; want %v, %d, %d", damaged, l.Generation, len(row.text)-whole,
					row.damaged, row.generation, row.torn)
			}
			if diff := cmp.Diff(row.want, waitingAt(l, "c")); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOutboxCuts cuts an outbox at every byte: what was whole is there, and what is added then is whole too.
func TestOutboxCuts(t *testing.T) {
	lines := []string{outboxHead, purgeLine(t, 1, nil, "/a"), doneLine(t, 1, "/a"), purgeLine(t, 2, nil, "/b", "/c")}
	text := strings.Join(lines, "")
	dir := t.TempDir()
	name := filepath.Join(dir, outboxName)
	for cut := range len(text) + 1 {
		if err := os.WriteFile(name, []byte(text[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		want, _, _ := readLedger([]byte(text[:cut]))
		o, damaged, err := openOutbox(dir)
		if err != nil || damaged {
			t.Fatalf("cut at %d: damaged %v, error %v", cut, damaged, err)
		}
		if diff := cmp.Diff(waitingAt(want, "c"), waitingAt(o.ledger, "c")); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
		r := &record{Purge: &purgeRecord{Seq: 9, New: []string{"c"}, Pages: []Page{{Path: "/new"}}}}
		if err := o.append(r, true); err != nil {
			t.Fatal(err)
		}
		if err := o.close(); err != nil {
			t.Fatal(err)
		}
		again, _, err := openOutbox(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o.ledger, again.ledger); diff != "" {
			t.Fatalf("cut at %d, read again (-want +got):\n%s", cut, diff)
		}
		_ = again.close()
	}
}

// TestOutboxDamaged keeps a damaged outbox and begins another.
func TestOutboxDamaged(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, outboxName)
	text := outboxHead + "00000000 {}\n" + purgeLine(t, 1, nil, "/a")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o, damaged, err := openOutbox(dir)
	if err != nil || !damaged {
		t.Fatalf("openOutbox: damaged %v, error %v", damaged, err)
	}
	_ = o.close()
	if b, err := os.ReadFile(name + ".damaged"); err != nil || string(b) != text {
		t.Errorf("the damaged file is not kept: %v", err)
	}
	if _, damaged, err := openOutbox(dir); err != nil || damaged {
		t.Errorf("opened again: damaged %v, error %v", damaged, err)
	}
}

// TestOutboxStaysSmall writes much and finishes it.
func TestOutboxStaysSmall(t *testing.T) {
	dir := t.TempDir()
	o, _, err := openOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq < 400; seq++ {
		p := &purgeRecord{Seq: seq, Generation: seq, New: []string{"c"}}
		var paths []site.Path
		for i := range 100 {
			path := site.Path(fmt.Sprintf("/page-%d/", i))
			p.Pages, paths = append(p.Pages, Page{Path: path, Key: "blog:" + string(path), ETag: "0123456789abcdef"}), append(paths, path)
		}
		if err := o.append(&record{Purge: p}, false); err != nil {
			t.Fatal(err)
		}
		if err := o.append(&record{Done: &doneRecord{CDN: "c", Seq: seq, Paths: paths[1:]}}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, outboxName))
	if err != nil || info.Size() > compactBytes+100_000 {
		t.Errorf("the outbox has %d bytes (%v)", info.Size(), err)
	}
	again, _, err := openOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if got := waitingAt(again.ledger, "c"); len(got) != 1 || got["/page-0/"] != 399 || again.ledger.Generation != 399 {
		t.Errorf("still to do: %v, generation %d", got, again.ledger.Generation)
	}
}

// TestOutboxFullDisk makes the file anew after a write that failed.
func TestOutboxFullDisk(t *testing.T) {
	dir := t.TempDir()
	o, _, err := openOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := o.f
	if o.f, err = os.Open(o.name); err != nil { // cannot be written to
		t.Fatal(err)
	}
	if err := o.append(&record{Purge: &purgeRecord{Seq: 1, Generation: 1, New: []string{"c"}, Pages: []Page{{Path: "/a"}}}}, true); err == nil {
		t.Fatal("a purge was accepted that could not be written")
	}
	if err := o.append(&record{Purge: &purgeRecord{Seq: 2, Generation: 2, Pages: []Page{{Path: "/b"}}}}, true); err != nil {
		t.Fatal(err)
	}
	_, _ = f.Close(), o.close()
	again, _, err := openOutbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if diff := cmp.Diff(map[site.Path]uint64{"/a": 1, "/b": 2}, waitingAt(again.ledger, "c")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzReadLedger reads anything, and what it has read can be written and read again.
func FuzzReadLedger(f *testing.F) {
	text := outboxHead + purgeLine(f, 1, nil, "/a", "/b") + doneLine(f, 1, "/a") + purgeLine(f, 2, []string{"d"}, "/z") + line(f, &record{Drop: "c"})
	f.Add([]byte(text), false)
	f.Add([]byte(text[:len(text)-7]), false)
	f.Add([]byte(`{"snapshot":{"cdns":{"c":null,"d":{"pending":null}}}}`), true)
	f.Add([]byte(`{"purge":{"seq":1,"new":["c"],"all":["c","x"],"pages":[{"path":""},{"path":"/a"}]}}`), true)
	f.Add([]byte(`{"done":{"cdn":"c","seq":18446744073709551615,"paths":["","/a"]}}`), true)
	f.Add([]byte("null"), true)
	f.Fuzz(func(t *testing.T, text []byte, sign bool) {
		if sign { // a line that has its checksum, whatever it says
			signed, err := linelog.Append([]byte(outboxHead+purgeLine(t, 1, nil, "/a")), json.RawMessage(text))
			if err != nil {
				return
			}
			text = signed
		}
		l, whole, damaged := readLedger(text)
		if whole < 0 || whole > len(text) {
			t.Fatalf("%d whole bytes of %d", whole, len(text))
		}
		again, n, d := readLedger(text[:whole])
		if n != whole || d != damaged && whole > 0 {
			t.Fatalf("read again: %d whole bytes, damaged %v; want %d, %v", n, d, whole, damaged)
		}
		if diff := cmp.Diff(l, again); diff != "" {
			t.Fatalf("read again (-want +got):\n%s", diff)
		}
		copied, _, damaged := readLedger([]byte(outboxHead + line(t, &record{Snapshot: l})))
		if damaged {
			t.Fatal("a snapshot of it is damaged")
		}
		for name := range l.CDNs {
			if diff := cmp.Diff(waitingAt(l, name), waitingAt(copied, name)); diff != "" {
				t.Fatalf("snapshot (-want +got):\n%s", diff)
			}
		}
		for _, a := range l.CDNs {
			newLane(&Purger{log: discard}, CDN{api: &template{}}, a)
		}
	})
}
