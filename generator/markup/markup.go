// Package markup turns bodies (Markdown, stored HTML, TipTap/ProseMirror JSON) into one form: safe HTML with its
// headings, slots for what depends on other documents, and a summary for lists: an excerpt says what the page says.
//
// Its promise: whatever a body holds, its HTML cannot run anything, cannot leave its place in the page, and
// rendering that HTML again changes nothing. Untrusted HTML goes through the DOM (embeds, style to class), an
// allow-list, and a writer that knows only the elements of that list. Markdown that holds no raw HTML is written
// from its syntax tree by the same writer, which escapes all text and checks all addresses, and so needs neither.
//
// The words: a [Ref] is an address that depends on the rest of the site, a [Slot] the place in the HTML where its
// attributes go, a [Target] what it turned out to be. Headings begin at h2 and skip no level, for the page's title
// is the h1; ids keep the letters and marks of every script, are unique, and never begin with "fs-", which is the
// theme's.
//
// Classes in the HTML, for style sheets: align-left, align-center, align-right, align-justify; float-left,
// float-right; size-25, size-33, size-50, size-66, size-75, size-100 (per cent of the width); mark-yellow, -green,
// -blue, -pink, -red, -orange, -purple, -grey; text-red, -green, -blue, -orange, -purple, -grey; alert with
// alert-note, -tip, -important, -warning, -caution, and alert-title; tasks, task; table-wrap; embed; footnotes,
// footnote-ref, footnote-backref; image and table on figures; chroma on code blocks. [HighlightCSS] has rules for
// them all.
//
// Failures: what is dropped or replaced is a problem in [Doc.Problems], one for each kind; a body too deep or too
// long becomes plain text with a problem; only a body that cannot be read at all is an error, which names the file.
package markup

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/yuin/goldmark/parser"

	"freshet/generator/markup/highlight"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// format is the number of our own output: it changes whenever the same body would be written differently.
const format = 5

// Bounds of what is rendered as markup; beyond them a body becomes plain text.
const (
	maxBody  = 4 << 20  // bytes, pictures embedded as base64 not counted
	maxTotal = 32 << 20 // bytes with them
	maxDepth = 480      // nested elements; the HTML parser allows 512

	minOutput = 4 << 20 // bytes of HTML that any body may make; beyond it, 16 times its length
)

// Config says how bodies are rendered.
type Config struct {
	Memo      Memo // nil: nothing is remembered
	Highlight bool // whether code blocks are highlighted

	// Time is how long a body may take before it becomes plain text; 0: 10 s.
	Time time.Duration
}

// A Renderer renders bodies. It may be used by many goroutines at once.
type Renderer struct {
	memo    Memo
	md      parser.Parser
	mdPlain parser.Parser          // md, and plain addresses
	hl      *highlight.Highlighter // nil: code stays plain
	version digest.Sum
	time    time.Duration
	slow    slowBodies
	scratch sync.Pool // *writer
}

// Input is a body to render.
type Input struct {
	Format site.Format
	Body   site.Body
	Title  string     // of the document: the body's first heading is dropped when it says the same
	File   string     // for problems
	Lang   string     // BCP 47, for the few words written into bodies ("Note", "Footnotes"); empty: English
	Key    digest.Sum // digest of Body.Text; 0: computed

	untitled bool // Title is not known, and is in the text: a first heading of the first level is it
}

// New returns a Renderer.
func New(cfg Config) *Renderer {
	r := &Renderer{
		memo: cfg.Memo, md: newMarkdownParser(false), mdPlain: newMarkdownParser(true), version: version(cfg.Highlight),
		time: cmp.Or(cfg.Time, renderTime),
	}
	if cfg.Highlight {
		r.hl = highlight.New()
	}
	r.scratch.New = func() any { return new(writer) }
	return r
}

// Version identifies everything besides the Input that a Doc depends on: the modules that parse, sanitise and
// highlight, the settings, and our own format.
func (r *Renderer) Version() digest.Sum { return r.version }

func version(highlighted bool) digest.Sum {
	h := digest.New()
	h.Uint64(format)
	h.Value(highlighted)
	modules := map[string]string{ // as built when there is no build information
		"github.com/yuin/goldmark":           "v1.8.7",
		"github.com/alecthomas/chroma/v2":    "v2.27.0",
		"github.com/microcosm-cc/bluemonday": "v1.0.27",
		"github.com/dlclark/regexp2/v2":      "v2.2.1",
		"golang.org/x/net":                   "v0.62.0",
		"golang.org/x/image":                 "v0.47.0",
		"golang.org/x/text":                  "v0.43.0",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if _, ok := modules[m.Path]; ok {
				modules[m.Path] = m.Version + " " + m.Sum
			}
		}
	}
	h.Value(modules)
	return h.Sum()
}

// bodyLine is the line of the file for line n (from 1) of a body that begins at line start; 0 when that is unknown.
func bodyLine(start, n int) int {
	if start == 0 {
		return 0
	}
	return start + n - 1
}

// Render renders a body. It ends soon after ctx, whatever the body is. A body that takes longer than its time becomes plain
// text. The error, when there is one, is that of ctx, or a *diag.Problem that names in.File.
func (r *Renderer) Render(ctx context.Context, in Input) (*Doc, error) {
	if in.Key == 0 {
		in.Key = digest.Bytes(in.Body.Text)
	}
	if in.Body.Text == nil {
		in.Body.Text = []byte{}
	}
	doc, key := r.recall(in)
	if doc != nil {
		return doc, nil
	}
	doc, err := r.make(ctx, in, key)
	if err != nil {
		return nil, err
	}
	for i := range doc.Problems {
		doc.Problems[i].File = in.File
		if doc.Problems[i].Line > 0 {
			doc.Problems[i].Line = bodyLine(in.Body.Line, doc.Problems[i].Line)
		}
	}
	return doc, nil
}

// make renders a body and keeps the result, unless that took too long: another time the machine may be faster. key is where recall
// has found no result; 0: other results are kept there.
func (r *Renderer) make(ctx context.Context, in Input, key digest.Sum) (*Doc, error) {
	w := r.scratch.Get().(*writer)
	done, err := r.attempt(ctx, w, in)
	if err != nil {
		return nil, err
	}
	if !done {
		w = new(writer)
		w.begin(in, nil, &watch{ctx: ctx})
		w.plain(cleanText(in.Body.Text), in.Format, fmt.Sprintf("the body takes longer than %v to render: it became plain text", r.time),
			"simplify the body, or divide it into several documents")
		return w.finish(), nil
	}
	doc := w.finish()
	r.scratch.Put(w)
	if r.memo != nil {
		if key == 0 {
			key = r.variantKey(in, doc.variant)
		}
		r.memo.Put(key, doc.encode())
	}
	return doc, nil
}

// attempt renders a body into w and reports whether that was done in time. After an error and when it was not done, w may be in
// any state.
func (r *Renderer) attempt(ctx context.Context, w *writer, in Input) (done bool, err error) {
	if r.slow.has(in) {
		return false, ctx.Err()
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.time, errTime)
	defer cancel()
	defer func() {
		switch p := recover(); p.(type) {
		case nil:
		case stopped:
			if err = context.Cause(ctx); err == nil {
				r.slow.add(in)
			}
		default:
			err = &diag.Problem{
				Severity: diag.Error, File: in.File, Line: in.Body.Line,
				Message: fmt.Sprintf("render the body: %v", p), Remedy: "simplify the body; the parser gave up on it",
			}
		}
	}()
	watch := &watch{ctx: limited}
	watch.look()
	w.begin(in, r.hl, watch)
	if err := r.render(w, in); err != nil {
		return false, err
	}
	return true, nil
}

func (r *Renderer) render(w *writer, in Input) error {
	text := cleanText(in.Body.Text)
	if len(text) > maxTotal || len(text) > maxBody && len(text)-base64Bytes(text) > maxBody {
		w.plain(text, in.Format, "the body is too long to render: it became plain text",
			fmt.Sprintf("split it into documents of less than %d MiB", maxBody>>20))
		return nil
	}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case unfit:
			w.plain(text, in.Format, p.message, p.remedy)
		default:
			panic(p)
		}
	}()
	w.most = 16*len(text) + minOutput
	switch in.Format {
	case site.Markdown, "":
		r.renderMarkdown(w, text)
		return nil
	case site.HTML:
		w.src = text
		w.html(text, site.HTML, text)
		w.before(text, 0)
		return nil
	case site.TipTap:
		return w.tiptap(text, in)
	}
	return &diag.Problem{
		Severity: diag.Error, File: in.File, Message: fmt.Sprintf("unknown body format %q", in.Format),
		Remedy: "use markdown, html or tiptap",
	}
}
