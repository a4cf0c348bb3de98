package encoding_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"freshet/internal/encoding"
)

func TestForms(t *testing.T) {
	a, err := encoding.New(2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := encoding.New(1)
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{"empty": "", "short": "a", "page": strings.Repeat("<p>Rivers run to the sea.</p>\n", 900)}
	for name, text := range bodies {
		body := []byte(text)
		for c := encoding.Identity; c < encoding.Count; c++ {
			want, err := a.Encode(c, body)
			if err != nil {
				t.Fatal(err)
			}
			if name == "page" && c != encoding.Identity && len(want) > len(body)/10 {
				t.Errorf("%s is %d bytes as %q, of %d", name, len(want), c.Token(), len(body))
			}
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					for range 3 {
						if got, err := b.Encode(c, body); err != nil || !bytes.Equal(got, want) {
							t.Errorf("%s has two forms as %q (%v)", name, c.Token(), err)
						}
					}
				})
			}
			group.Wait()
			if !encoding.Holds(c, want, body) {
				t.Errorf("the form of %s as %q does not hold it", name, c.Token())
			}
			others := map[string][]byte{"longer": append(bytes.Clone(body), 'x')}
			if len(body) > 0 {
				others["shorter"], others["another"] = body[:len(body)-1], append(bytes.Clone(body[:len(body)-1]), 'X')
			}
			for how, other := range others {
				if encoding.Holds(c, want, other) {
					t.Errorf("the form of %s as %q holds what is %s", name, c.Token(), how)
				}
			}
			for n := range want {
				if encoding.Holds(c, want[:n], body) && c != encoding.Identity {
					t.Errorf("%d of %d bytes of the form of %s as %q hold it", n, len(want), name, c.Token())
				}
			}
		}
	}
	for c := encoding.Gzip; c < encoding.Count; c++ {
		if encoding.Holds(c, []byte("mine"), []byte("mine")) {
			t.Errorf("plain text passes for %q", c.Token())
		}
	}
}

// TestGzipHasNoTime: the time and the system in gzip's head are zero and unknown.
func TestGzipHasNoTime(t *testing.T) {
	x, err := encoding.New(1)
	if err != nil {
		t.Fatal(err)
	}
	form, err := x.Encode(encoding.Gzip, []byte("rivers"))
	if err != nil || !bytes.Equal(form[4:8], make([]byte, 4)) || form[9] != 255 {
		t.Errorf("gzip begins with % x, %v", form[:10], err)
	}
}

func TestSplit(t *testing.T) {
	for name, want := range map[string]encoding.Coding{
		"a/index.html.br": encoding.Brotli, "a.css.gz": encoding.Gzip, "a.zst": encoding.Zstd, "index.html": encoding.Identity, "br": encoding.Identity,
	} {
		if plain, c := encoding.Split(name); c != want || plain+c.Ext() != name {
			t.Errorf("Split(%q) = %q, %q", name, plain, c.Token())
		}
	}
}

func TestCompressible(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/html; charset=utf-8": true, "TEXT/CSS": true, "image/svg+xml": true, "application/json": true, "application/manifest+json": true,
		"image/png": false, "font/woff2": false, "application/zip": false, "video/mp4": false, "": false, "application/octet-stream": false,
	} {
		if got := encoding.Compressible(contentType); got != want {
			t.Errorf("Compressible(%q) = %v, want %v", contentType, got, want)
		}
	}
}
