package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/digest"
	"freshet/internal/site"
	"freshet/server"
)

// Whatever is asked for, the answer is a page of the site at its own address, a redirect within the site, or an error
// of the client's.
func FuzzPage(f *testing.F) {
	for _, p := range []string{
		"/", "/blog/rivers/", "/Blog//Rivers", "/old", "//evil.example/", "/\\evil", "/%2e%2e/", "/a/../b", "/index.html", "/404.html",
		"/blog/%e0%a4%a8/", "/gone/", "/hostile/", "/x%252fy", "/%00", "/feed.xml/",
	} {
		f.Add(p, "a=1", "gzip, br;q=0.5", `"x", W/"y"`)
	}
	g := built()
	s, err := server.New(server.Config{Site: serving(g)})
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler()
	f.Fuzz(func(t *testing.T, target, query, accept, match string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Opaque != "" {
			return
		}
		u.RawQuery = query
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Accept-Encoding": {accept}, "If-None-Match": {match}}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code == 200 || w.Code == 304:
			if strings.HasSuffix(u.Path, "z") { // /livez and /readyz
				return
			}
			e, ok := g.entries[site.Path(u.Path)]
			if !ok {
				t.Fatalf("%q: %d, but the site has no such page", u.Path, w.Code)
			}
			if w.Code == 304 {
				return
			}
			body, err := decode(w.Header().Get("Content-Encoding"), w.Body.Bytes(), false)
			if err != nil || digest.Bytes(body) != e.Object.ID {
				t.Errorf("%q: another page's body (%v)", u.Path, err)
			}
		case w.Code == 301 || w.Code == 308:
			l := w.Header().Get("Location")
			to, err := url.Parse(l)
			if err != nil || !strings.HasPrefix(l, "/") || strings.HasPrefix(l, "//") || strings.HasPrefix(l, "/\\") || to.Host != "" {
				t.Errorf("%q?%s leads to %q (%v)", u.Path, query, l, err)
			}
			for i := range len(l) {
				if l[i] <= ' ' || l[i] >= 0x7f {
					t.Errorf("%q?%q leads to %q", u.Path, query, l)
				}
			}
		case w.Code >= 400 && w.Code < 500:
			if cc := w.Header().Get("Cache-Control"); cc != "no-store" && w.Code != 410 {
				t.Errorf("%q: %d with Cache-Control %q", u.Path, w.Code, cc)
			}
		default:
			t.Errorf("%q: %d", u.Path, w.Code)
		}
	})
}

// Whatever stands in a _redirects file, it takes readers to paths of this site or to hosts that the file names.
func FuzzRedirects(f *testing.F) {
	f.Add("/a /b 301\n/c/* /d/:splat\n", "/c/x")
	f.Add("/:x/* /:splat\n", "/a//evil.example")
	f.Add("/* https://:splat 302\n/x https://a.example/:x", "/evil.example")
	f.Add("/a/:b https://c:b@d.example/:b", "/a/evil.example")
	dir := f.TempDir()
	folder, err := server.OpenFolder(dir, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { folder.Close() })
	f.Fuzz(func(t *testing.T, rules, path string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "_redirects"), []byte(rules), 0o666); err != nil {
			t.Fatal(err)
		}
		e, ok := folder.Lookup(site.Path(path))
		if !ok || e.Location == "" || strings.HasPrefix(e.Location, "/") {
			return
		}
		to, err := url.Parse(e.Location)
		if err != nil || to.Scheme != "http" && to.Scheme != "https" || !strings.Contains(rules, to.Host) {
			t.Errorf("%q: %q leads to %q (%v)", rules, path, e.Location, err)
		}
	})
}
