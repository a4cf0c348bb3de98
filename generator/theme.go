package generator

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template/parse"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"

	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/generator/stencil"
	"freshet/internal/diag"
	"freshet/internal/digest"
)

// A Theme holds the templates and assets of a site. It is safe for concurrent use.
type Theme struct {
	sets    map[string]*template.Template // by entry
	digests map[string]digest.Sum         // by entry: covers the template and everything that it includes
	files   map[string]string             // text of every template file, for error messages
	shown   map[string]string             // file → its name in error messages
	assets  []plan.Asset

	mu       sync.Mutex
	stencils map[stencilKey]compiled // guarded by mu

	slow func() []diag.Problem // what Notes returns
}

// compiled is the compiled form of an entry, or why it has none and html/template executes it.
type compiled struct {
	stencil *stencil.Stencil
	err     error
}

// LoadTheme loads the built-in theme with the files of override, which replace or extend it. override may be nil. Error
// messages name its files with folder in front. All template errors are returned together, as a ThemeError.
func LoadTheme(builtin, override fs.FS, folder string) (*Theme, error) {
	files, shown, err := overlay(builtin, override, folder)
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	t := &Theme{sets: map[string]*template.Template{}, digests: map[string]digest.Sum{}, files: map[string]string{}, shown: shown, stencils: map[stencilKey]compiled{}}
	t.slow = sync.OnceValue(t.notes)
	var shared []string
	for name, data := range files {
		if path.Ext(name) == ".html" && !strings.HasPrefix(name, "assets/") {
			t.files[name] = string(data)
			if name == "layout.html" || strings.HasPrefix(name, "partials/") {
				shared = append(shared, name)
			}
		}
	}
	slices.Sort(shared)
	var problems []diag.Problem
	seen := map[string]bool{}
	for _, entry := range plan.Entries {
		if _, ok := t.files[entry]; !ok {
			problems = append(problems, diag.Problem{Severity: diag.Error, File: path.Join(folder, entry), Message: "the template is missing", Remedy: "every page's template must exist"})
			continue
		}
		set := template.New("").Funcs(functions)
		for _, name := range append(slices.Clone(shared), entry) {
			text := t.files[name]
			if name == entry && definesOnly(text) {
				text += `{{template "layout.html" .}}`
			}
			if _, err := set.New(name).Parse(text); err != nil {
				if p := t.problem(err); !seen[p.Error()] {
					seen[p.Error()] = true
					problems = append(problems, p)
				}
			}
		}
		if len(problems) > 0 {
			continue
		}
		sum, missing := included(set, entry)
		for _, name := range missing {
			problems = append(problems, diag.Problem{Severity: diag.Error, File: t.shown[entry],
				Message: fmt.Sprintf("it includes %q, which does not exist", name), Remedy: "add that template or mend its name"})
		}
		t.sets[entry], t.digests[entry] = set.Lookup(entry), sum
	}
	if len(problems) > 0 {
		diag.Sort(problems)
		return nil, &ThemeError{problems}
	}
	t.assets, err = assets(files, shown)
	return t, err
}

// htmlComment matches comments, which a template may contain beside its definitions.
var htmlComment = regexp.MustCompile(`(?s)<!--.*?-->`)

// definesOnly reports whether an entry only defines blocks and shows nothing itself. Hugo's templates do this and leave
// the frame to baseof.html. Such an entry is shown in layout.html. For example: {{define
// "main"}}<h1>{{.Title}}</h1>{{end}}
func definesOnly(text string) bool {
	tree := parse.New("entry")
	tree.Mode = parse.SkipFuncCheck
	defined := map[string]*parse.Tree{}
	if _, err := tree.Parse(htmlComment.ReplaceAllString(text, ""), "", "", defined); err != nil {
		return false // the error is reported where the entry is parsed
	}
	delete(defined, "entry")
	return len(defined) > 0 && parse.IsEmptyTree(tree.Root)
}

// A ThemeError lists the mistakes in the templates.
type ThemeError struct{ Problems []diag.Problem }

func (e *ThemeError) Error() string {
	if n := len(e.Problems); n > 1 {
		return fmt.Sprintf("%s, and %d more", e.Problems[0].Error(), n-1)
	}
	return e.Problems[0].Error()
}

// Digest returns the digest of an entry template and all templates that it includes.
func (t *Theme) Digest(entry string) digest.Sum { return t.digests[entry] }

// Assets returns the theme's files. Each has an address that contains the digest of its content.
func (t *Theme) Assets() []plan.Asset { return t.assets }

// Append appends a page to dst. html/template executes a template that package stencil cannot compile or that fails,
// because its error messages are better.
//
// The error is a *ThemeError. A page without <html> is an error, because the entry did not produce a whole page.
func (t *Theme) Append(dst []byte, entry string, view any) ([]byte, error) {
	start := len(dst)
	out, err := t.execute(dst, entry, view)
	if err != nil {
		return out, &ThemeError{[]diag.Problem{t.problem(err)}}
	}
	if message := incomplete(out[start:]); message != "" {
		return out, &ThemeError{[]diag.Problem{{Severity: diag.Error, File: t.shown[entry], Message: message,
			Remedy: `begin it with {{template "layout.html" .}} and define "main", or delete it to get the built-in one`}}}
	}
	return out, nil
}

func (t *Theme) execute(dst []byte, entry string, view any) ([]byte, error) {
	if c := t.stencil(entry, view); c.err == nil {
		if out, err := c.stencil.Append(dst, view); err == nil {
			return out, nil
		}
	}
	buf := bytes.NewBuffer(dst)
	err := t.sets[entry].Execute(buf, view)
	return buf.Bytes(), err
}

// htmlTag matches the start of a page after its doctype and comments.
var htmlTag = regexp.MustCompile(`(?i)<html[\s/>]`)

// incomplete explains why a page is not fit for readers; empty: it is complete.
func incomplete(page []byte) string {
	switch {
	case len(bytes.TrimSpace(page)) == 0:
		return "the page comes out empty"
	case !htmlTag.Match(page):
		return "the page comes out without <html>"
	}
	return ""
}

// stencil returns the compiled form of an entry for views of one type.
func (t *Theme) stencil(entry string, view any) compiled {
	key := stencilKey{entry, reflect.TypeOf(view)}
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.stencils[key]
	if !ok {
		c.stencil, c.err = stencil.Compile(t.sets[entry], functions, view)
		t.stencils[key] = c
	}
	return c
}

// Notes tells the theme's author which entries are rendered slowly, and because of which lines: one note for each line,
// at most one line of each entry. For example: partials/card.html calls dict, and home.html and list.html include it.
func (t *Theme) Notes() []diag.Problem { return slices.Clone(t.slow()) }

func (t *Theme) notes() []diag.Problem {
	type place struct {
		file, what string
		line, col  int
	}
	entries := map[place][]string{}
	for _, entry := range plan.Entries {
		if e, ok := errors.AsType[*stencil.UnsupportedError](t.stencil(entry, plan.EmptyView(entry)).err); ok {
			at := place{e.File, e.What, e.Line, e.Col}
			entries[at] = append(entries[at], entry)
		}
	}
	var out []diag.Problem
	for at, names := range entries {
		pages := "the pages of " + strings.Join(names, ", ")
		if len(names) == len(plan.Entries) {
			pages = "all pages"
		}
		p := diag.Problem{Severity: diag.Note, File: at.file, Line: at.line,
			Message: fmt.Sprintf("freshet renders %s several times more slowly, because of %s", pages, at.what),
			Remedy:  "the pages are right; if builds are to be fast, write it as docs/formats/templates.md says under Speed"}
		if lines := strings.Split(t.files[p.File], "\n"); p.Line > 0 && p.Line <= len(lines) {
			p.Text = lines[p.Line-1]
			p.Col = 1 + utf8.RuneCountInString(p.Text[:min(at.col-1, len(p.Text))])
		}
		if name, ok := t.shown[p.File]; ok {
			p.File = name
		}
		out = append(out, p)
	}
	diag.Sort(out)
	return out
}

type stencilKey struct {
	entry string
	view  reflect.Type
}

// overlay merges the files of builtin and override; those of override win. It also returns the names of files in error
// messages.
func overlay(builtin, override fs.FS, folder string) (files map[string][]byte, shown map[string]string, err error) {
	files, shown = map[string][]byte{}, map[string]string{}
	for i, fsys := range []fs.FS{builtin, override} {
		if fsys == nil {
			continue
		}
		err := WalkTheme(fsys, func(name string, data []byte) {
			files[name], shown[name] = data, name
			if i == 1 {
				shown[name] = path.Join(folder, name)
			}
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, shown, nil
}

// WalkTheme visits the files of a folder that belong to a theme. An absent folder is empty.
func WalkTheme(fsys fs.FS, visit func(name string, data []byte)) error {
	return walkLinks(fsys, ".", 0, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == "." {
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(path.Base(name), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || path.Ext(name) != ".html" && !strings.HasPrefix(name, "assets/") {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		visit(name, data)
		return nil
	})
}

// maxLinks limits how deeply folders that are symbolic links may be nested.
const maxLinks = 8

// walkLinks works like fs.WalkDir, but follows folders that are symbolic links, as in a mounted ConfigMap.
func walkLinks(fsys fs.FS, root string, links int, visit fs.WalkDirFunc) error {
	return fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(path.Base(name), ".") {
			if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
				if links == maxLinks {
					return fmt.Errorf("the folder %s is a symbolic link within %d others: it leads in a circle", name, links)
				}
				return walkLinks(fsys, name, links+1, visit)
			}
		}
		return visit(name, d, err)
	})
}

// functions lists the functions of templates in addition to html/template's own. None reads the clock or the
// environment.
var functions = template.FuncMap{
	"date":    func(t time.Time) string { return t.Format("2 January 2006") },
	"isodate": func(t time.Time) string { return t.Format(time.RFC3339) },
	"join":    strings.Join,
	"dict": func(pairs ...any) (map[string]any, error) {
		if len(pairs)%2 != 0 {
			return nil, errors.New("dict wants pairs of name and value")
		}
		m := make(map[string]any, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			name, ok := pairs[i].(string)
			if !ok {
				return nil, fmt.Errorf("dict wants a text as name, not %v", pairs[i])
			}
			m[name] = pairs[i+1]
		}
		return m, nil
	},
	"initials": func(name string) string {
		words := strings.Fields(name)
		if len(words) == 0 {
			return ""
		}
		first, _ := utf8.DecodeRuneInString(words[0])
		out := string(unicode.ToUpper(first))
		if len(words) > 1 {
			last, _ := utf8.DecodeRuneInString(words[len(words)-1])
			out += string(unicode.ToUpper(last))
		}
		return out
	},
}

// included returns the digest of a template with everything that it includes, and the names of missing templates.
func included(set *template.Template, entry string) (sum digest.Sum, missing []string) {
	trees := map[string]string{}
	var visit func(name string)
	visit = func(name string) {
		if _, ok := trees[name]; ok {
			return
		}
		t := set.Lookup(name)
		if t == nil || t.Tree == nil {
			missing = append(missing, name)
			return
		}
		trees[name] = t.Tree.Root.String()
		walk(t.Tree.Root, visit)
	}
	visit(entry)
	h := digest.New()
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		h.String(name)
		h.String(trees[name])
	}
	return h.Sum(), missing
}

// walk calls visit with the name of every template that the node includes.
func walk(n parse.Node, visit func(string)) {
	branch := func(b *parse.BranchNode) {
		walk(b.List, visit)
		if b.ElseList != nil {
			walk(b.ElseList, visit)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			walk(c, visit)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		visit(n.Name)
	}
}

// templateError matches the position in an error of html/template or text/template.
var templateError = regexp.MustCompile(`^(?:html/)?template: ?([^:]+):(\d+)(?::(\d+))?: (.*)$`)

// problem turns a template's error into a Problem.
func (t *Theme) problem(err error) diag.Problem {
	p := diag.Problem{Severity: diag.Error, Message: err.Error(), Remedy: "mend the template"}
	m := templateError.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return p
	}
	p.File, p.Message = m[1], m[4]
	p.Line, _ = strconv.Atoi(m[2])
	p.Col, _ = strconv.Atoi(m[3])
	if p.Col > 0 {
		p.Col++ // the template packages count columns from 0
	}
	if lines := strings.Split(t.files[p.File], "\n"); p.Line > 0 && p.Line <= len(lines) {
		p.Text = lines[p.Line-1]
	}
	if name, ok := t.shown[p.File]; ok {
		p.File = name
	}
	return p
}

// assets prepares the theme's files for publishing. It minifies scripts and style sheets, and gives each file an
// address with its digest.
func assets(files map[string][]byte, shown map[string]string) ([]plan.Asset, error) {
	m := minify.New()
	m.AddFunc("text/css", css.Minify)
	m.AddFunc("text/javascript", js.Minify)
	sheet, err := markup.HighlightCSS()
	if err != nil {
		return nil, fmt.Errorf("make highlight.css: %w", err)
	}
	if _, ok := files["assets/highlight.css"]; !ok {
		files["assets/highlight.css"] = sheet
	}
	var out []plan.Asset
	for _, file := range slices.Sorted(maps.Keys(files)) {
		name, ok := strings.CutPrefix(file, "assets/")
		if !ok {
			continue
		}
		data, contentType := files[file], plan.ContentType(name)
		if kind, _, _ := strings.Cut(contentType, ";"); kind == "text/css" || kind == "text/javascript" {
			small, err := m.Bytes(kind, data)
			if err != nil {
				return nil, &ThemeError{[]diag.Problem{{Severity: diag.Error, File: shown[file], Message: err.Error(), Remedy: "mend the file"}}}
			}
			data = small
		}
		out = append(out, plan.ThemeAsset(name, contentType, data))
	}
	return out, nil
}
