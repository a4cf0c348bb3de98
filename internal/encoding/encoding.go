// Package encoding makes the encoded forms in which pages are sent: gzip, Zstandard and Brotli. It promises that the same
// bytes have the same form in every process of one version of freshet, so that one entity tag, and one file of a public
// tree, stands for it; no form holds a time or a name.
package encoding

import (
	"bytes"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A Coding is a content coding of HTTP.
type Coding uint8

// The codings, worst compression first.
const (
	Identity Coding = iota
	Gzip
	Zstd
	Brotli
	Count // how many there are
)

// Token is the coding's name in Accept-Encoding and Content-Encoding; empty for Identity.
func (c Coding) Token() string { return [...]string{"", "gzip", "zstd", "br"}[c] }

// Ext is what the name of a file in this coding ends in, after the name of the plain file; empty for Identity.
func (c Coding) Ext() string { return [...]string{"", ".gz", ".zst", ".br"}[c] }

// Split returns the name of the plain file and the coding that a file's name tells; the name and Identity when it
// tells none.
func Split(name string) (string, Coding) {
	for c := Gzip; c < Count; c++ {
		if plain, ok := strings.CutSuffix(name, c.Ext()); ok {
			return plain, c
		}
	}
	return name, Identity
}

// Fixed qualities. A reader may be waiting, so the highest are out.
const (
	brotliQuality = 5
	gzipQuality   = 6
	zstdQuality   = zstd.SpeedDefault
)

// LeastBytes is the size from which encoding pays: smaller bodies fit into one packet either way.
const LeastBytes = 256

// Version changes when the forms may: with the qualities and the modules that make them.
func Version() string {
	v := fmt.Sprintf("br %d, gzip %d, zstd %d", brotliQuality, gzipQuality, zstdQuality)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/andybalholm/brotli" || m.Path == "github.com/klauspost/compress" {
			if m.Replace != nil {
				m = m.Replace
			}
			v += ", " + m.Path + " " + m.Version
		}
	}
	return v
}

// An Encoder makes encoded forms. Its methods may be called from any goroutine.
type Encoder struct {
	gzip   sync.Pool // *gzip.Writer
	brotli sync.Pool // *brotli.Writer
	zstd   *zstd.Encoder
}

// New returns an Encoder that makes at most so many Zstandard forms at a time, at least 1; further ones wait.
func New(concurrency int) (*Encoder, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdQuality), zstd.WithEncoderConcurrency(concurrency), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &Encoder{zstd: z}, nil
}

// Encode returns body in the coding c; of Identity that is body itself.
func (x *Encoder) Encode(c Coding, body []byte) ([]byte, error) {
	switch c {
	case Zstd:
		return bytes.Clone(x.zstd.EncodeAll(body, nil)), nil
	case Gzip:
		w, ok := x.gzip.Get().(*gzip.Writer)
		if !ok {
			w, _ = gzip.NewWriterLevel(nil, gzipQuality) // the level is a valid one
		}
		defer x.gzip.Put(w)
		return through(w, body, func() { w.ModTime = time.Unix(0, 0) }) // none; the zero time would be written as a wrong one
	case Brotli:
		w, ok := x.brotli.Get().(*brotli.Writer)
		if !ok {
			w = brotli.NewWriterLevel(nil, brotliQuality)
		}
		defer x.brotli.Put(w)
		return through(w, body, func() {})
	}
	return body, nil
}

func through(w interface {
	io.WriteCloser
	Reset(io.Writer)
}, body []byte, begin func()) ([]byte, error) {
	var buf bytes.Buffer
	w.Reset(&buf)
	begin()
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(buf.Bytes()), nil // the buffer's spare room is not kept in anybody's cache
}

// Holds reports whether form, in the coding c and of whatever quality, is body. It reads no more of form than body is
// long.
func Holds(c Coding, form, body []byte) bool {
	var r io.Reader
	switch {
	case c == Identity:
		return bytes.Equal(form, body)
	case len(form) == 0:
		return false // no coding has an empty form
	}
	switch c {
	case Gzip:
		z, err := gzip.NewReader(bytes.NewReader(form))
		if err != nil {
			return false
		}
		r = z
	case Zstd:
		z, err := zstd.NewReader(bytes.NewReader(form), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return false
		}
		defer z.Close()
		r = z
	case Brotli:
		r = brotli.NewReader(bytes.NewReader(form))
	}
	var buf [8 << 10]byte
	for {
		n, err := r.Read(buf[:])
		if !bytes.HasPrefix(body, buf[:n]) {
			return false
		}
		body = body[n:]
		if err != nil {
			return err == io.EOF && len(body) == 0
		}
	}
}

// Compressible reports whether bodies of a content type shrink: text, and the formats that are text inside.
func Compressible(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "+json") {
		return true
	}
	switch t {
	case "application/json", "application/javascript", "application/xml", "application/manifest+json", "application/wasm",
		"application/x-javascript", "application/ld+json", "application/rtf", "application/vnd.ms-fontobject", "font/ttf",
		"font/otf", "font/collection", "application/x-ndjson", "application/yaml", "application/toml", "application/sql",
		"image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "application/x-subrip":
		return true
	}
	return false
}
