package highlight

import (
	"errors"
	"time"

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

// ErrTooMuch is why code that needs too long stays plain.
var ErrTooMuch = errTooMuch

// MaxForeign is the longest code that chroma itself highlights.
const MaxForeign = maxForeign

// IsForeign reports whether chroma itself runs a lexer.
func (h *Highlighter) IsForeign(lang string) bool { return h.lexers.get(lang).compile() != nil }

// Rounds are the rounds that a lexer goes through with so much work to spend, and what is left of it.
func (h *Highlighter) Rounds(lang, code string, work int) (rounds, left int, err error) {
	r := &run{work: work, emit: func(chroma.TokenType, []rune) {}}
	err = r.tokenise(h.lexers.get(lang), code)
	return r.rules, r.work, err
}

// A slowLexer is a lexer of chroma's that makes tokens without end, each after a while.
type slowLexer struct {
	chroma.Lexer
	each time.Duration
	made int
}

func (s *slowLexer) Tokenise(*chroma.TokeniseOptions, string) (chroma.Iterator, error) {
	return func() chroma.Token {
		time.Sleep(s.each)
		s.made++
		return chroma.Token{Type: chroma.Text, Value: "x"}
	}, nil
}

// SlowForeign runs a lexer of chroma's that takes so long for each of its endless tokens, and counts them.
func SlowForeign(each time.Duration) (made int, err error) {
	s := &slowLexer{each: each}
	r := &run{emit: func(chroma.TokenType, []rune) {}}
	err = r.chroma(&lexer{chroma: s}, nil, "x")
	return s.made, err
}
