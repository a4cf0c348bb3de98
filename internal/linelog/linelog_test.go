package linelog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"freshet/internal/linelog"
)

type record struct {
	Name  string `json:"name"`
	Count int    `json:"count,omitempty"`
}

// TestLine reads back what was written, and nothing that was cut off or changed by a bit.
func TestLine(t *testing.T) {
	want := record{"नदी\n", 7}
	line, err := linelog.Append([]byte("before\n"), want)
	if err != nil {
		t.Fatal(err)
	}
	line, cut := bytes.CutPrefix(line, []byte("before\n"))
	if !cut || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("appended %q, want one line", line)
	}
	line = line[:len(line)-1]
	var got record
	if !linelog.Decode(line, &got) || got != want {
		t.Errorf("Decode(%q) = %+v, want %+v", line, got, want)
	}
	for n := range line {
		if linelog.Decode(line[:n], &got) {
			t.Errorf("Decode(%q): it is cut off", line[:n])
		}
		for bit := range 8 {
			spoiled := bytes.Clone(line)
			spoiled[n] ^= 1 << bit
			// Hexadecimal digits may be of either case.
			if linelog.Decode(spoiled, &got) && !bytes.EqualFold(spoiled, line) {
				t.Errorf("Decode(%q): it was %q", spoiled, line)
			}
		}
	}
}

// TestReplace replaces a file, and leaves it as it was where it cannot.
func TestReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	for _, text := range []string{"one\n", "two\n"} {
		f, err := linelog.Replace(name, []byte(text), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("more\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != text+"more\n" {
			t.Errorf("the file holds %q, %v; want %q and what was appended", got, err, text)
		}
	}
	busy := filepath.Join(filepath.Dir(name), "folder")
	if err := os.MkdirAll(filepath.Join(busy, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if f, err := linelog.Replace(busy, []byte("x"), 0o600); err == nil || f != nil {
		t.Errorf("Replace of a folder: %v, %v; want an error alone", f, err)
	}
	if _, err := os.Stat(busy + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("what could not be put in place is left behind: %v", err)
	}
}
