package generator

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/memo"
	"freshet/internal/site"
)

// A baseline is what a process saves so that the first build of the next process only looks at changes: the revisions
// of the documents in the newest generation, and what planning learned. It is only a shortcut. Without a baseline, or
// if generation, settings, templates or renderer differ, every page is planned.
type baseline struct {
	Generation uint64
	Config     digest.Sum // digest of everything else that pages depend on
	Now        time.Time
	Revisions  map[site.ID]site.Revision
	Links      map[digest.Sum][]site.ID
	Assets     map[site.Path][]site.Path
	Noted      map[site.Path][]diag.Problem
}

// An archive stores baselines. The zero value stores nothing.
type archive struct {
	path string     // file of the newest baseline
	docs *memo.File // documents by id and revision
}

// Files in the state folder.
const (
	baselineName  = "baseline"
	documentsName = "memo/documents"
)

// openArchive opens the archive in the state folder.
func openArchive(dir string) (archive, error) {
	docs, err := memo.Open(filepath.Join(dir, documentsName), format)
	if err != nil {
		return archive{}, fmt.Errorf("open the memory of documents: %w", err)
	}
	return archive{filepath.Join(dir, baselineName), docs}, nil
}

func docKey(id site.ID, rev site.Revision) digest.Sum {
	h := digest.New()
	h.String(string(id))
	h.Uint64(uint64(rev))
	return h.Sum()
}

// keptDoc is a stored document. Exactly one field is set.
type keptDoc struct {
	Post   *site.Post   `json:",omitempty"`
	Course *site.Course `json:",omitempty"`
	Page   *site.Page   `json:",omitempty"`
	File   *site.File   `json:",omitempty"`
}

func (a archive) putDoc(d site.Document) error {
	var k keptDoc
	switch d := d.(type) {
	case *site.Post:
		k.Post = d
	case *site.Course:
		k.Course = d
	case *site.Page:
		k.Page = d
	case *site.File:
		k.File = d
	}
	b, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep %s: %w", d.DocID(), err)
	}
	a.docs.Put(docKey(d.DocID(), d.DocRevision()), b)
	return nil
}

// doc returns a stored revision of a document, or nil.
func (a archive) doc(id site.ID, rev site.Revision) site.Document {
	b, ok := a.docs.Get(docKey(id, rev))
	if !ok {
		return nil
	}
	var k keptDoc
	if json.Unmarshal(b, &k) != nil {
		return nil
	}
	var d site.Document
	switch {
	case k.Post != nil:
		d = k.Post
	case k.Course != nil:
		d = k.Course
	case k.Page != nil:
		d = k.Page
	case k.File != nil:
		d = k.File
	}
	if d == nil || d.DocID() != id || d.DocRevision() != rev {
		return nil
	}
	return d
}

// load reads the newest baseline; nil: there is none.
func (a archive) load() *baseline {
	f, err := os.Open(a.path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var b baseline
	if gob.NewDecoder(f).Decode(&b) != nil {
		return nil
	}
	return &b
}

func (a archive) save(b *baseline) (err error) {
	tmp := a.path + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return fmt.Errorf("keep the baseline: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	if err := gob.NewEncoder(f).Encode(b); err != nil {
		return errors.Join(fmt.Errorf("keep the baseline: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("keep the baseline: %w", err)
	}
	return os.Rename(tmp, a.path)
}

// configSum returns the digest of everything that pages depend on besides the source.
func (g *Generator) configSum() digest.Sum {
	h := digest.New()
	h.Uint64(uint64(g.planner.ConfigSum()))
	h.Value(g.cfg.Drafts)
	return h.Sum()
}

// resume continues from the baseline of another process. It returns the changes since then and sets known. It also
// restores the planner of the newest generation, unless settings or templates have changed. Without a usable baseline
// it does nothing.
func (g *Generator) resume(now time.Time) []site.Change {
	if g.archive.docs == nil {
		return nil
	}
	base := g.archive.load()
	if base == nil || base.Generation != g.cfg.Store.Current().ID || base.Generation == 0 {
		return nil
	}
	undo := &site.Changes{}
	seen := 0
	for d := range g.snap.Docs() {
		id := d.DocID()
		rev, had := base.Revisions[id]
		if had {
			seen++
		}
		switch {
		case !had:
			undo.Drop = append(undo.Drop, id)
		case rev != d.DocRevision():
			old := g.archive.doc(id, rev)
			if old == nil {
				return nil
			}
			undo.Put = append(undo.Put, old)
		}
	}
	if seen < len(base.Revisions) {
		for id, rev := range base.Revisions {
			if g.snap.Doc(id) == nil {
				old := g.archive.doc(id, rev)
				if old == nil {
					return nil
				}
				undo.Put = append(undo.Put, old)
			}
		}
	}
	was, back := g.snap.Apply(undo, base.Now)
	changes := make([]site.Change, len(back))
	for i, c := range back {
		changes[i] = site.Change{Old: c.New, New: c.Old}
	}
	g.known = true
	g.usage.restore(base.Assets)
	if base.Config != g.configSum() || base.Now.After(now) {
		return changes
	}
	g.planner.RestoreLinks(base.Links)
	g.noted = base.Noted
	if g.noted == nil {
		g.noted = map[site.Path][]diag.Problem{}
	}
	g.built = g.planner.On(was)
	return changes
}

// keep saves a baseline of the newest generation.
func (g *Generator) keep() error {
	if g.archive.docs == nil || g.built == nil || !g.unkept || g.pending.len() > 0 {
		return nil
	}
	base := &baseline{
		Generation: g.cfg.Store.Current().ID, Config: g.configSum(), Now: g.snap.Now(),
		Revisions: make(map[site.ID]site.Revision, g.snap.Len()), Links: g.planner.Links(), Assets: g.usage.of, Noted: g.noted,
	}
	for d := range g.snap.Docs() {
		base.Revisions[d.DocID()] = d.DocRevision()
		if err := g.archive.putDoc(d); err != nil {
			return err
		}
	}
	if err := g.archive.docs.Flush(); err != nil {
		return fmt.Errorf("keep documents: %w", err)
	}
	if err := g.archive.save(base); err != nil {
		return err
	}
	g.unkept = false
	return nil
}

// Close saves the baseline for the next process. It does not close what Config contains.
func (g *Generator) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.archive.docs == nil {
		return nil
	}
	err := g.keep()
	if err == nil {
		g.seal()
	}
	if err == nil && g.built != nil { // otherwise this process has read nothing from the archive, and Trim would drop it
		err = g.archive.docs.Trim()
	}
	err = errors.Join(err, g.archive.docs.Close())
	g.archive = archive{}
	return err
}
