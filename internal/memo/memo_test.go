package memo_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"freshet/internal/digest"
	"freshet/internal/memo"
)

func open(t testing.TB, path string, version digest.Sum) *memo.File {
	t.Helper()
	m, err := memo.Open(path, version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func closeMemo(t testing.TB, m *memo.File) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// value is what the tests keep for key: its length and bytes depend on the key alone.
func value(key int) []byte {
	r := rand.New(rand.NewPCG(uint64(key), 7))
	b := make([]byte, r.IntN(3000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func wantValues(t testing.TB, m *memo.File, from, to int) {
	t.Helper()
	for k := from; k < to; k++ {
		if got, ok := m.Get(digest.Sum(k)); !ok || !bytes.Equal(got, value(k)) {
			t.Fatalf("Get(%d) = %d bytes, %v, want the %d bytes that were put", k, len(got), ok, len(value(k)))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "memo")
	m := open(t, path, 1)
	if _, ok := m.Get(1); ok {
		t.Error("an empty memo has a value")
	}
	n := 0
	for range 12 { // sizes that make indexes of every kind: taken in and left alone
		for range 1 + n/3 {
			m.Put(digest.Sum(n), value(n))
			n++
		}
		wantValues(t, m, 0, n) // also what is only buffered
		if err := m.Flush(); err != nil {
			t.Fatal(err)
		}
		wantValues(t, m, 0, n)
		if n%2 == 0 {
			closeMemo(t, m)
			m = open(t, path, 1)
			wantValues(t, m, 0, n)
		}
	}
	m.Put(digest.Sum(3), []byte("newer"))
	closeMemo(t, m)
	m = open(t, path, 1)
	if got, _ := m.Get(3); string(got) != "newer" {
		t.Errorf("Get(3) = %q, want the value put last", got)
	}
	if m.Len() != n {
		t.Errorf("Len() = %d, want %d", m.Len(), n)
	}
}

func TestSameValueIsNotWrittenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	m := open(t, path, 1)
	for range 100 {
		m.Put(1, make([]byte, 1000))
		m.Put(2, nil)
	}
	closeMemo(t, m)
	if info, err := os.Stat(path); err != nil || info.Size() > 1300 {
		t.Errorf("the file has %d bytes, want one copy of each value (%v)", info.Size(), err)
	}
	m = open(t, path, 1)
	if got, ok := m.Get(2); !ok || len(got) != 0 {
		t.Errorf("Get(2) = %v, %v, want an empty value", got, ok)
	}
}

func TestVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	m := open(t, path, 1)
	m.Put(1, []byte("one"))
	closeMemo(t, m)

	m = open(t, path, 2)
	if _, ok := m.Get(1); ok {
		t.Error("a value of another version was found")
	}
	m.Put(2, []byte("two"))
	closeMemo(t, m)

	m = open(t, path, 2)
	if got, _ := m.Get(2); string(got) != "two" {
		t.Errorf("Get(2) = %q, want two", got)
	}
}

// TestDamage changes, cuts and lengthens the file at every byte: a memo opens every time, and every value it then
// has is the one that was put.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "memo")
	m := open(t, path, 1)
	for k := range 6 {
		m.Put(digest.Sum(k), fmt.Appendf(nil, "value %d", k))
		if k%2 == 1 {
			if err := m.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeMemo(t, m)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string]func(int) []byte{
		"flip": func(i int) []byte { b := bytes.Clone(whole); b[i] ^= 0x41; return b },
		"zero": func(i int) []byte { b := bytes.Clone(whole); clear(b[i:]); return b },
		"cut":  func(i int) []byte { return whole[:i] },
		"tail": func(i int) []byte { return append(bytes.Clone(whole), whole[:i]...) },
	}
	for name, damage := range damages {
		most := 0
		for i := range whole {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, damage(i), 0o644); err != nil {
				t.Fatal(err)
			}
			m := open(t, path, 1)
			found := 0
			for k := range 10 {
				if got, ok := m.Get(digest.Sum(k)); ok {
					found++
					if want := fmt.Sprintf("value %d", k); string(got) != want {
						t.Fatalf("%s at %d: Get(%d) = %q, want %q or nothing", name, i, k, got, want)
					}
				}
			}
			most = max(most, found)
			m.Put(100, []byte("after"))
			closeMemo(t, m)
			m = open(t, path, 1)
			if got, _ := m.Get(100); string(got) != "after" {
				t.Fatalf("%s at %d: a value put after the damage is lost", name, i)
			}
			closeMemo(t, m)
		}
		if most < 5 {
			t.Errorf("%s: at most %d of 6 values survived any damage: the test damages too much to mean anything", name, most)
		}
	}
}

// TestUnflushedEnd: a process that is killed has written some records and no index for them.
func TestUnflushedEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	m := open(t, path, 1)
	for k := range 2000 {
		m.Put(digest.Sum(k), value(k))
	}
	b, err := os.ReadFile(path) // as the kill leaves it: only full buffers are written
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "memo")
	if err := os.WriteFile(killed, b, 0o644); err != nil {
		t.Fatal(err)
	}
	n := open(t, killed, 1)
	if n.Len() < 500 {
		t.Fatalf("%d values after a kill, want what was written", n.Len())
	}
	wantValues(t, n, 0, n.Len())
	n.Put(digest.Sum(5000), value(5000))
	had := n.Len()
	closeMemo(t, n)
	n = open(t, killed, 1)
	if n.Len() != had {
		t.Errorf("%d values after reopening, want %d", n.Len(), had)
	}
	wantValues(t, n, 0, had-1)
	wantValues(t, n, 5000, 5001)
}

func TestTrim(t *testing.T) {
	tests := []struct {
		name       string
		used, left int // of 100 values
	}{
		{"most used", 80, 100},
		{"few used", 30, 30},
		{"none used", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "memo")
			m := open(t, path, 1)
			for k := range 100 {
				m.Put(digest.Sum(k), bytes.Repeat([]byte{byte(k)}, 1000))
			}
			closeMemo(t, m)
			before := size(t, path)

			m = open(t, path, 1)
			for k := range tt.used {
				m.Get(digest.Sum(99 - k))
			}
			if err := m.Trim(); err != nil {
				t.Fatal(err)
			}
			after := size(t, path)
			if err := m.Trim(); err != nil || size(t, path) != after {
				t.Errorf("a second Trim changed the file from %d to %d bytes (%v)", after, size(t, path), err)
			}
			if m.Len() != tt.left {
				t.Errorf("%d values after Trim, want %d", m.Len(), tt.left)
			}
			if tt.left < 100 && after > before*int64(tt.left+3)/100 {
				t.Errorf("Trim left %d of %d bytes, want about %d %%", after, before, tt.left)
			}
			m.Put(500, []byte("after"))
			closeMemo(t, m)
			m = open(t, path, 1)
			if m.Len() != tt.left+1 {
				t.Errorf("%d values after reopening, want %d", m.Len(), tt.left+1)
			}
			for k := range tt.used {
				if got, ok := m.Get(digest.Sum(99 - k)); !ok || len(got) != 1000 || got[0] != byte(99-k) {
					t.Errorf("Get(%d) = %d bytes, %v after Trim", 99-k, len(got), ok)
				}
			}
			if _, err := os.Stat(path + ".tmp"); err == nil {
				t.Error("Trim left its temporary file")
			}
		})
	}
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestSecondProcess: a memo that is open elsewhere can be read, and is not written by two.
func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	a := open(t, path, 1)
	a.Put(1, []byte("one"))
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, version := range []digest.Sum{1, 2} {
		b := open(t, path, version)
		if _, ok := b.Get(1); ok != (version == 1) {
			t.Errorf("version %d: Get(1) found %v", version, ok)
		}
		b.Put(2, []byte("two"))
		if _, ok := b.Get(2); ok {
			t.Errorf("version %d: the second keeps values", version)
		}
		for _, f := range []func() error{b.Flush, b.Trim, b.Close} {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	}
	closeMemo(t, a)
	a = open(t, path, 1)
	if got, _ := a.Get(1); string(got) != "one" || a.Len() != 1 {
		t.Errorf("Get(1) = %q of %d values, want one of 1", got, a.Len())
	}
}

func TestConcurrent(t *testing.T) {
	m := open(t, filepath.Join(t.TempDir(), "memo"), 1)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for k := range 1500 {
				if got, ok := m.Get(digest.Sum(k)); ok && !bytes.Equal(got, value(k)) {
					t.Errorf("Get(%d) has other bytes than were put", k)
				}
				m.Put(digest.Sum(k), value(k))
				switch k % (100 * (w + 1)) {
				case 50:
					if err := m.Flush(); err != nil {
						t.Error(err)
					}
				case 99:
					if err := m.Trim(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	wantValues(t, m, 0, 1500)
}

func TestAfterClose(t *testing.T) {
	m := open(t, filepath.Join(t.TempDir(), "memo"), 1)
	m.Put(1, []byte("one"))
	closeMemo(t, m)
	m.Put(2, []byte("two"))
	if _, ok := m.Get(1); ok {
		t.Error("a closed memo has values")
	}
	for _, f := range []func() error{m.Flush, m.Trim, m.Close} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzOpen: whatever the file holds, Open makes a memo of it that works, and no value comes out that does not have
// its checksum.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	m := open(f, path, 1)
	for k := range 4 {
		m.Put(digest.Sum(k), fmt.Appendf(nil, "value %d", k))
		if err := m.Flush(); err != nil {
			f.Fatal(err)
		}
	}
	closeMemo(f, m)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-30])
	f.Add(whole[:16])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "memo")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		m := open(t, path, 1)
		for k := range 4 {
			m.Get(digest.Sum(k))
		}
		m.Put(9, []byte("nine"))
		if err := m.Trim(); err != nil {
			t.Fatal(err)
		}
		closeMemo(t, m)
		m = open(t, path, 1)
		if got, _ := m.Get(9); string(got) != "nine" {
			t.Errorf("Get(9) = %q, want nine", got)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "memo")
	m := open(b, path, 1)
	v := make([]byte, 1000)
	for k := range 100_000 {
		m.Put(digest.Sum(k)*0x9e3779b97f4a7c15, v)
	}
	closeMemo(b, m)
	for b.Loop() {
		m, err := memo.Open(path, 1)
		if err != nil {
			b.Fatal(err)
		}
		if m.Len() != 100_000 {
			b.Fatal(m.Len())
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	m := open(b, filepath.Join(b.TempDir(), "memo"), 1)
	v := make([]byte, 10_000)
	for k := range 1000 {
		m.Put(digest.Sum(k), v)
	}
	if err := m.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		if _, ok := m.Get(digest.Sum(k % 1000)); !ok {
			b.Fatal("gone")
		}
		k++
	}
}

// TestIndexesAlongTheWay puts so many values that indexes are written before anybody asks for it.
func TestIndexesAlongTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memo")
	m := open(t, path, 1)
	const n = 20_000
	small := func(key int) []byte { return fmt.Append(nil, "value ", key) }
	for k := range n {
		m.Put(digest.Sum(k), small(k))
	}
	if got := open(t, path, 1).Len(); got < n/2 {
		t.Errorf("another process finds %d values, want at least %d", got, n/2)
	}
	closeMemo(t, m)
	m = open(t, path, 1)
	for k := range n {
		if got, ok := m.Get(digest.Sum(k)); !ok || !bytes.Equal(got, small(k)) {
			t.Fatalf("Get(%d) = %q, %v", k, got, ok)
		}
	}
}
