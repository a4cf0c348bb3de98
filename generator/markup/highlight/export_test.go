package highlight

import (
	"errors"

	"github.com/alecthomas/chroma/v2"
)

// Tokens are the tokens that our run of a lexer makes, and why it does not make them.
func (h *Highlighter) Tokens(lang, code string) ([]chroma.Token, error) {
	return h.TokensWithin(lang, code, maxWork)
}

// TokensWithin is Tokens that gives up sooner.
func (h *Highlighter) TokensWithin(lang, code string, work int) ([]chroma.Token, error) {
	l := h.lexers.get(lang)
	if l == nil {
		return nil, errors.New("no lexer")
	}
	if err := l.compile(); err != nil {
		return nil, err
	}
	var out []chroma.Token
	r := &run{work: work, emit: func(t chroma.TokenType, text []rune) {
		if len(text) > 0 {
			out = append(out, chroma.Token{Type: t, Value: string(text)})
		}
	}}
	err := r.tokenise(l, code)
	return out, err
}
