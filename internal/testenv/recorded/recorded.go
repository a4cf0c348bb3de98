// Package recorded keeps the numbers true that are raised by hand. Such a number names a form or a meaning of stored
// bytes: what was stored under another number is made again. A test that calls [Check] fails when the bytes of a table
// of inputs change and the number does not.
package recorded

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"freshet/internal/digest"
)

var update = flag.Bool("update", false, "record the results of this program in testdata")

// Update reports whether tests are to rewrite what they compare with.
func Update() bool { return *update }

// A Number is a constant that somebody raises when bytes change. File is its file, from the module's folder.
type Number struct{ File, Name string }

// An Output is what a program makes of an input. Input may be empty where the name alone says what it is.
type Output struct{ Input, Bytes []byte }

// mostNamed is how many differing outputs a failure names.
const mostNamed = 5

// Check compares outputs, by name, with the digests in testdata/<name>.digests. With -update it records them instead,
// unless the output for the same input has changed and the number has not.
func Check(t testing.TB, name string, n Number, outputs map[string]Output) {
	t.Helper()
	value, err := n.value()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".digests")
	was, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	now := record(n, value, outputs)
	if string(was) == now {
		return
	}
	raise, why := compare(string(was), now)
	switch {
	case raise:
		t.Errorf("other bytes come out for the same input, and %s is still %s:\n%s"+
			"raise %[1]s in %[4]s, then run this test with -update; if the change is a mistake, mend it", n.Name, value, why, n.File)
	case !*update:
		t.Errorf("%s is not up to date:\n%srun this test with -update", file, why)
	default:
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// record is the content of a file of digests: a comment, the number, and a line for each output.
func record(n Number, value string, outputs map[string]Output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Digests of outputs and their inputs, written by a test with -update.\n%s %s in %s\n", n.Name, value, n.File)
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := outputs[name]
		fmt.Fprintf(&b, "%s %s %q\n", digest.Bytes(o.Bytes), digest.Bytes(o.Input), name)
	}
	return b.String()
}

// compare reports whether an output has changed while the number has not, and what differs between two records. An output
// that only one of them has calls for no other number: its input was added or removed.
func compare(was, now string) (raise bool, why string) {
	read := func(text string) (number string, sums map[string]string) { // by digest and name of the input
		sums = map[string]string{}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			switch sum, name, _ := strings.Cut(line, " "); {
			case strings.HasPrefix(line, "#"):
			case number == "":
				number = line
			default:
				sums[name] = sum
			}
		}
		return number, sums
	}
	wasNumber, wasSums := read(was)
	nowNumber, nowSums := read(now)
	changed, lines := 0, []string(nil)
	for _, name := range slices.Sorted(maps.Keys(nowSums)) {
		if old, ok := wasSums[name]; ok && old != nowSums[name] {
			changed++
			lines = append(lines, "  changed: "+name)
		}
	}
	for name := range nowSums {
		if _, ok := wasSums[name]; !ok {
			lines = append(lines, "  added: "+name)
		}
	}
	for name := range wasSums {
		if _, ok := nowSums[name]; !ok {
			lines = append(lines, "  removed: "+name)
		}
	}
	slices.SortStableFunc(lines[changed:], strings.Compare)
	if more := len(lines) - mostNamed; more > 0 {
		lines = append(lines[:mostNamed], fmt.Sprintf("  and %d more", more))
	}
	if wasNumber != nowNumber {
		lines = append(lines, fmt.Sprintf("  recorded for %q, now it is %q", wasNumber, nowNumber))
	}
	return changed > 0 && wasNumber == nowNumber, strings.Join(lines, "\n") + "\n"
}

// value reads the constant, as its source has it.
func (n Number) value() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find %s: there is no go.mod above this folder", n.File)
		}
		dir = parent
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, filepath.FromSlash(n.File)), nil, 0)
	if err != nil {
		return "", err
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			s := s.(*ast.ValueSpec)
			for i, name := range s.Names {
				if name.Name != n.Name || i >= len(s.Values) {
					continue
				}
				if lit, ok := s.Values[i].(*ast.BasicLit); ok {
					return lit.Value, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s has no constant %s with a literal value", n.File, n.Name)
}
