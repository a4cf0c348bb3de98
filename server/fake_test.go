package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
	"freshet/server"
)

// changed is when the entries of fakes were committed.
var changed = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A memory is a generation in memory.
type memory struct {
	number  uint64
	pinned  bool
	entries map[site.Path]*site.Entry
	objects map[digest.Sum][]byte
	broken  atomic.Bool  // objects cannot be read
	reads   atomic.Int64 // of objects
}

func newMemory(number uint64) *memory {
	return &memory{number: number, entries: make(map[site.Path]*site.Entry), objects: make(map[digest.Sum][]byte)}
}

func (g *memory) Lookup(p site.Path) (*site.Entry, bool) {
	e, ok := g.entries[p]
	return e, ok
}

func (g *memory) Object(ref site.ObjectRef) ([]byte, error) {
	g.reads.Add(1)
	if g.broken.Load() {
		return nil, fmt.Errorf("read %s: input/output error", ref.ID)
	}
	return g.objects[ref.ID], nil
}

func (g *memory) Number() uint64 { return g.number }

func (g *memory) Pinned() bool { return g.pinned }

// put adds a page.
func (g *memory) put(p site.Path, kind site.Kind, contentType, body string, keys ...string) *site.Entry {
	sum := digest.String(body)
	e := &site.Entry{
		Path: p, Kind: kind, Status: 200, Type: contentType, Keys: keys, Generation: g.number, Changed: changed,
		Object: site.ObjectRef{ID: sum, Size: int64(len(body))},
	}
	g.entries[p], g.objects[sum] = e, []byte(body)
	return e
}

// move adds a redirect or, without a target, a memory of a page that is gone.
func (g *memory) move(p site.Path, status int, target string) {
	g.entries[p] = &site.Entry{
		Path: p, Kind: site.KindRedirect, Status: status, Location: target, Generation: g.number, Changed: changed,
		Keys: []string{"blog:" + strings.Trim(string(p), "/")},
	}
}

const (
	htmlType = "text/html; charset=utf-8"
)

// page is a page of at least n bytes that compresses well.
func page(title string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><title>%s</title><h1>%[1]s</h1>", title)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<p>Paragraph %d of %s tells what water does to stone, given time.</p>\n", i, title)
	}
	return b.String()
}

// built is the site that request scripts run against.
func built() *memory {
	g := newMemory(7)
	g.put("/", site.KindList, htmlType, page("Home", 3000), "list:home", "blog:rivers")
	g.put("/blog/", site.KindList, htmlType, page("Blog", 3000), "list:blog", "tag:water")
	g.put("/blog/rivers/", site.KindPage, htmlType, page("Rivers", 5000), "blog:rivers", "tag:a b,c", "tag:नदी")
	g.put("/blog/नदी/", site.KindPage, htmlType, page("नदी", 3000), "blog:नदी")
	g.put("/blog/café/", site.KindPage, htmlType, page("Café", 3000), "blog:café")
	g.put("/small/", site.KindPage, htmlType, "<p>small</p>")
	g.put("/feed.xml", site.KindFeed, "application/rss+xml", page("Feed", 3000), "list:feed")
	g.put("/feed", site.KindHidden, "application/rss+xml", page("Feed", 3000), "list:feed")
	g.put("/api/feed", site.KindHidden, "application/json", `{"posts":[]}`)
	g.put("/404.html", site.KindPage, htmlType, page("Not here", 2000))
	g.put("/_redirects", site.KindFeed, "text/plain; charset=utf-8", "/old/ /blog/rivers/ 301\n")
	g.put("/assets/style.0123456789abcdef.css", site.KindAsset, "text/css; charset=utf-8", strings.Repeat("body{margin:0}\n", 200))
	g.put("/assets/river.0123456789abcdef.png", site.KindAsset, "image/png", strings.Repeat("pixels", 200))
	g.put("/assets/drawing.0123456789abcdef.svg", site.KindAsset, "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>")
	g.put("/digits.txt", site.KindAsset, "text/plain; charset=utf-8", "0123456789")
	g.move("/old/", 301, "/blog/rivers/")
	g.move("/older/", 308, "/blog/rivers/#top")
	g.move("/withquery/", 301, "/search/?q=rivers")
	g.move("/hostile/", 301, "//evil.example/x")
	g.move("/gone/", 410, "")
	return g
}

// A swap is a Site whose generation can be replaced. The zero value has none yet.
type swap struct{ at atomic.Pointer[memory] }

func (s *swap) Current() server.Generation {
	if g := s.at.Load(); g != nil {
		return g
	}
	return nil
}

func serving(g *memory) *swap {
	s := new(swap)
	s.at.Store(g)
	return s
}

// handlers are routes by their patterns.
type handlers map[string]http.Handler

func (hs handlers) routes() (list []server.Route) {
	for _, pattern := range slices.Sorted(maps.Keys(hs)) {
		list = append(list, server.Route{Pattern: pattern, Handler: hs[pattern]})
	}
	return list
}
