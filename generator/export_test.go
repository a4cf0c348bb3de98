package generator

import (
	"errors"
	"fmt"

	"freshet/internal/site"
)

// The bound of pages that are waited for, and what is said beyond it.
const MaxAwaited = maxAwaited

var ErrAwaited = errAwaited

// Remembered is what g knows of the current generation, as text.
func Remembered(g *Generator) string {
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v\n%v", g.memory, g.usage, g.noted, g.broken, g.pending.paths)
}

// Literal writes an address into a _redirects file.
func Literal(address string) string { return literal(address) }

// Kept is the form in which an archive keeps a document.
func Kept(state string, d site.Document) ([]byte, error) {
	a, err := openArchive(state)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.docs.Close() }()
	if err := a.putDoc(d); err != nil {
		return nil, err
	}
	b, ok := a.docs.Get(docKey(d.DocID(), d.DocRevision()))
	if !ok {
		return nil, errors.New("the document was not kept")
	}
	return b, nil
}
