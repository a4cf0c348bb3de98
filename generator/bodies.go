package generator

import (
	"cmp"
	"context"
	"fmt"

	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/internal/site"
)

// bodies turns the bodies of documents into safe HTML. It takes the HTML from the result cache, or else renders the
// body from the source.
type bodies struct {
	source   Source
	renderer *markup.Renderer
}

// Body implements plan.Bodies.
func (b *bodies) Body(ctx context.Context, of plan.BodyOf) (*markup.Doc, error) {
	if of.Ref.IsZero() {
		return nil, nil
	}
	source := cmp.Or(of.Source, string(of.Ref.Doc))
	in := markup.Input{Format: of.Ref.Format, Title: of.Title, File: source, Lang: of.Lang, Key: of.Ref.Hash}
	if doc, ok := b.renderer.Cached(in); ok {
		return doc, nil
	}
	fail := func(err error) (*markup.Doc, error) {
		return nil, &docError{of.Ref.Doc, source, err}
	}
	body, err := b.source.Body(ctx, of.Ref)
	if err != nil {
		return fail(fmt.Errorf("read the body of %s: %w", of.Ref.Doc, err))
	}
	in.Body = body
	doc, err := b.renderer.Render(ctx, in)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("render the body of %s: %w", of.Ref.Doc, context.Cause(ctx))
	}
	if err != nil {
		return fail(&brokenError{fmt.Errorf("render the body of %s: %w", of.Ref.Doc, err)})
	}
	return doc, nil
}

// A locator finds the line of an address in a document's file.
type locator interface {
	Locate(source, address string, front bool) int
}

// Locate implements plan.Bodies.
func (b *bodies) Locate(source, address string, front bool) int {
	if l, ok := b.source.(locator); ok {
		return l.Locate(source, address, front)
	}
	return 0
}

// A brokenError reports that a document cannot be rendered, however often one tries.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }

func (e *brokenError) Unwrap() error { return e.err }

// cached returns the HTML of a body from the result cache, even if the source no longer has the body; nil: unknown.
func (b *bodies) cached(of plan.BodyOf) *markup.Doc {
	if of.Ref.IsZero() {
		return nil
	}
	doc, _ := b.renderer.Cached(markup.Input{Format: of.Ref.Format, Title: of.Title, Lang: of.Lang, Key: of.Ref.Hash, Body: site.Body{Line: 1}})
	return doc
}
