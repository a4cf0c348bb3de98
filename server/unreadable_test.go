package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"freshet/internal/site"
	"freshet/server"
)

// TestUnreadablePage: who knows a page's bytes from elsewhere is asked for them when its object cannot be read, for each
// encoding and role, and only then; where nobody knows them the answer is 503.
func TestUnreadablePage(t *testing.T) {
	gen := newMemory(1)
	gen.put("/a/", site.KindPage, "text/html", "text of a")
	gen.put("/b/", site.KindPage, "text/html", "text of b")
	asked := map[site.Path]int{}
	srv, err := server.New(server.Config{Site: serving(gen), Unreadable: func(e *site.Entry, err error) ([]byte, bool) {
		if err == nil {
			t.Errorf("asked for %s without a reason", e.Path)
		}
		asked[e.Path]++
		return []byte("text of a"), e.Path == "/a/"
	}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.com"+path, nil))
		return w.Code, w.Body.String()
	}
	gen.broken.Store(true)
	if code, body := get("/a/"); code != 200 || body != "text of a" {
		t.Errorf("/a/ gives %d %q", code, body)
	}
	if code, _ := get("/b/"); code != 503 {
		t.Errorf("/b/ gives %d, want 503", code)
	}
	gen.broken.Store(false)
	if code, body := get("/b/"); code != 200 || body != "text of b" {
		t.Errorf("/b/ gives %d %q once it can be read", code, body)
	}
	if asked["/a/"] != 1 || asked["/b/"] != 1 {
		t.Errorf("asked %v, want once for each", asked)
	}
}
