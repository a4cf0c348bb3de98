package recorded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = 7 // a number that is raised by hand

var number = Number{File: "internal/testenv/recorded/recorded_test.go", Name: "sample"}

func TestCompare(t *testing.T) {
	of := func(value string, outputs map[string]string) string {
		out := map[string]Output{}
		for name, text := range outputs {
			in, text, _ := strings.Cut(text, ">")
			out[name] = Output{[]byte(in), []byte(text)}
		}
		return record(number, value, out)
	}
	was := of("7", map[string]string{"a": "in>1", "b": "in>2"})
	for _, tt := range []struct {
		name, was, now string
		raise          bool
		why            string
	}{
		{"changed", was, of("7", map[string]string{"a": "in>1", "b": "in>3"}), true, `"b"`},
		{"changed and raised", was, of("8", map[string]string{"a": "in>1", "b": "in>3"}), false, `recorded for "sample 7 in`},
		{"added", was, of("7", map[string]string{"a": "in>1", "b": "in>2", "c": "in>3"}), false, `"c"`},
		{"input edited", was, of("7", map[string]string{"a": "in>1", "b": "other>3"}), false, `"b"`},
		{"removed", was, of("7", map[string]string{"a": "in>1"}), false, `"b"`},
		{"raised alone", was, of("8", map[string]string{"a": "in>1", "b": "in>2"}), false, `recorded for`},
		{"nothing is recorded", "", was, false, `"a"`},
	} {
		raise, why := compare(tt.was, tt.now)
		if raise != tt.raise || !strings.Contains(why, tt.why) {
			t.Errorf("%s: compare = %v, %q, want %v and %q", tt.name, raise, why, tt.raise, tt.why)
		}
	}
}

func TestNumber(t *testing.T) {
	if v, err := number.value(); v != fmt.Sprint(sample) || err != nil {
		t.Errorf("value = %q, %v, want %d", v, err, sample)
	}
	if v, err := (Number{File: number.File, Name: "absent"}).value(); err == nil {
		t.Errorf("value of an absent constant = %q, want an error", v)
	}
}

// A failing is a test that notes how it failed.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper()                           {}
func (f *failing) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

// TestCheck records outputs, changes one, and raises nothing.
func TestCheck(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module x\n")
	write(t, root, "form.go", "package x\n\nconst form = 1\n")
	t.Chdir(root)
	n := Number{File: "form.go", Name: "form"}
	check := func(updating bool, text string) string {
		old := *update
		*update = updating
		defer func() { *update = old }()
		f := &failing{TB: t}
		Check(f, "forms", n, map[string]Output{"a": {Bytes: []byte(text)}})
		return f.said
	}
	for _, step := range []struct {
		value    string
		updating bool
		text     string
		want     string // empty: the test passes
	}{
		{"1", false, "x", "run this test with -update"},
		{"1", true, "x", ""},
		{"1", false, "x", ""},
		{"1", false, "y", "raise form in form.go"},
		{"1", true, "y", "raise form in form.go"},
		{"2", false, "y", "run this test with -update"},
		{"2", true, "y", ""},
		{"2", false, "y", ""},
	} {
		write(t, root, "form.go", "package x\n\nconst form = "+step.value+"\n")
		if said := check(step.updating, step.text); (said == "") != (step.want == "") || !strings.Contains(said, step.want) {
			t.Errorf("form %s, update %v, output %q: %q, want %q", step.value, step.updating, step.text, said, step.want)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
