package server

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Fixed qualities: the same object has the same encoded bytes on every server, so one entity tag serves all.
const (
	brotliQuality = 5
	gzipQuality   = 6
	zstdQuality   = zstd.SpeedDefault
)

// leastBytes is the size from which encoding pays: smaller bodies fit into one packet either way.
const leastBytes = 256

// encoders make encoded forms, a bounded number at a time.
type encoders struct {
	slots  chan struct{}
	gzip   sync.Pool // *gzip.Writer
	brotli sync.Pool // *brotli.Writer
	zstd   *zstd.Encoder
}

func newEncoders() (*encoders, error) {
	n := 2 * runtime.GOMAXPROCS(0)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdQuality), zstd.WithEncoderConcurrency(n), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &encoders{slots: make(chan struct{}, n), zstd: z}, nil
}

// tryStart takes a slot if one is free.
func (x *encoders) tryStart() bool {
	select {
	case x.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// start waits for a slot.
func (x *encoders) start() { x.slots <- struct{}{} }

func (x *encoders) done() { <-x.slots }

// encode returns body in the coding e.
func (x *encoders) encode(e coding, body []byte) ([]byte, error) {
	switch e {
	case encZstd:
		return bytes.Clone(x.zstd.EncodeAll(body, nil)), nil
	case encGzip:
		w, ok := x.gzip.Get().(*gzip.Writer)
		if !ok {
			w, _ = gzip.NewWriterLevel(nil, gzipQuality) // the level is a valid one
		}
		defer x.gzip.Put(w)
		return through(w, body)
	case encBrotli:
		w, ok := x.brotli.Get().(*brotli.Writer)
		if !ok {
			w = brotli.NewWriterLevel(nil, brotliQuality)
		}
		defer x.brotli.Put(w)
		return through(w, body)
	}
	return body, nil
}

func through(w interface {
	io.WriteCloser
	Reset(io.Writer)
}, body []byte) ([]byte, error) {
	var buf bytes.Buffer
	w.Reset(&buf)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(buf.Bytes()), nil // the buffer's spare room is not kept in the cache
}

// compressible reports whether bodies of a content type shrink: text, and the formats that are text inside.
func compressible(contentType string) bool {
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
