package highlight

import "github.com/alecthomas/chroma/v2"

// A classing is the class of each type of token.
type classing struct {
	types map[chroma.TokenType]string // those in spans
	index [8100]uint8                 // by type, into names
	names []string
}

// plainTypes are the types that look like text and so need no span.
var plainTypes = map[chroma.TokenType]bool{
	chroma.Text: true, chroma.TextWhitespace: true, chroma.TextSymbol: true, chroma.TextPunctuation: true,
	chroma.Name: true, chroma.NameOther: true, chroma.Punctuation: true, chroma.Generic: true,
}

// classTable holds chroma's own short names.
var classTable = func() *classing {
	c := &classing{types: map[chroma.TokenType]string{}, names: []string{""}}
	numbers := map[string]uint8{"": 0}
	for t := chroma.TokenType(1); int(t) < len(c.index); t++ {
		if !t.IsATokenType() || plainTypes[t] {
			continue
		}
		class := ""
		for p := t; p > 0 && class == "" && !plainTypes[p]; p = p.Parent() {
			class = chroma.StandardTypes[p]
		}
		if class == "" {
			continue
		}
		if _, ok := numbers[class]; !ok {
			numbers[class] = uint8(len(c.names))
			c.names = append(c.names, class)
		}
		c.types[t] = class
		c.index[t] = numbers[class]
	}
	return c
}()

// errorClass is the class of what a lexer could not read.
const errorClass = "err"

// class is the class of a type; empty: no span.
func (c *classing) class(t chroma.TokenType) string {
	if t == chroma.Error {
		return errorClass
	}
	if t < 0 || int(t) >= len(c.index) {
		return ""
	}
	return c.names[c.index[t]]
}
