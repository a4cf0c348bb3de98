package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"freshet/internal/testenv"
	"freshet/server/guard"
	"freshet/server/guard/bots"
)

// artefactURL is the address that the sites of these tests are built for.
const artefactURL = "https://example.org"

// TestDemoSite builds the demo site, whose content must be without a fault, and scans what comes out.
func TestDemoSite(t *testing.T) {
	dir := t.TempDir()
	report, stderr := buildTree(t, filepath.Join(testenv.Root(t), "content"), dir)
	if len(report.Problems) > 0 || len(report.Skipped) > 0 || stderr != "" {
		t.Errorf("the demo site is not without faults:\n%s", stderr)
	}
	if report.Documents < 10 {
		t.Errorf("the demo site has %d documents, want at least 10", report.Documents)
	}
	scan := scanSite(t, filepath.Join(dir, "public"), nil)
	t.Logf("%d pages, %d links, %d pictures scanned", scan.pages, scan.links, scan.pictures)
	if scan.honeypots != scan.pages {
		t.Errorf("%d of %d pages link to %s", scan.honeypots, scan.pages, guard.HoneypotPath)
	}
	robots, err := os.ReadFile(filepath.Join(dir, "public", "robots.txt"))
	if want := guard.Robots(bots.Allow) + "Sitemap: " + artefactURL + "/sitemap.xml\n"; err != nil || string(robots) != want {
		t.Errorf("robots.txt is %q, %v; want %q", robots, err, want)
	}
}

// TestScanFinds checks that the scan of a site finds every fault that it is for.
func TestScanFinds(t *testing.T) {
	page := func(body string) string {
		return "<!doctype html><html><head><title>A title</title></head><body><h1>One</h1>" + body + "</body></html>"
	}
	for _, tt := range []struct{ name, file, text, want string }{
		{"sound", "a/index.html", page(`<a href="/">x</a> <a href="https://example.org/a/#x">x</a> <a href="old">x</a><p id="x"><code>{{ x }}</code>`), ""},
		{"template syntax", "a/index.html", page("<p>{{< ref x >}}"), "{{"},
		{"Liquid", "a/index.html", page("<p>{% x %}"), "{%"},
		{"span with an id", "a/index.html", page("<p>[term]{#term}"), "]{#"},
		{"fenced div", "a/index.html", page("<p>::: callout"), ":::"},
		{"attribute", "a/index.html", page(`<p title="{{ x }}">`), "{{"},
		{"escaped twice", "a/index.html", page("<p>a &amp;lt; b"), "&lt;"},
		{"empty address", "a/index.html", page(`<a href="">x</a>`), "empty href"},
		{"no address", "a/index.html", page(`<img alt="x">`), "img without src"},
		{"honeypot in the open", "a/index.html", page(`<a href="/fs-unlisted/" rel="nofollow" hidden tabindex="-1">x</a>`), "can be met"},
		{"dead link", "a/index.html", page(`<a href="/b/">x</a>`), "/b/"},
		{"dead link to its own address", "a/index.html", page(`<a href="https://example.org/b/">x</a>`), "/b/"},
		{"dead relative link", "a/index.html", page(`<a href="b.html">x</a>`), "b.html"},
		{"dead picture", "a/index.html", page(`<img src="/b.png" alt="x">`), "/b.png"},
		{"dead fragment", "a/index.html", page(`<a href="#b">x</a>`), "#b"},
		{"dead fragment of another page", "index.html", page(`<a href="/a/#b">x</a>`), "#b"},
		{"id twice", "a/index.html", page(`<p id="b"><p id="b">`), `id "b"`},
		{"two headings", "a/index.html", page(`<h1>Two</h1>`), "2 h1"},
		{"no title", "a/index.html", "<!doctype html><h1>x</h1>", "title"},
		{"structured data", "a/index.html", page(`<script type="application/ld+json">{"a":}</script>`), "JSON-LD"},
		{"feed", "feed.xml", "<rss><channel></rss>", "feed.xml"},
		{"JSON feed", "feed.json", "{", "feed.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"index.html": page(""), "a/index.html": page(""), "_redirects": "/a/old / 301\n", tt.file: tt.text,
			} {
				name = filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			var faults []string
			scanFolder(dir, nil, &faults)
			if got := strings.Join(faults, "\n"); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("the scan finds %q, want a fault with %q", got, tt.want)
			}
		})
	}
}

// A buildResult is what build --json prints, as far as these tests look at it.
type buildResult struct {
	Documents, Pages int
	Skipped          []struct{ ID, Field, Reason string }
	Problems         []struct{ File, Message, Severity string }
}

// buildTree builds the Markdown tree of a folder into dir/public. It fails the test unless the exit status is 0, or 1
// because documents were left out, each with its reason.
func buildTree(t *testing.T, content, dir string) (result buildResult, stderr string) {
	t.Helper()
	code, stdout, stderr := freshet(t, "build", "--json", "--now", "2027-01-01", "--url", artefactURL, "--content", content,
		"--templates", filepath.Join(dir, "templates"), "--public", filepath.Join(dir, "public"), "--state", filepath.Join(dir, "state"))
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatalf("build of %s exits %d without a result: %v\n%s", content, code, err, stderr)
	}
	want := exitDone
	if len(result.Skipped) > 0 {
		want = exitFailed
	}
	if code != want {
		t.Errorf("build of %s exits %d with %d documents left out, want %d", content, code, len(result.Skipped), want)
	}
	for _, s := range result.Skipped {
		if s.ID == "" || s.Reason == "" {
			t.Errorf("a document is left out without a name or reason: %+v", s)
		}
	}
	return result, stderr
}

// A siteScan is what scanSite has looked at.
type siteScan struct {
	pages, links, pictures int
	honeypots              int
	excused                map[string]int // dead links by why they are nobody's fault
}

// excuse says why a dead link on the page at an address is not freshet's fault; empty: it is.
type excuse func(page, link string) string

// scanSite fails the test for every fault in a public tree.
func scanSite(t *testing.T, public string, excused excuse) siteScan {
	t.Helper()
	var faults []string
	s := scanFolder(public, excused, &faults)
	const most = 40
	for i, f := range faults {
		if i == most {
			t.Errorf("and %d more faults", len(faults)-most)
			break
		}
		t.Error(f)
	}
	if s.pages == 0 {
		t.Error("the public tree has no page")
	}
	return s
}

func scanFolder(public string, excused excuse, faults *[]string) siteScan {
	s := siteScanner{present: map[string]bool{}, pages: map[string]*scannedPage{}, excused: excused, faults: faults,
		result: siteScan{excused: map[string]int{}}}
	err := filepath.WalkDir(public, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(public, name)
		if err != nil || strings.HasPrefix(rel, ".freshet") {
			return err
		}
		rel = filepath.ToSlash(rel)
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s.file(rel, b)
		return nil
	})
	if err != nil {
		s.fault("", "%v", err)
	}
	for _, at := range slices.Sorted(maps.Keys(s.pages)) {
		s.references(at, s.pages[at])
	}
	s.result.pages = len(s.pages)
	return s.result
}

type siteScanner struct {
	present map[string]bool // addresses that are answered
	pages   map[string]*scannedPage
	excused excuse
	faults  *[]string
	result  siteScan
}

type scannedPage struct {
	ids  map[string]bool
	refs []scannedRef
}

type scannedRef struct {
	url     string
	picture bool
}

func (s *siteScanner) fault(at, format string, args ...any) {
	*s.faults = append(*s.faults, at+": "+fmt.Sprintf(format, args...))
}

func (s *siteScanner) file(rel string, b []byte) {
	at := "/" + rel
	if path.Base(rel) == "index.html" {
		at = strings.TrimSuffix(at, "index.html")
	}
	s.present[at] = true
	switch {
	case rel == "_redirects":
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0][0] != '#' {
				if from, err := url.PathUnescape(f[0]); err == nil {
					s.present[from] = true
				}
			}
		}
	case strings.HasSuffix(rel, ".html"):
		s.page(at, b)
	case strings.HasSuffix(rel, ".xml"):
		for d := xml.NewDecoder(bytes.NewReader(b)); ; {
			if _, err := d.Token(); err == io.EOF {
				return
			} else if err != nil {
				s.fault(rel, "is no XML: %v", err)
				return
			}
		}
	case strings.HasSuffix(rel, ".json"), strings.HasSuffix(rel, ".webmanifest"):
		if !json.Valid(b) {
			s.fault(rel, "is no JSON")
		}
	}
}

// raw is what no page may have outside code: template syntax of other tools, and what was escaped twice.
var raw = []string{"{{", "{%", ":::", "]{#", "]{.", "{: ", "&lt;", "&gt;", "&amp;"}

func (s *siteScanner) page(at string, b []byte) {
	doc, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		s.fault(at, "is no HTML: %v", err)
		return
	}
	p := &scannedPage{ids: map[string]bool{}}
	s.pages[at] = p
	headings, title := 0, ""
	for n := range doc.Descendants() {
		switch n.Type {
		case html.TextNode:
			switch {
			case n.Parent.DataAtom == atom.Title:
				title += strings.TrimSpace(n.Data)
			case n.Parent.DataAtom == atom.Script && attribute(n.Parent, "type") == "application/ld+json":
				if !json.Valid([]byte(n.Data)) {
					s.fault(at, "JSON-LD is no JSON: %.200s", n.Data)
				}
			}
			if !inCode(n) {
				s.text(at, n.Data)
			}
		case html.ElementNode:
			if n.DataAtom == atom.H1 {
				headings++
			}
			if n.DataAtom == atom.Img && attribute(n, "src") == "" && attribute(n, "alt") == "" {
				s.fault(at, "img without src and alt")
			}
			s.attributes(at, p, n)
		}
	}
	if headings != 1 {
		s.fault(at, "has %d h1", headings)
	}
	if title == "" {
		s.fault(at, "has no title")
	}
}

func (s *siteScanner) text(at, text string) {
	for _, sign := range raw {
		if i := strings.Index(text, sign); i >= 0 {
			s.fault(at, "%q outside code: %q", sign, text[max(0, i-40):min(len(text), i+60)])
		}
	}
}

func (s *siteScanner) attributes(at string, p *scannedPage, n *html.Node) {
	hasSrc := false
	for _, a := range n.Attr {
		switch a.Key {
		case "id":
			if p.ids[a.Val] {
				s.fault(at, "id %q twice", a.Val)
			}
			p.ids[a.Val] = true
		case "href", "src", "poster", "action", "data-index":
			hasSrc = hasSrc || a.Key == "src"
			if strings.TrimSpace(a.Val) == "" {
				s.fault(at, "empty %s of %s", a.Key, n.Data)
				continue
			}
			if a.Val == guard.HoneypotPath {
				s.honeypot(at, n)
				continue
			}
			p.refs = append(p.refs, scannedRef{a.Val, n.DataAtom == atom.Img})
		case "srcset":
			for _, candidate := range strings.Split(a.Val, ",") {
				if f := strings.Fields(candidate); len(f) > 0 {
					p.refs = append(p.refs, scannedRef{f[0], true})
				}
			}
		}
		if !inCode(n) && a.Key != "content" {
			s.text(at, a.Val)
		}
	}
	if n.DataAtom == atom.Img && !hasSrc {
		s.fault(at, "img without src, alt %q", attribute(n, "alt"))
	}
}

// honeypot checks that nobody meets the link that leads nowhere: neither by eye, keyboard or screen reader, nor as a
// crawler that does as it is asked.
func (s *siteScanner) honeypot(at string, n *html.Node) {
	_, hidden := attributes(n)["hidden"]
	if !hidden || attribute(n, "aria-hidden") != "true" || attribute(n, "tabindex") != "-1" || attribute(n, "rel") != "nofollow" {
		s.fault(at, "the link to %s can be met", guard.HoneypotPath)
	}
	s.result.honeypots++
}

// inCode reports whether the text of n is program text.
func inCode(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		switch n.DataAtom {
		case atom.Pre, atom.Code, atom.Kbd, atom.Samp, atom.Script, atom.Style:
			return true
		}
	}
	return false
}

func attribute(n *html.Node, key string) string { return attributes(n)[key] }

func attributes(n *html.Node) map[string]string {
	all := map[string]string{}
	for _, a := range n.Attr {
		all[a.Key] = a.Val
	}
	return all
}

// references checks that what a page names on its own site is there.
func (s *siteScanner) references(at string, p *scannedPage) {
	base, err := url.Parse(artefactURL + (&url.URL{Path: at}).EscapedPath())
	if err != nil {
		s.fault(at, "%v", err)
		return
	}
	for _, ref := range p.refs {
		u, err := base.Parse(ref.url)
		if err != nil {
			if why := s.excuse(at, ref.url); why == "" {
				s.fault(at, "%q is no address: %v", ref.url, err)
			}
			continue
		}
		if u.Scheme+"://"+u.Host != artefactURL {
			continue
		}
		s.result.links++
		if ref.picture {
			s.result.pictures++
		}
		target := u.Path
		if target == "" {
			target = "/"
		}
		known := s.present[target] || s.present[target+"/"]
		frag := u.Fragment
		if other := s.pages[target]; known && frag != "" && frag != "top" && other != nil && !other.ids[frag] && !strings.HasPrefix(frag, ":~:") {
			if s.excuse(at, ref.url) == "" {
				s.fault(at, "%s: there is no #%s", ref.url, frag)
			}
		}
		if known || s.excuse(at, ref.url) != "" {
			continue
		}
		s.fault(at, "dead link %s", ref.url)
	}
}

func (s *siteScanner) excuse(page, link string) string {
	if s.excused == nil {
		return ""
	}
	why := s.excused(page, link)
	if why != "" {
		s.result.excused[why]++
	}
	return why
}
