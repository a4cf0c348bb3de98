// Package diag holds what authors are told about their content, settings and templates: a Problem says where
// something is wrong, shows the line, and says what to do about it.
//
// All problems of one run are gathered and reported together, sorted by place, so that one mistake never hides
// another and two runs over the same input print the same text.
package diag

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity tells what a problem did to the outcome.
type Severity string

const (
	// Note: nothing is wrong, but the author can do it better.
	Note Severity = "note"
	// Warning: the document was built, repaired where needed.
	Warning Severity = "warning"
	// Error: the document was left out; the run ends with exit status 1.
	Error Severity = "error"
)

// Clip shortens what a message shows of a value, to so many characters and a mark.
func Clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "…"
	}
	return s
}

// A Problem is one thing its author can mend.
type Problem struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`            // as the author knows it, slash-separated
	Line     int      `json:"line,omitempty"`  // from 1; 0: the whole file
	Col      int      `json:"col,omitempty"`   // in characters, from 1; 0: the whole line
	Text     string   `json:"text,omitempty"`  // the line itself
	ID       string   `json:"id,omitempty"`    // the document concerned, when it is not the file
	Field    string   `json:"field,omitempty"` // the field concerned, when there is one
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy,omitempty"`
	Kind     string   `json:"-"` // of which a report names only the first few: see Condense; empty: each is named
}

// Condense keeps of each kind of problem the first few, and says in one more how many there are of it. ps are sorted.
func Condense(ps []Problem, most int) []Problem {
	seen := map[string]int{}
	for _, p := range ps {
		seen[p.Kind]++
	}
	out := ps[:0:0]
	told := map[string]int{}
	for _, p := range ps {
		if told[p.Kind]++; p.Kind == "" || told[p.Kind] <= most {
			out = append(out, p)
			continue
		}
		if told[p.Kind] == most+1 {
			out = append(out, Problem{Severity: p.Severity, File: p.File, Line: p.Line, Message: fmt.Sprintf("%s, and %d more like it", p.Message, seen[p.Kind]-most-1),
				Remedy: "mend those above; the next build names others"})
			if seen[p.Kind] == most+1 {
				out[len(out)-1] = p
			}
		}
	}
	return out
}

// Error is the problem's first line: place, message and remedy. It makes a *Problem an error.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Col > 0 {
				fmt.Fprintf(&b, ":%d", p.Col)
			}
		}
		b.WriteString(": ")
	}
	if p.Line == 0 && p.ID != "" && p.Field != "" { // a document of a database: the field is its place
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		fmt.Fprintf(&b, " (%s)", p.Remedy)
	}
	return b.String()
}

// Sort orders problems by file, line, column and message.
func Sort(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Message, b.Message))
	})
}

// ClipLine cuts the text of a line that is too long to be shown.
func ClipLine(s string) string {
	if len(s) <= 200 {
		return s
	}
	cut := 200
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// Count counts things: 1 page, 2 pages.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Printable keeps text that others wrote from moving a terminal's cursor, and from showing as another text: what is
// not to be seen is a question mark.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return '?'
		}
		return r
	}, s)
}

// Print writes each problem as its severity and first line, then the source line with a mark under the column.
func Print(w io.Writer, ps []Problem) {
	for i := range ps {
		p := &ps[i]
		fmt.Fprintf(w, "%s: %s\n", p.Severity, Printable(p.Error()))
		if p.Text == "" {
			continue
		}
		text := Clip(strings.ReplaceAll(strings.TrimRight(p.Text, "\r\n"), "\t", " "), 160)
		fmt.Fprintf(w, "    %s\n", Printable(text))
		if p.Col > 0 && p.Col <= len([]rune(text)) {
			fmt.Fprintf(w, "    %s^\n", strings.Repeat(" ", p.Col-1))
		}
	}
}

// Nearest returns the candidate that name most likely stands for, or "" when none is near: at most two edits away
// and less than half the name.
func Nearest(name string, candidates []string) string {
	best, bestDist := "", 3
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c), bestDist); d < bestDist && 2*d < len(name) {
			best, bestDist = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance (insert, delete, replace, swap neighbours), cut off at limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
