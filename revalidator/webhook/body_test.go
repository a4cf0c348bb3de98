package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ghostPost is a webhook of Ghost about a post whose text has so many bytes, told as it is and as it was.
func ghostPost(n int) string {
	text := strings.Repeat("Rivers run. ", n/12+1)[:n]
	return fmt.Sprintf(`{"post":{"current":{"html":%q,"slug":"rivers-now","title":"Rivers"},"previous":{"html":%q,"slug":"rivers"}}}`, text, text)
}

// TestLargeBodies checks that payloads of the sizes that senders really send are taken and read, to the last byte that is
// allowed, whichever way their size is told, and that one more is refused.
func TestLargeBodies(t *testing.T) {
	pad := func(body string, size int) string { return body + strings.Repeat(" ", size-len(body)) }
	own := `{"docs": ["blog:x"]}`
	for _, row := range []struct {
		name, profile, body, docs string
		code                      int
	}{
		{"a post of 1,500 words", "ghost", ghostPost(60 << 10), "rivers,rivers-now", 202},
		{"a long post", "ghost", ghostPost(3 << 20), "rivers,rivers-now", 202},
		{"64 KiB", "standard", pad(own, 64<<10), "x", 202},
		{"one more", "standard", pad(own, 64<<10+1), "x", 202},
		{"8 MiB", "standard", pad(own, 8<<20), "x", 202},
		{"one more", "standard", pad(own, 8<<20+1), "", 413},
		{"8 MiB", "bearer", pad(own, 8<<20), "x", 202},
		{"one more", "bearer", pad(own, 8<<20+1), "", 413},
		{"25 MiB", "github", pad(own, 25<<20), "x", 202},
		{"one more", "github", pad(own, 25<<20+1), "", 413},
	} {
		for _, told := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%s/length %v", row.profile, row.name, told), func(t *testing.T) {
				s := newStation(t, row.profile, secret)
				r := httptest.NewRequest("POST", "/api/revalidate", strings.NewReader(row.body))
				if !told {
					r.ContentLength = -1
				}
				header := signed(row.profile, secret, "msg_1", row.body, time.Now())
				for i := 0; i < len(header); i += 2 {
					r.Header.Add(header[i], header[i+1])
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != row.code {
					t.Fatalf("answer %d %s, want %d", w.Code, w.Body, row.code)
				}
				var slugs []string
				for _, o := range s.desk.offers {
					for _, d := range o.Request.Docs {
						slugs = append(slugs, strings.TrimPrefix(d.Given, "blog:")+d.Slug)
					}
				}
				if got := strings.Join(slugs, ","); got != row.docs {
					t.Errorf("documents %q, want %q", got, row.docs)
				}
			})
		}
	}
	// A byte that is another one changes the signature, wherever it is.
	body := ghostPost(1 << 20)
	header := signed("ghost", secret, "msg_1", body, time.Now())
	for _, at := range []int{0, 64 << 10, len(body) / 2, len(body) - 1} {
		s := newStation(t, "ghost", secret)
		forged := []byte(body)
		forged[at] ^= 1
		if w := s.send("POST", "/api/revalidate", string(forged), header...); w.Code != 401 || len(s.desk.offers) > 0 {
			t.Errorf("with byte %d changed: answer %d, queued %v", at, w.Code, s.desk.offers)
		}
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

// TestUnsignedIsNotRead checks that nothing is read from who does not claim to have signed, or shows a wrong token, or says that too
// much will come.
func TestUnsignedIsNotRead(t *testing.T) {
	for profile, header := range map[string][]string{
		"standard": {}, "github": {"X-Hub-Signature-256", "sha1=00"}, "ghost": {"X-Ghost-Signature", "t=1"}, "bearer": {"Authorization", "Bearer nothing"},
	} {
		s := newStation(t, profile, secret)
		r := httptest.NewRequest("POST", "/api/revalidate", unread{t})
		r.ContentLength = 1 << 20
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("%s: answer %d, want 401", profile, w.Code)
		}
	}
}

// TestBodiesAreBounded checks that all bodies together take no more than their share of memory: senders who stop half-way fill
// that of large bodies, what is small is taken all the same, and afterwards there is room again.
func TestBodiesAreBounded(t *testing.T) {
	s := newStation(t, "github", secret)
	const senders, part = 64, 2 << 20
	var held, full sync.WaitGroup
	var writers []*io.PipeWriter
	begun := make(chan int, senders)
	for range senders {
		in, out := io.Pipe()
		writers = append(writers, out)
		r := httptest.NewRequest("POST", "/api/revalidate", in)
		r.ContentLength = 25 << 20
		header := signed("github", secret, "msg_1", "another body", time.Now())
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		held.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			begun <- w.Code // before the writer may go on
			_ = in.Close()
		})
		full.Go(func() { _, _ = out.Write(bytes.Repeat([]byte("a"), part)) }) // returns when it is read, or refused
	}
	full.Wait()
	refused := 0
	for len(begun) > 0 {
		if code := <-begun; code != 503 {
			t.Errorf("answer %d while bodies are under way, want 503", code)
		}
		refused++
	}
	// Each that is not refused holds 2 MiB at least, of 64.
	if refused < senders-64/2 || refused == senders {
		t.Errorf("%d of %d were refused", refused, senders)
	}
	body := `{"docs": ["blog:x"]}`
	if w := s.send("POST", "/api/revalidate", body, signed("github", secret, "msg_2", body, time.Now())...); w.Code != 202 {
		t.Errorf("a small body meanwhile: answer %d, want 202", w.Code)
	}
	for _, out := range writers {
		_ = out.CloseWithError(io.ErrUnexpectedEOF)
	}
	held.Wait()
	body += strings.Repeat(" ", 20<<20)
	if w := s.send("POST", "/api/revalidate", body, signed("github", secret, "msg_3", body, time.Now())...); w.Code != 202 {
		t.Errorf("a large body afterwards: answer %d, want 202", w.Code)
	}
}
