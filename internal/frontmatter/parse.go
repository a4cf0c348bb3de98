package frontmatter

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"freshet/internal/diag"
)

// MaxBytes is the largest Markdown file that is read.
const MaxBytes = 5 << 20

// Parse checks a Markdown file's bytes and cuts the front matter off.
func Parse(data []byte) (Parts, *diag.Problem) {
	if len(data) > MaxBytes {
		return Parts{}, &diag.Problem{Severity: diag.Error, Message: fmt.Sprintf("the file has %d MB or more, too much for a page", MaxBytes>>20),
			Remedy: "part it, or put large data into files of their own"}
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return Parts{}, &diag.Problem{Severity: diag.Error, Line: 1, Col: 1, Message: "the file is UTF-16, not UTF-8", Remedy: "save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		off := 0
		for off < len(data) {
			r, n := utf8.DecodeRune(data[off:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			off += n
		}
		start := bytes.LastIndexByte(data[:off], '\n') + 1
		line, _ := cutLine(data[start:])
		return Parts{}, &diag.Problem{Severity: diag.Error, Line: bytes.Count(data[:off], []byte("\n")) + 1, Col: utf8.RuneCount(data[start:off]) + 1,
			Text: diag.ClipLine(strings.ToValidUTF8(string(bytes.TrimRight(line, "\r\n")), "�")), Message: fmt.Sprintf("byte %d (0x%02x) is not UTF-8", off, data[off]),
			Remedy: "save the file as UTF-8"}
	}
	if bytes.IndexByte(data, '\n') < 0 {
		data = bytes.ReplaceAll(data, []byte{'\r'}, []byte{'\n'}) // lines as they ended on old Macs
	}
	p, prob := split(data)
	if prob != nil {
		rest := data
		for range prob.Line - 1 {
			_, rest = cutLine(rest)
		}
		line, _ := cutLine(rest)
		prob.Text = diag.ClipLine(string(bytes.TrimRight(line, "\r\n")))
	}
	return p, prob
}
