package contentdir

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/extjson"
	"freshet/internal/frontmatter"
	"freshet/internal/site"
	"freshet/internal/stored"
)

// A Library keeps documents of the collections blogs and courses as files of a content tree, each as it was given. The
// documents that authors have written there are in it too, as far as they are posts and courses. Its methods are for
// one goroutine.
type Library struct {
	dir    string
	src    *Source
	byID   map[string]*kept // by collection and _id
	bySlug map[string][]*kept
	all    []*kept
	byPath map[string]*kept // by the path of the file, or of the course's folder
}

// A kept is a document of the tree.
type kept struct {
	coll    string
	path    string // of the file, or of the course's _index.md
	id      string // canonical Extended JSON; empty: it has none
	slug    string
	written site.Document // by an author, not stored; nil: it is stored
	bad     error         // why an author's file is no document
}

// OpenLibrary reads which documents a content tree has. The folder need not exist.
func OpenLibrary(ctx context.Context, cfg Config) (*Library, error) {
	dir := cfg.Dir
	src, err := New(cfg)
	if err != nil {
		return nil, err
	}
	src.writtenOnly = true
	l := &Library{dir: dir, src: src, byID: map[string]*kept{}, bySlug: map[string][]*kept{}, byPath: map[string]*kept{}}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	w, err := src.walk(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	for _, f := range w.files {
		if _, ok := markdownName(path.Base(f.path)); !ok || strings.HasPrefix(f.path, "static/") {
			continue
		}
		data, err := l.read(f.path)
		if err != nil {
			return nil, err
		}
		p, prob := frontmatter.Parse(data)
		if prob != nil || !p.Stored() {
			continue
		}
		file, err := stored.Decode(data, l.src.zone)
		if prob, ok := errors.AsType[*diag.Problem](err); ok {
			prob.File = src.shown(f.path)
			return nil, prob
		}
		if err != nil {
			// What it holds is not known, so nothing can be told from it apart.
			return nil, fmt.Errorf("%s: %w", src.shown(f.path), err)
		}
		if file.Stored {
			l.note(collOf(f.path), f.path, file.Doc)
		}
	}
	ch, err := src.Scan(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, d := range ch.Put {
		switch d := d.(type) {
		case *site.Post:
			if l.byPath[d.Source] == nil {
				l.add(&kept{coll: stored.Blogs, path: d.Source, slug: string(d.Slug), written: d})
			}
		case *site.Course:
			if l.byPath[d.Source] == nil {
				l.add(&kept{coll: stored.Courses, path: cmp.Or(d.Source, string(d.ID)), slug: string(d.Slug), written: d})
			}
		}
	}
	for _, skip := range ch.Skipped {
		if name := string(skip.ID); l.byPath[name] == nil {
			k := &kept{coll: stored.Blogs, path: name, bad: errors.New(skip.Reason)}
			if r := src.tree.record(name); r != nil && courseAbove(r.dir) != nil {
				k.coll = stored.Courses
			}
			l.add(k)
		}
	}
	slices.SortFunc(l.all, func(a, b *kept) int { return strings.Compare(a.path, b.path) })
	return l, nil
}

// collOf tells the collection of a stored document by where its file lies.
func collOf(name string) string {
	if path.Base(name) == "_index.md" {
		return stored.Courses
	}
	return stored.Blogs
}

func (l *Library) read(name string) ([]byte, error) {
	f, err := l.src.open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.src.shown(name), err)
	}
	defer f.Close()
	data, err := readAll(f, make([]byte, 0, 8<<10))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.src.shown(name), err)
	}
	return data, nil
}

// note adds a stored document, or says anew what is known of it.
func (l *Library) note(coll, name string, d extjson.Doc) *kept {
	k := &kept{coll: coll, path: name}
	if id, ok := d.Get("_id"); ok {
		k.id = idKey(id)
	}
	if slug, ok := d.Get("slug"); ok && slug.Type == extjson.String {
		k.slug = slug.Text
	}
	l.add(k)
	return k
}

func (l *Library) add(k *kept) {
	l.all = append(l.all, k)
	l.byPath[k.path] = k
	if n, _ := markdownName(path.Base(k.path)); n.text != noText && path.Dir(k.path) != "." {
		l.byPath[path.Dir(k.path)] = k
	}
	if k.id != "" {
		l.byID[k.coll+"\x00"+k.id] = k
	}
	if k.slug != "" {
		key := k.coll + "\x00" + k.slug
		l.bySlug[key] = append(l.bySlug[key], k)
	}
}

func idKey(id extjson.Value) string { return string(id.Append(nil, extjson.Canonical)) }

// Has reports whether a content tree keeps documents of a collection.
func (l *Library) Has(_ context.Context, coll string) (bool, error) {
	return coll == stored.Blogs || coll == stored.Courses, nil
}

// Check returns a warning about a document that a content tree keeps but cannot show; empty: there is none.
func (l *Library) Check(coll string, d extjson.Doc) (field, message, remedy string) {
	if stored.Showable(coll, d) {
		return "", "", ""
	}
	return "content", "the content is of no form that a Markdown file can show: it is kept among the fields, and its page has no text",
		"store HTML in htmlContent, or build from MongoDB"
}

// Find calls each with the documents of a collection that have one of the ids or one of the slugs, each once, with
// where it lies. fixed says that an author wrote it, so that no import may change it.
func (l *Library) Find(ctx context.Context, coll string, ids []extjson.Value, slugs []string, each func(d extjson.Doc, where string, fixed bool) error) error {
	seen := map[*kept]bool{}
	give := func(k *kept) error {
		if k == nil || seen[k] {
			return nil
		}
		seen[k] = true
		d, err := l.doc(ctx, k)
		if err != nil {
			return err
		}
		return each(d, l.src.shown(k.path), k.written != nil)
	}
	for _, id := range ids {
		if err := give(l.byID[coll+"\x00"+idKey(id)]); err != nil {
			return err
		}
	}
	for _, slug := range slugs {
		for _, k := range l.bySlug[coll+"\x00"+slug] {
			if err := give(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// Each calls each with every document of a collection, in the order of their files. A document that cannot be read is
// given as an error of its own, which each may keep or return.
func (l *Library) Each(ctx context.Context, coll string, each func(d extjson.Doc, where string, err error) error) error {
	for _, k := range l.all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if k.coll != coll {
			continue
		}
		d, err := l.doc(ctx, k)
		if err := each(d, l.src.shown(k.path), err); err != nil {
			return err
		}
	}
	return nil
}

// doc reads a document.
func (l *Library) doc(ctx context.Context, k *kept) (extjson.Doc, error) {
	if k.bad != nil {
		return nil, fmt.Errorf("%s: %w", l.src.shown(k.path), k.bad)
	}
	if k.written != nil {
		return l.convert(ctx, k.written)
	}
	file, err := l.decode(k.path)
	if err != nil {
		return nil, err
	}
	if k.coll != stored.Courses || file.List == "" {
		return file.Doc, nil
	}
	var modules []extjson.Value
	dirs, _, err := l.list(path.Dir(k.path))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		m, err := l.module(dir)
		if err != nil {
			return nil, err
		}
		modules = append(modules, extjson.Embedded(m))
	}
	return file.Fill(modules), nil
}

func (l *Library) decode(name string) (stored.Decoded, error) {
	data, err := l.read(name)
	if err != nil {
		return stored.Decoded{}, err
	}
	file, err := stored.Decode(data, l.src.zone)
	if prob, ok := errors.AsType[*diag.Problem](err); ok {
		prob.File = l.src.shown(name)
		return file, prob
	}
	if err != nil {
		return file, fmt.Errorf("%s: %w", l.src.shown(name), err)
	}
	return file, nil
}

func (l *Library) module(dir string) (extjson.Doc, error) {
	_, files, err := l.list(dir)
	if err != nil {
		return nil, err
	}
	m := stored.Decoded{}
	if i := slices.Index(files, path.Join(dir, "_index.md")); i >= 0 {
		files = slices.Delete(files, i, i+1)
		if m, err = l.decode(path.Join(dir, "_index.md")); err != nil {
			return nil, err
		}
	} else {
		m.Doc = extjson.Doc{{Key: "title", Value: extjson.Text(titleOf(path.Base(dir)))}}
	}
	if m.List == "" {
		if len(files) == 0 {
			return m.Doc, nil
		}
		m.List = "lessons" // an author has added the first ones
	}
	var lessons []extjson.Value
	for _, name := range files {
		lesson, err := l.decode(name)
		if err != nil {
			return nil, err
		}
		lessons = append(lessons, extjson.Embedded(lesson.Doc))
	}
	return m.Fill(lessons), nil
}

// list gives the folders and the Markdown files of a folder in the order of a course.
func (l *Library) list(dir string) (dirs, files []string, err error) {
	entries, err := os.ReadDir(l.src.file(dir))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", l.src.shown(dir), err)
	}
	for _, e := range entries {
		_, isMarkdown := markdownName(e.Name())
		switch {
		case skipped(e.Name(), e.IsDir()):
		case e.IsDir():
			dirs = append(dirs, path.Join(dir, e.Name()))
		case isMarkdown:
			files = append(files, path.Join(dir, e.Name()))
		}
	}
	inOrder := func(a, b string) int { return placeOf(path.Base(a), nil).compare(placeOf(path.Base(b), nil)) }
	slices.SortFunc(dirs, inOrder)
	slices.SortFunc(files, inOrder)
	return dirs, files, nil
}

// A TooLargeError says that a document does not fit into a file that a content tree reads.
type TooLargeError struct{ Bytes int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the document has %d MB as a file, and a content tree reads %d", e.Bytes>>20, frontmatter.MaxBytes>>20)
}

// Put stores documents, each in the place of the one with its _id, or with its slug where it has no _id, else as a new
// one. refused says which of them cannot be kept, and why; err ends the work. No file is left half written; a course's
// own text is written last, when all of its lessons are there.
func (l *Library) Put(ctx context.Context, coll string, docs []extjson.Doc) (refused map[int]error, err error) {
	for i, d := range docs {
		if err := ctx.Err(); err != nil {
			return refused, err
		}
		err := l.put(coll, d)
		if large, ok := errors.AsType[*TooLargeError](err); ok {
			if refused == nil {
				refused = map[int]error{}
			}
			refused[i] = large
		} else if err != nil {
			return refused, err
		}
	}
	return refused, nil
}

func (l *Library) put(coll string, d extjson.Doc) error {
	if coll != stored.Blogs && coll != stored.Courses {
		return fmt.Errorf("a content tree keeps no collection %s", coll)
	}
	k := l.same(coll, d)
	name := ""
	if k != nil {
		name = k.path
	} else {
		name = l.newName(coll, d)
	}
	var files []stored.File
	if coll == stored.Blogs {
		files = []stored.File{{Name: name, Data: stored.EncodePost(d)}}
	} else {
		files = stored.EncodeCourse(d, path.Dir(name))
	}
	for _, f := range files {
		if len(f.Data) > frontmatter.MaxBytes {
			return &TooLargeError{len(f.Data)}
		}
	}
	for _, f := range slices.Backward(files) {
		if err := l.write(f); err != nil {
			return err
		}
	}
	if coll == stored.Courses {
		if err := l.prune(path.Dir(name), files); err != nil {
			return err
		}
	}
	if k != nil {
		l.forget(k)
	}
	l.note(coll, name, d)
	return nil
}

// same finds the stored document that another takes the place of.
func (l *Library) same(coll string, d extjson.Doc) *kept {
	if id, ok := d.Get("_id"); ok {
		return l.byID[coll+"\x00"+idKey(id)]
	}
	slug, _ := d.Get("slug")
	for _, k := range l.bySlug[coll+"\x00"+slug.Text] {
		if k.written == nil && k.id == "" {
			return k
		}
	}
	return nil
}

func (l *Library) forget(k *kept) {
	is := func(o *kept) bool { return o == k }
	l.all = slices.DeleteFunc(l.all, is)
	if key := k.coll + "\x00" + k.id; l.byID[key] == k {
		delete(l.byID, key)
	}
	key := k.coll + "\x00" + k.slug
	l.bySlug[key] = slices.DeleteFunc(l.bySlug[key], is)
}

// newName is where a new document is kept: under its slug, and its _id where that is taken.
func (l *Library) newName(coll string, d extjson.Doc) string {
	id, _ := d.Get("_id")
	slug := stored.SlugOf(d)
	if n, ok := markdownName(slug + ".md"); slug == "" || ok && n.text != noText {
		slug = strings.Trim(slug+"-"+cmp.Or(string(site.MakeSlug(id.Text)), "1"), "-")
	}
	slug = cmp.Or(slug, "untitled")
	for i, try := 0, slug; ; i++ {
		name, taken := "blog/"+try+".md", "blog/"+try+".md"
		if coll == stored.Courses {
			name, taken = "courses/"+try+"/_index.md", "courses/"+try
		}
		_, err := os.Lstat(l.src.file(taken))
		if l.byPath[taken] == nil && errors.Is(err, fs.ErrNotExist) {
			return name
		}
		// "_" sorts behind ".": of documents that claim one address, the one that came first keeps it.
		suffix := strconv.Itoa(i + 2)
		if i == 0 && id.Text != "" {
			suffix = string(site.MakeSlug(id.Text))
		}
		try = slug + "_" + suffix
	}
}

// write brings a file to disk whole.
func (l *Library) write(f stored.File) error {
	name := l.src.file(f.Name)
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, f.Data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	// A name that begins with a dot is no content, should it be left behind.
	tmp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp")
	err := os.WriteFile(tmp, f.Data, 0o666)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		_ = os.Remove(tmp) // the error that counts is the first
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// prune removes the modules and lessons that a course no longer has. Files that are no Markdown stay.
func (l *Library) prune(dir string, files []stored.File) error {
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.Name] = true
	}
	dirs, _, err := l.list(dir)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		_, names, err := l.list(d)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !wanted[name] {
				if err := os.Remove(l.src.file(name)); err != nil {
					return fmt.Errorf("remove %s: %w", l.src.shown(name), err)
				}
			}
		}
		if !wanted[path.Join(d, "_index.md")] {
			_ = os.Remove(l.src.file(d)) // a folder that is not empty stays
		}
	}
	return nil
}
