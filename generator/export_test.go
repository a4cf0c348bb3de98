package generator

import "fmt"

// The bound of pages that are waited for, and what is said beyond it.
const MaxAwaited = maxAwaited

var ErrAwaited = errAwaited

// Remembered is what g knows of the current generation, as text.
func Remembered(g *Generator) string {
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v\n%v", g.memory, g.usage, g.noted, g.broken, g.pending.paths)
}

// Literal writes an address into a _redirects file.
func Literal(address string) string { return literal(address) }
