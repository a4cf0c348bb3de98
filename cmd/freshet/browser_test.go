package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"freshet/internal/testenv"
)

// TestBrowser looks at the demo site with a real browser: no page makes it complain, searching finds, and the colours
// can be switched.
func TestBrowser(t *testing.T) {
	b := testenv.NewBrowser(t)

	// A page with faults first: what follows is worth something only if they are seen.
	faulty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "style-src 'none'")
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><link rel="icon" href="data:,"><p style="color:red">x</p><script>console.error("oh"); throw new Error("no")</script>`)
	}))
	defer faulty.Close()
	b.Open(faulty.URL)
	if faults := strings.Join(b.Faults(), "\n"); !strings.Contains(faults, "oh") || !strings.Contains(faults, "Error: no") ||
		!strings.Contains(faults, "Content Security Policy") {
		t.Fatalf("of a page with three faults the browser tells %q", faults)
	}

	dir := t.TempDir()
	buildTree(t, filepath.Join(testenv.Root(t), "content"), dir)
	site := serveBuilt(t, dir)
	clean := func(what string) {
		t.Helper()
		for _, fault := range b.Faults() {
			t.Errorf("%s: %s", what, fault)
		}
	}
	for _, page := range []string{"/", "/blog/", "/courses/", "/topic/", "/search/", "/nothing/here/"} {
		b.Open(site + page)
		if got := b.Eval("document.querySelectorAll('h1').length"); got != "1" {
			t.Errorf("%s has %s h1", page, got)
		}
		if got := b.Eval("getComputedStyle(document.querySelector('.top')).display"); got == `""` || got == `"inline"` {
			t.Errorf("%s has no style: display of the header is %s", page, got)
		}
		if page == "/nothing/here/" {
			for _, fault := range b.Faults() {
				if !strings.Contains(fault, "404") {
					t.Errorf("%s: %s", page, fault)
				}
			}
			continue
		}
		clean(page)
		if got := b.Eval("document.documentElement.scrollWidth <= innerWidth"); got != "true" {
			t.Errorf("%s is wider than the window", page)
		}
	}
	for _, step := range []struct{ list, link string }{
		{"/blog/", ".card h2 a, .cards a"},
		{"/courses/", `main a[href^="/courses/"]`},
	} {
		b.Open(site + step.list)
		link := fmt.Sprintf("document.querySelector(%q).href", step.link)
		b.Open(strings.Trim(b.Eval(link), `"`))
		b.Await("document.querySelector('h1')")
		clean("a page linked to at " + step.list)
		if step.list == "/courses/" {
			lesson := "document.querySelector('main a[href^=\"' + location.pathname + '\"]')"
			b.Await(lesson)
			b.Open(strings.Trim(b.Eval(lesson+".href"), `"`))
			b.Await("document.querySelector('.body')")
			clean("a lesson")
		}
	}

	b.Open(site + "/search/?q=rollback")
	b.Await(`[...document.querySelectorAll("#fs-results a")].some(a => a.textContent.toLowerCase().includes("rollback"))`)
	b.Eval(`document.querySelector("main input[name=q]").value = "qqqqzzzz"; document.querySelector("main input[name=q]").form.requestSubmit()`)
	b.Await(`document.querySelectorAll("#fs-results a").length == 0 && document.querySelector("#fs-status").textContent.includes("No results")`)
	clean("searching")

	const colour = "getComputedStyle(document.body).color"
	was := b.Eval(colour)
	b.Click("#fs-theme")
	b.Await(colour + " != " + was)
	b.Open(site + "/blog/")
	if got := b.Eval(colour); got == was {
		t.Error("the next page has forgotten the colours that were chosen")
	}
	b.Click("#fs-theme")
	b.Await(colour + " == " + was)
	clean("the switch of colours")
}

// serveBuilt serves what buildTree has built in dir and returns its address.
func serveBuilt(t *testing.T, dir string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var log strings.Builder
	done := make(chan int, 1)
	go func() {
		args := []string{"serve", "--listen", "127.0.0.1:0", "--state", filepath.Join(dir, "state"), "--log", "warn"}
		code := run(ctx, args, nil, w, &log)
		_ = w.Close() // a pipe's end always closes
		done <- code
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != exitDone {
			t.Errorf("serve exits %d\n%s", code, log.String())
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("serve prints no address: %v", err)
	}
	return strings.TrimSuffix(strings.TrimSpace(line), "/")
}
