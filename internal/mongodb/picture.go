package mongodb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // sizes of pictures
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/url"
	"strings"

	_ "golang.org/x/image/webp"

	"freshet/internal/digest"
)

const (
	maxPictureBytes = 8 << 20 // of a picture held as data; a document has at most 16 MB
	pictureHead     = 1 << 20 // is kept while a picture is read, for its type and size
)

// A picture is what is known of a picture held as data, without its bytes.
type picture struct {
	sum           digest.Sum
	bytes         int64
	ext           string
	width, height int
}

func isDataURI(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) >= 5 && strings.EqualFold(s[:5], "data:")
}

// errPicture says what is wrong with a picture held as data.
var (
	errPictureForm = errors.New("is not base64 data")
	errPictureType = errors.New("is no PNG, JPEG, GIF, WebP or AVIF picture")
	errPictureSize = fmt.Errorf("has more than %d MB", maxPictureBytes>>20)
)

// lookAt reads a data URI once, in pieces. The picture's type is that of its bytes, whatever the URI says.
func lookAt(uri string) (picture, error) {
	r, err := dataReader(uri)
	if err != nil {
		return picture{}, err
	}
	r = io.LimitReader(r, maxPictureBytes+1)
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, pictureHead); err != nil && !errors.Is(err, io.EOF) {
		return picture{}, errPictureForm
	}
	p := picture{ext: pictureExt(head.Bytes())}
	if p.ext == "" {
		return picture{}, errPictureType
	}
	if c, _, err := image.DecodeConfig(bytes.NewReader(head.Bytes())); err == nil {
		p.width, p.height = c.Width, c.Height
	}
	if p.sum, p.bytes, err = digest.Reader(io.MultiReader(&head, r)); err != nil {
		return picture{}, errPictureForm
	}
	if p.bytes > maxPictureBytes {
		return picture{}, errPictureSize
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

// dataReader reads what a data URI holds. Blanks, padding and either alphabet of base64 do not matter.
func dataReader(uri string) (io.Reader, error) {
	meta, payload, ok := strings.Cut(uri, ",")
	if !ok || !strings.HasSuffix(strings.ToLower(strings.TrimSpace(meta)), ";base64") {
		return nil, errPictureForm
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
