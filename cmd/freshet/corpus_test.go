package main

import (
	"html"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"freshet/generator/markup"
	"freshet/internal/contentdir"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

// TestCorpus builds every tree of real content that nobody wrote for freshet and scans what comes out: no file is
// lost without a named reason, and no page has raw template syntax, a dead link that its source did not have, or
// broken markup.
func TestCorpus(t *testing.T) {
	corpus := testenv.Corpus(t)
	trees := []string{"blogs-hugo/content/en", "blogs-hugo/content/ja", "blogs-hugo/content", "blogs-zola/content", "courses"}
	courses, err := os.ReadDir(filepath.Join(corpus, "courses"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range courses {
		if c.IsDir() {
			trees = append(trees, "courses/"+c.Name())
		}
	}
	for _, tree := range trees {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			content := filepath.Join(corpus, filepath.FromSlash(tree))
			dir := t.TempDir()
			result, _ := buildTree(t, content, dir)
			docs := readCorpus(t, content)
			docs.account(t, result, filepath.Join(dir, "public"))
			scan := scanSite(t, filepath.Join(dir, "public"), docs.excuse)
			t.Logf("%d files, %d documents, %d left out, %d pages, %d links, %d pictures", len(docs.files), result.Documents, len(result.Skipped),
				scan.pages, scan.links, scan.pictures)
			for _, why := range slices.Sorted(maps.Keys(scan.excused)) {
				t.Logf("%d dead links are excused: %s", scan.excused[why], why)
			}
		})
	}
}

// corpusTree is what a tree holds, found without building it.
type corpusTree struct {
	files    map[string]bool   // every file, slash-separated
	markdown map[string]string // text of the Markdown files
	changes  *site.Changes
	left     map[string]bool     // Markdown files that the build left out and named
	sources  map[string][]string // Markdown files by the address of the page that shows them
}

func readCorpus(t *testing.T, content string) *corpusTree {
	t.Helper()
	c := &corpusTree{files: map[string]bool{}, markdown: map[string]string{}, sources: map[string][]string{}}
	err := filepath.WalkDir(content, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(content, name)
		if err != nil || d.IsDir() {
			return err
		}
		rel = filepath.ToSlash(rel)
		c.files[rel] = true
		if path.Ext(rel) == ".md" {
			b, err := os.ReadFile(name)
			c.markdown[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	src, err := contentdir.New(contentdir.Config{Summaries: markup.New(markup.Config{}), Dir: content})
	if err != nil {
		t.Fatal(err)
	}
	if c.changes, err = src.Scan(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// account checks that every Markdown file is shown, or left out for a reason that is told.
func (c *corpusTree) account(t *testing.T, result buildResult, public string) {
	t.Helper()
	now, err := time.Parse(time.DateOnly, "2027-01-01")
	if err != nil {
		t.Fatal(err)
	}
	c.left = map[string]bool{}
	for _, s := range result.Skipped {
		c.left[s.ID] = true
	}
	covered := map[string]bool{}
	shown := func(source string, at site.Path) {
		covered[source] = true
		if _, err := os.Stat(filepath.Join(public, treeFile(at))); err != nil {
			t.Errorf("%s has no page at %s: %v", source, at, err)
		}
		c.sources[string(at)] = append(c.sources[string(at)], source)
	}
	for _, s := range c.changes.Skipped {
		covered[string(s.ID)] = true
	}
	for _, d := range c.changes.Put {
		var meta *site.Meta
		switch d := d.(type) {
		case *site.File:
			continue
		case *site.Post:
			meta = &d.Meta
		case *site.Page:
			meta = &d.Meta
		case *site.Course:
			meta = &d.Meta
		}
		source := meta.Source
		if !meta.VisibleAt(now, false) || c.left[string(meta.ID)] {
			covered[source] = true
			continue
		}
		switch d := d.(type) {
		case *site.Page:
			shown(source, d.Path)
		case *site.Course:
			if source != "" {
				shown(source, site.CoursePath(d.Slug))
			}
			for l := range d.OpenLessons() {
				shown(l.Source, site.LessonPath(d.Slug, l.Slug))
			}
		default:
			shown(source, site.PathOf(d))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.markdown)) {
		if !covered[name] && !emptySection(name, c.markdown[name]) {
			t.Errorf("%s is lost without a reason", name)
		}
	}
}

// emptySection reports whether a file is the front matter of a folder and no more: a folder of posts has no page.
func emptySection(name, text string) bool {
	if path.Base(name) != "_index.md" || len(text) < 3 {
		return false
	}
	fence := text[:3]
	_, body, closed := strings.Cut(text[3:], "\n"+fence)
	return closed && strings.TrimSpace(body) == ""
}

// excuse says that a dead link was dead in the source: a text that the page shows has the address as it is on the page,
// and the tree has nothing there, or only what the build has said it leaves out.
func (c *corpusTree) excuse(page, link string) string {
	address, frag, _ := strings.Cut(strings.TrimPrefix(link, artefactURL), "#")
	address, _, _ = strings.Cut(address, "?")
	name, err := url.PathUnescape(address)
	if err != nil {
		name = address
	}
	if f, err := url.PathUnescape(frag); err == nil {
		frag = f
	}
	for _, source := range c.sources[page] {
		text := html.UnescapeString(c.markdown[source])
		there := address == "" || c.has(path.Join(path.Dir(source), name))
		if strings.HasPrefix(name, "/") {
			// Trees that hold several repositories have links from the root of each.
			for there = c.has(name); !there && source != "."; there = c.has(path.Join(source, name)) {
				source = path.Dir(source)
			}
		}
		switch {
		case address != "" && !mentionsAddress(text, address) && !mentionsAddress(text, name):
		case !there && strings.HasPrefix(name, "/"):
			return "an address of the whole site that this tree does not have"
		case !there:
			return "a relative address that this tree does not have"
		case frag != "" && strings.Contains(text, "#"+frag) && !c.defines(frag):
			return "a fragment that nothing in this tree has"
		}
	}
	return ""
}

// defines reports whether a text gives an id to something itself. Ids that come from the words of a heading are not
// seen here: those of other tools are not always freshet's.
func (c *corpusTree) defines(id string) bool {
	for _, text := range c.markdown {
		for _, form := range []string{`{#` + id + `}`, `id="` + id + `"`, `name="` + id + `"`, `id='` + id + `'`} {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	return false
}

// mentionsAddress reports whether a text has an address as a link has it: the character before it is none of a longer one.
func mentionsAddress(text, address string) bool {
	if address == "" {
		return false
	}
	for {
		i := strings.Index(text, address)
		if i < 0 {
			return false
		}
		if i > 0 && strings.ContainsRune("(\"'<: =@\n", rune(text[i-1])) {
			return true
		}
		text = text[i+1:]
	}
}

// has reports whether a tree has a file or a document for an address.
func (c *corpusTree) has(name string) bool {
	name = strings.Trim(path.Clean("/"+name), "/")
	for _, suffix := range []string{"", ".md", "/index.md", "/_index.md", "/README.md"} {
		if c.files[name+suffix] && !c.left[name+suffix] {
			return true
		}
	}
	return false
}
