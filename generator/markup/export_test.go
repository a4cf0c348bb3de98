package markup

import (
	"bytes"
	"context"

	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"freshet/internal/site"
)

// RenderSanitised renders Markdown through the sanitiser even when it holds no raw HTML.
func (r *Renderer) RenderSanitised(in Input) *Doc {
	w := new(writer)
	w.begin(in, r.hl, &watch{ctx: context.Background()})
	src := cleanText(in.Body.Text)
	w.most = 16*len(src) + minOutput
	doc := r.mdPlain.Parse(text.NewReader(src), parser.WithContext(newParsing(w.watch, len(src))))
	s := survey{w: w, src: src}
	s.look(doc, 0)
	m := markdown{w: w, src: src}
	m.children(doc)
	html := bytes.Clone(w.out)
	w.restart()
	w.html(html, site.Markdown, src)
	return w.finish()
}

// CleanURL tells what becomes of an address: the address, and "refused", "empty", "absolute", "fragment" or
// "relative".
func CleanURL(raw string) (string, string) {
	u, c := cleanURL(raw)
	return u, [...]string{"refused", "empty", "absolute", "fragment", "relative"}[c]
}

// Anchor is the id of a heading.
func Anchor(text string) string { return anchor(text) }

// Encode and Decode are the memo's form of a Doc.
func (d *Doc) Encode() []byte { return d.encode() }

// Decode reads what Encode wrote.
func Decode(b []byte) (*Doc, error) { return decode(b) }

// RenderWatched is Render without a time, so that the context is asked by ticks alone.
func (r *Renderer) RenderWatched(ctx context.Context, in Input) (d *Doc, err error) {
	w := new(writer)
	defer func() {
		switch p := recover(); p.(type) {
		case nil:
		case stopped:
			d, err = nil, context.Cause(ctx)
			if err == nil {
				err = context.Canceled
			}
		default:
			panic(p)
		}
	}()
	w.begin(in, r.hl, &watch{ctx: ctx})
	if err := r.render(w, in); err != nil {
		return nil, err
	}
	return w.finish(), nil
}

// CutText cuts an excerpt.
func CutText(s string, n int) string { return cutText(s, n) }
