package extjson

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"freshet/internal/diag"
)

// maxDocumentBytes is the longest text of one document that is read. MongoDB stores 16 MB, which canonical Extended
// JSON may spell with three times as many.
const maxDocumentBytes = 64 << 20

// A Reader reads documents from a file: one a line, over several lines, or in an array.
type Reader struct {
	r     *bufio.Reader
	name  string
	line  int // of the next byte, from 1
	array bool
	begun bool
}

// NewReader returns a Reader of what mongoexport wrote. name is the file's name for messages.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 256<<10), name: name, line: 1}
}

// An Item is what a Reader found: a document, or what is wrong with something that is none.
type Item struct {
	Doc      Doc // nil: there is none
	Line     int // at which it begins
	Problems []diag.Problem
}

// Next returns what comes next, and io.EOF at the end. Any other error is one of reading.
func (r *Reader) Next() (Item, error) {
	for {
		c, err := r.byte()
		if err != nil {
			return Item{}, err
		}
		if !r.begun {
			if c == 0xef {
				if bom, err := r.r.Peek(2); err == nil && bom[0] == 0xbb && bom[1] == 0xbf {
					_, _ = r.r.Discard(2) // what was peeked at can be discarded
					continue
				}
			}
			if c == '[' {
				r.begun = true
				if r.startsArray() {
					r.array = true
					continue
				}
			}
		}
		switch c {
		case ' ', '\t', '\r', '\n', ',':
			continue
		case ']':
			if r.array {
				continue
			}
		}
		r.begun = true
		if c == '{' {
			return r.document()
		}
		return r.stray(c)
	}
}

// startsArray reports whether the bracket at the beginning of the file is that of a list of documents: what follows
// it is a document, the list's end, or the end of the line.
func (r *Reader) startsArray() bool {
	for n := 1; n <= 512; n++ {
		b, err := r.r.Peek(n)
		if len(b) < n {
			return err == nil || errors.Is(err, io.EOF)
		}
		switch b[n-1] {
		case ' ', '\t', '\r':
		case '{', '\n', ']':
			return true
		default:
			return false
		}
	}
	return false
}

func (r *Reader) byte() (byte, error) {
	c, err := r.r.ReadByte()
	if c == '\n' && err == nil {
		r.line++
	}
	return c, err
}

// document reads what follows an opening brace up to the one that closes it.
func (r *Reader) document() (Item, error) {
	line := r.line
	buf := append(make([]byte, 0, 4<<10), '{')
	depth, quoted := 1, false
	for depth > 0 {
		c, err := r.byte()
		if errors.Is(err, io.EOF) {
			return r.cutOff(line, buf), nil
		}
		if err != nil {
			return Item{}, err
		}
		if c == '\n' {
			// Text holds no raw end of line, and no document within another begins at the margin: the one before was
			// cut off.
			next, err := r.r.Peek(1)
			if quoted || err == nil && next[0] == '{' && !r.array {
				return r.cutOff(line, buf), nil
			}
		}
		if len(buf) >= maxDocumentBytes {
			return r.tooLong(line, buf)
		}
		buf = append(buf, c)
		switch {
		case quoted && c == '\\':
			if c, err = r.byte(); err == nil {
				buf = append(buf, c)
			}
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return r.parse(line, buf), nil
}

func (r *Reader) parse(line int, buf []byte) Item {
	it := Item{Line: line}
	if !utf8.Valid(buf) {
		off := 0
		for off < len(buf) {
			c, n := utf8.DecodeRune(buf[off:])
			if c == utf8.RuneError && n == 1 {
				break
			}
			off += n
		}
		it.Problems = append(it.Problems, r.problem(line, buf, off, diag.Warning, "",
			fmt.Sprintf("byte %d of the document (0x%02x) is not UTF-8 and is read as U+FFFD", off, buf[off]), "export it again as UTF-8"))
	}
	doc, twice, err := Parse(buf)
	if err != nil {
		e, ok := errors.AsType[*SyntaxError](err)
		if !ok {
			e = &SyntaxError{Message: err.Error()}
		}
		it.Problems = []diag.Problem{r.problem(line, buf, e.Offset, diag.Error, e.Field, e.Error(), e.Remedy)}
		return it
	}
	for _, field := range twice {
		it.Problems = append(it.Problems, r.problem(line, buf, 0, diag.Warning, field, fmt.Sprintf("the field %q stands here twice, the last counts", field), "keep one of them"))
	}
	it.Doc = doc
	return it
}

// cutOff reports a document that does not end.
func (r *Reader) cutOff(line int, buf []byte) Item {
	return Item{Line: line, Problems: []diag.Problem{r.problem(line, buf, 0, diag.Error, "", "the document that begins here is cut off", "export it again")}}
}

// tooLong skips a document that is longer than one can be.
func (r *Reader) tooLong(line int, buf []byte) (Item, error) {
	it := Item{Line: line, Problems: []diag.Problem{r.problem(line, buf, 0, diag.Error, "", fmt.Sprintf("the document that begins here has more than %d MB", maxDocumentBytes>>20),
		"MongoDB itself stores 16 MB; export it again")}}
	return it, r.skipLine()
}

func (r *Reader) skipLine() error {
	for {
		c, err := r.byte()
		if c == '\n' || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stray reports something that is no document, to the end of its line or, in an array, of its item.
func (r *Reader) stray(c byte) (Item, error) {
	line := r.line
	buf := []byte{c}
	depth, quoted := 0, c == '"'
	if c == '[' {
		depth = 1
	}
	for {
		c, err := r.r.Peek(1)
		if len(c) == 0 {
			if err != nil && !errors.Is(err, io.EOF) {
				return Item{}, err
			}
			break
		}
		if c[0] == '\n' || r.array && depth == 0 && !quoted && (c[0] == ',' || c[0] == ']') {
			break
		}
		switch {
		case c[0] == '"':
			quoted = !quoted
		case quoted:
		case c[0] == '[' || c[0] == '{':
			depth++
		case c[0] == ']' || c[0] == '}':
			depth--
		}
		if len(buf) < 4<<10 {
			buf = append(buf, c[0])
		}
		_, _ = r.byte() // it was peeked at
	}
	message := "this is no document"
	remedy := `a document stands in braces: {"title": …}`
	switch {
	case buf[0] == '[':
		message = "this is an array, not a document"
	case buf[0] == '"':
		message = "this is text, not a document"
	case bytes.HasPrefix(buf, []byte("<")):
		message, remedy = "this is no JSON", "import reads what mongoexport writes"
	}
	return Item{Line: line, Problems: []diag.Problem{r.problem(line, buf, 0, diag.Error, "", message, remedy)}}, nil
}

// problem makes a problem at an offset of a document that begins at a line.
func (r *Reader) problem(line int, buf []byte, off int, sev diag.Severity, field, message, remedy string) diag.Problem {
	off = max(min(off, len(buf)), 0)
	line += bytes.Count(buf[:off], []byte("\n"))
	start := bytes.LastIndexByte(buf[:off], '\n') + 1
	text, _, _ := bytes.Cut(buf[start:min(len(buf), start+400)], []byte("\n"))
	shown := []rune(strings.ToValidUTF8(string(text), "�"))
	if len(shown) > 160 {
		shown = append(shown[:160], '…')
	}
	return diag.Problem{Severity: sev, File: r.name, Line: line, Text: strings.TrimRight(string(shown), "\r"), Field: field, Message: message, Remedy: remedy}
}
