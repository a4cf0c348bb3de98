// Command report turns the events of go test -json into what a person wants to read: one line a package, the whole
// output of what failed, and at the end every skipped test with its reason.
//
//	go test -json ./... | go run ./internal/testenv/report
//
// It exits 1 when anything failed, did not build, or when no test ran at all.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := report(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// An event is one line of go test -json; see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output, FailedBuild string
}

type skip struct{ test, reason string }

func report(r io.Reader, w io.Writer) error {
	output := map[string]*strings.Builder{} // of tests that have not ended, by package and name
	var skips []skip
	var passed, failed int
	in := bufio.NewScanner(r)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Fprintln(w, in.Text()) // go itself, complaining
			continue
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "build-output":
			fmt.Fprint(w, e.Output)
		case e.Action == "output" && e.Test == "":
			// "PASS" and the coverage lines say nothing that the package's closing line does not.
			if e.Output != "PASS\n" {
				fmt.Fprint(w, e.Output)
			}
		case e.Action == "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case e.Test == "" && e.Action == "fail":
			failed++ // a package: counted so that one that did not build is not forgotten
		case e.Test == "":
		case e.Action == "pass":
			passed++
			delete(output, key)
		case e.Action == "fail":
			failed++
			if out := output[key]; out != nil {
				fmt.Fprint(w, out)
			}
			delete(output, key)
		case e.Action == "skip":
			if out := output[key]; out != nil {
				skips = append(skips, skip{strings.TrimPrefix(e.Package, "freshet/") + " " + e.Test, reason(out.String())})
			}
			delete(output, key)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read test events: %w", err)
	}
	if len(skips) > 0 {
		fmt.Fprintf(w, "\nskipped:\n")
		for _, s := range skips {
			fmt.Fprintf(w, "  %s: %s\n", s.test, s.reason)
		}
	}
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", passed, failed, len(skips))
	switch {
	case failed > 0:
		return fmt.Errorf("%d tests or packages failed", failed)
	case passed == 0:
		return fmt.Errorf("no test ran")
	}
	return nil
}

// reason is what a skipped test printed, less the frame that go test puts around it.
func reason(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// file_test.go:12: reason
		if place, text, ok := strings.Cut(line, ": "); ok && strings.Contains(place, ".go:") {
			line = text
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return "no reason given"
	}
	return strings.Join(lines, " ")
}
