// Package transfer moves documents between exports, content trees and MongoDB: import takes them in, export gives them
// out again.
//
// What is stored is what was given; repairing it is the build's work. A document is known by its _id, by its slug only
// where it has no _id. One whose slug another document has is a conflict: both are named, and nothing is overwritten.
// An import that was stopped is run again: what is there already is found to be the same, and the rest follows.
package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"freshet/internal/diag"
	"freshet/internal/extjson"
)

// A Library is where documents are kept: a content tree or a database.
type Library interface {
	// Find calls each with the documents of a collection that have one of the ids or one of the slugs. where says for
	// the user which it is; fixed, that it cannot be replaced.
	Find(ctx context.Context, coll string, ids []extjson.Value, slugs []string, each func(d extjson.Doc, where string, fixed bool) error) error
	// Put stores documents: each in the place of the one with its _id, or with its slug where it has no _id, else as a
	// new one. refused says which cannot be kept, and why.
	Put(ctx context.Context, coll string, docs []extjson.Doc) (refused map[int]error, err error)
	// Each calls each with every document of a collection. One that cannot be read is given as err.
	Each(ctx context.Context, coll string, each func(d extjson.Doc, where string, err error) error) error
}

// batchDocs and batchBytes bound what is stored at a time: some servers hang at 100 statements in one command, and none
// takes a message beyond 48 MB.
const (
	batchDocs  = 99
	batchBytes = 12 << 20
)

// Config says where an import goes.
type Config struct {
	To          Library
	Collections []string // that To keeps; empty: any
	Collection  string   // of every document; empty: told by shape, else by file name
	DryRun      bool     // nothing is stored
	Uploads     *Uploads // nil: pictures are left alone
	Progress    func(read int)
	// Check says what the place where a document is going makes of it, as a warning; an empty message is none.
	Check func(coll string, d extjson.Doc) (field, message, remedy string)
}

// A Report says what an import did, or would do.
type Report struct {
	Read      int `json:"read"` // documents that could be read
	Added     int `json:"added"`
	Replaced  int `json:"replaced"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"` // documents that were not stored, and what is none
	Copied    int `json:"uploads"` // pictures copied
	// Collections says how many documents are in each collection now, whether this import has stored them or they were there.
	Collections map[string]int `json:"collections"`
	Problems    []diag.Problem `json:"problems"` // of severity error: something was not stored
}

// Write writes the report of an import into a place as text. called returns what the place calls a collection; nil: collections are not
// listed.
func (rep *Report) Write(w io.Writer, place string, called func(coll string) string, dryRun bool) error {
	prefix := ""
	if dryRun {
		prefix = "dry run: "
	}
	var b bytes.Buffer
	if called != nil {
		for _, coll := range slices.Sorted(maps.Keys(rep.Collections)) {
			fmt.Fprintf(&b, "%s%s: %s\n", prefix, called(coll), diag.Count(rep.Collections[coll], "document"))
		}
	}
	fmt.Fprintf(&b, "%s%s into %s: %d added, %d replaced, %d unchanged, %d refused\n",
		prefix, diag.Count(rep.Read, "document"), place, rep.Added, rep.Replaced, rep.Unchanged, rep.Refused)
	if rep.Copied > 0 {
		fmt.Fprintf(&b, "%s%s copied\n", prefix, diag.Count(rep.Copied, "upload"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// An Importer takes documents in. They are stored in batches; Finish stores the last ones.
type Importer struct {
	cfg     Config
	rep     Report
	batches map[string]*batch
	ids     map[string]*source // by collection and _id
	slugs   map[string]owner   // by collection and slug: the document that has it
}

// A source is where a document with an _id was given.
type source struct {
	where, slug string
	placed      bool // it has been decided that it is stored
}

// An owner is the document that has a slug.
type owner struct {
	id    string // canonical _id; empty: it has none
	where string
}

type batch struct {
	docs  []given
	bytes int
}

// given is a document on its way.
type given struct {
	doc  extjson.Doc
	file string
	line int
	id   string
	slug string
}

func (g *given) where() string {
	if g.line > 0 {
		return fmt.Sprintf("%s:%d", g.file, g.line)
	}
	return g.file
}

// NewImporter returns an Importer.
func NewImporter(cfg Config) (*Importer, error) {
	if cfg.To == nil {
		return nil, errors.New("transfer: Config.To is missing")
	}
	return &Importer{cfg: cfg, rep: Report{Problems: []diag.Problem{}, Collections: map[string]int{}}, batches: map[string]*batch{}, ids: map[string]*source{}, slugs: map[string]owner{}}, nil
}

// problem reports something about a document.
func (im *Importer) problem(sev diag.Severity, g *given, field, message, remedy string) {
	im.rep.Problems = append(im.rep.Problems, diag.Problem{Severity: sev, File: g.file, Line: g.line, ID: name(g.doc), Field: field, Message: message, Remedy: remedy})
}

// refuse reports a document that is not stored.
func (im *Importer) refuse(g *given, field, message, remedy string) {
	im.rep.Refused++
	im.problem(diag.Error, g, field, message, remedy)
}

// Reject takes what is no document.
func (im *Importer) Reject(problems ...diag.Problem) {
	for _, p := range problems {
		if p.Severity == diag.Error {
			im.rep.Refused++
		}
	}
	im.rep.Problems = append(im.rep.Problems, problems...)
}

// Add takes a document. An error ends the import; what is wrong with the document itself is in the report.
func (im *Importer) Add(ctx context.Context, file string, line int, coll string, d extjson.Doc) error {
	im.rep.Read++
	if im.cfg.Progress != nil {
		im.cfg.Progress(im.rep.Read)
	}
	g := given{doc: d, file: file, line: line}
	if coll == "" {
		coll = im.cfg.Collection
	}
	if coll == "" {
		coll = CollectionOf(d, file)
	}
	switch {
	case coll == "":
		im.refuse(&g, "", "neither the fields of this document nor the name of the file tell its collection", "name it with --collection")
		return nil
	case len(im.cfg.Collections) > 0 && !slices.Contains(im.cfg.Collections, coll):
		im.refuse(&g, "", fmt.Sprintf("a content tree keeps no collection %s", coll), "import it into MongoDB")
		return nil
	}
	if slug, ok := d.Get("slug"); ok && slug.Type == extjson.String {
		g.slug = slug.Text
	}
	if id, ok := d.Get("_id"); ok {
		if id.Type == extjson.Array {
			im.refuse(&g, "_id", "the _id is an array, which MongoDB does not store", "give it another")
			return nil
		}
		g.id = string(id.Append(nil, extjson.Canonical))
		if first := im.ids[coll+"\x00"+g.id]; first != nil {
			im.refuse(&g, "_id", fmt.Sprintf("the document at %s has the same _id %s", first.where, name(d)), "keep one of them")
			return nil
		}
		im.ids[coll+"\x00"+g.id] = &source{where: g.where(), slug: g.slug}
	} else if g.slug == "" {
		im.refuse(&g, "slug", "the document has neither an _id nor a slug, so a second import could not tell it from another", "give it a slug")
		return nil
	}
	b := im.batches[coll]
	if b == nil {
		b = &batch{}
		im.batches[coll] = b
	}
	b.docs = append(b.docs, g)
	b.bytes += size(extjson.Embedded(d))
	if len(b.docs) >= batchDocs || b.bytes >= batchBytes {
		return im.flush(ctx, coll)
	}
	return nil
}

// size is about how many bytes a value has.
func size(v extjson.Value) int {
	n := 16 + len(v.Text)
	for i := range v.Doc {
		n += len(v.Doc[i].Key) + size(v.Doc[i].Value)
	}
	for i := range v.Items {
		n += size(v.Items[i])
	}
	return n
}

// Finish stores what is left and copies pictures. The report is whole even where an error ended the work.
func (im *Importer) Finish(ctx context.Context) (*Report, error) {
	for _, coll := range slices.Sorted(maps.Keys(im.batches)) {
		if err := im.flush(ctx, coll); err != nil {
			return im.Report(), err
		}
	}
	if im.cfg.Uploads != nil {
		if err := im.cfg.Uploads.copy(ctx, im); err != nil {
			return im.Report(), err
		}
	}
	return im.Report(), nil
}

// Report is what has been done so far.
func (im *Importer) Report() *Report {
	diag.Sort(im.rep.Problems)
	return &im.rep
}

// present is a document that the library has.
type present struct {
	doc   extjson.Doc
	where string
	fixed bool
	id    string
	slug  string
}

// flush decides what becomes of each document of a batch, and stores them.
func (im *Importer) flush(ctx context.Context, coll string) error {
	b := im.batches[coll]
	docs := b.docs
	b.docs, b.bytes = nil, 0
	if len(docs) == 0 {
		return nil
	}
	var ids []extjson.Value
	var slugs []string
	for _, g := range docs {
		if id, ok := g.doc.Get("_id"); ok {
			ids = append(ids, id)
		}
		if g.slug != "" {
			slugs = append(slugs, g.slug)
		}
	}
	byID, bySlug := map[string]*present{}, map[string][]*present{}
	err := im.cfg.To.Find(ctx, coll, ids, slugs, func(d extjson.Doc, where string, fixed bool) error {
		p := &present{doc: d, where: where, fixed: fixed}
		if id, ok := d.Get("_id"); ok {
			p.id = string(id.Append(nil, extjson.Canonical))
			byID[p.id] = p
		}
		if slug, ok := d.Get("slug"); ok && slug.Type == extjson.String && slug.Text != "" {
			p.slug = slug.Text
			bySlug[p.slug] = append(bySlug[p.slug], p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var put []given
	var isNew []bool
	for _, g := range docs {
		old, ok := im.place(coll, &g, byID, bySlug)
		if !ok {
			continue
		}
		if im.cfg.Uploads != nil {
			im.cfg.Uploads.note(g.doc)
		}
		if im.cfg.Check != nil {
			if field, message, remedy := im.cfg.Check(coll, g.doc); message != "" {
				im.problem(diag.Warning, &g, field, message, remedy)
			}
		}
		if old != nil && old.doc.Equal(g.doc) {
			im.rep.Unchanged++
			im.rep.Collections[coll]++
			continue
		}
		put, isNew = append(put, g), append(isNew, old == nil)
	}
	var refused map[int]error
	if !im.cfg.DryRun && len(put) > 0 {
		list := make([]extjson.Doc, len(put))
		for i := range put {
			list[i] = put[i].doc
		}
		if refused, err = im.cfg.To.Put(ctx, coll, list); err != nil {
			return err
		}
	}
	for i := range put {
		switch {
		case refused[i] != nil:
			im.refuse(&put[i], "", refused[i].Error(), "the others are stored; mend this one and import it again")
		case isNew[i]:
			im.rep.Added++
			im.rep.Collections[coll]++
		default:
			im.rep.Replaced++
			im.rep.Collections[coll]++
		}
	}
	return nil
}

// place finds the document that another takes the place of; nil: it is new. ok is false when it cannot be stored.
func (im *Importer) place(coll string, g *given, byID map[string]*present, bySlug map[string][]*present) (old *present, ok bool) {
	if g.id == "" {
		for _, p := range bySlug[g.slug] {
			switch {
			case p.fixed:
				im.conflict(g, p.where, p.id)
				return nil, false
			case old != nil:
				im.refuse(g, "slug", fmt.Sprintf("the slug %q is that of both %s and %s, so it does not tell which this document is", g.slug, old.where, p.where), "give it the _id of one of them")
				return nil, false
			}
			old = p
		}
		if old != nil && old.id != "" {
			id, _ := old.doc.Get("_id")
			g.doc, g.id = append(extjson.Doc{{Key: "_id", Value: id}}, g.doc...), old.id
		}
	} else {
		old = byID[g.id]
		for _, p := range bySlug[g.slug] {
			if p.id != g.id && !im.moved(coll, p) {
				im.conflict(g, p.where, p.id)
				return nil, false
			}
		}
	}
	if g.slug != "" {
		key := coll + "\x00" + g.slug
		if first, taken := im.slugs[key]; taken && (g.id == "" || first.id != g.id) {
			im.conflict(g, first.where, first.id)
			return nil, false
		}
		im.slugs[key] = owner{g.id, g.where()}
	}
	if s := im.ids[coll+"\x00"+g.id]; s != nil {
		s.placed = true
	}
	return old, true
}

// moved reports whether this import has given a document of the library another slug than the one it was found by.
func (im *Importer) moved(coll string, p *present) bool {
	s := im.ids[coll+"\x00"+p.id]
	return p.id != "" && s != nil && s.placed && s.slug != p.slug
}

// conflict reports a document whose slug is another's.
func (im *Importer) conflict(g *given, where, id string) {
	other := "which has no _id"
	if id != "" {
		other = "whose _id is " + shortID(id)
	}
	own := "this one has none"
	if v, ok := g.doc.Get("_id"); ok {
		own = "this one's is " + shortID(string(v.Append(nil, extjson.Canonical)))
	}
	im.refuse(g, "slug", fmt.Sprintf("the slug %q is that of %s, %s; %s", g.slug, where, other, own), "give one of them another slug; nothing was overwritten")
}

// name is a document's _id as messages have it; "" when it has none.
func name(d extjson.Doc) string {
	id, ok := d.Get("_id")
	if !ok {
		return ""
	}
	return shortID(string(id.Append(nil, extjson.Canonical)))
}

// shortID shows an ObjectId by its digits, and any other _id as it is.
func shortID(canonical string) string {
	const oid = `{"$oid":"`
	if len(canonical) == len(oid)+24+2 && canonical[:len(oid)] == oid {
		return canonical[len(oid) : len(oid)+24]
	}
	return canonical
}
