// Package datauri reads pictures that documents hold as data, as rich-text editors store them. They are read in pieces
// and within bounds; what is none of the formats that hold no script is an error that says so.
package datauri

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	_ "image/gif" // sizes of pictures
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/url"
	"strings"

	_ "golang.org/x/image/webp"

	"freshet/internal/digest"
)

// MaxBytes is the size of the largest picture that is read. A stored document has at most 16 MB.
const MaxBytes = 8 << 20

const headBytes = 1 << 20 // are kept while a picture is read, for its type and size

// A Picture is what is known of a picture, without its bytes.
type Picture struct {
	Sum           digest.Sum
	Bytes         int64
	Ext           string // ".png"
	Width, Height int    // in pixels; 0: unknown
}

// Is reports whether an address is data.
func Is(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) >= 5 && strings.EqualFold(s[:5], "data:")
}

// What is wrong with a picture, as the end of a sentence about it.
var (
	errForm = errors.New("is not base64 data")
	errType = errors.New("is no PNG, JPEG, GIF, WebP or AVIF picture")
	errSize = fmt.Errorf("has more than %d MB", MaxBytes>>20)
)

// Look reads a data URI once, in pieces. The picture's type is that of its bytes, whatever the URI says.
func Look(uri string) (Picture, error) {
	r, err := open(uri)
	if err != nil {
		return Picture{}, err
	}
	r = io.LimitReader(r, MaxBytes+1)
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, headBytes); err != nil && !errors.Is(err, io.EOF) {
		return Picture{}, errForm
	}
	p := Picture{Ext: pictureExt(head.Bytes())}
	if p.Ext == "" {
		return Picture{}, errType
	}
	p.Width, p.Height, _ = Size(head.Bytes())
	if p.Sum, p.Bytes, err = digest.Reader(io.MultiReader(&head, r)); err != nil {
		return Picture{}, errForm
	}
	if p.Bytes > MaxBytes {
		return Picture{}, errSize
	}
	return p, nil
}

// pictureExt tells the formats that hold no script by how they begin; "" for all others.
func pictureExt(b []byte) string {
	at := func(off int, s string) bool { return len(b) >= off+len(s) && string(b[off:off+len(s)]) == s }
	switch {
	case at(0, "\x89PNG\r\n\x1a\n"):
		return ".png"
	case at(0, "\xff\xd8\xff"):
		return ".jpg"
	case at(0, "GIF87a"), at(0, "GIF89a"):
		return ".gif"
	case at(0, "RIFF") && at(8, "WEBP"):
		return ".webp"
	case at(4, "ftypavif"), at(4, "ftypavis"):
		return ".avif"
	}
	return ""
}

// Read returns the bytes of a picture that Look has found.
func Read(uri string) ([]byte, error) {
	r, err := open(uri)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, MaxBytes))
}

// open reads what a data URI holds. Blanks, padding and either alphabet of base64 do not matter.
func open(uri string) (io.Reader, error) {
	uri = strings.TrimSpace(uri)
	meta, payload, ok := strings.Cut(uri, ",")
	if !ok || !strings.HasSuffix(strings.ToLower(strings.TrimSpace(meta)), ";base64") {
		return nil, errForm
	}
	if strings.Contains(payload, "%") {
		if p, err := url.PathUnescape(payload); err == nil {
			payload = p
		}
	}
	return base64.NewDecoder(base64.RawStdEncoding, &alphabet{payload}), nil
}

// An alphabet reads base64 text in the standard alphabet, without blanks and padding.
type alphabet struct{ rest string }

func (a *alphabet) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && a.rest != "" {
		c := a.rest[0]
		a.rest = a.rest[1:]
		switch c {
		case ' ', '\t', '\n', '\r', '=':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		p[n] = c
		n++
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
