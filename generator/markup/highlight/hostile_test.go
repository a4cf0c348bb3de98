package highlight_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/google/go-cmp/cmp"

	"freshet/generator/markup/highlight"
	"freshet/internal/testenv/recorded"
)

// every is a Highlighter that compiles every lexer once for all tests.
var every = highlight.New()

// hostile is code that no language has, for every lexer.
var hostile = []struct{ name, code string }{
	{"empty", ""},
	{"line breaks", "\n\r\n\r\n\n \t\n\u2028\u0085\n"},
	{"unbalanced", "\"'`/*<!-- ${#{ \\\n \u00e9\u200c日 0x1.5e+3 (?[]) <<EOF\nEOF\n --- @#$%^&*|;:,.?\n)]}>*/-->'\"`"},
	{"nesting", strings.Repeat("([{<\"${", 30) + "x" + strings.Repeat(")]}>", 30)},
	{"one long line", strings.Repeat("ab1 -> \"c\\\" ' ; ", 30)},
	{"NUL and controls", "a\x00b \x00\x00\n\x01\x1b[31m\x7f = \"\x00\"\n"},
	{"not UTF-8", "a\xff\xfe = \"\xc3(\" \xe2\x82\n\xf0\x9f\n// \x80\n"},
	{"front matter", "---\na: [b\n---\n# c {{ d }} <% e %> {% f %}\n"},
	{"quotes", "'\"'\\'\"\"\"'''`\\`\"\\\n'\n\"\n`\n\"\"\"\n'''\nx"},
	{"scripts", "النهر नदी 川 = \"ß\u0301\" \u202e # \U0001f30a\n"},
	{"markup", "<a b='c' d=\"e\n<script>x = \"</script>\"<style>a{b:url(</style><![CDATA[<?php echo 1 ?>&amp;&\n"},
}

// word is what looks like a keyword in the patterns of a lexer.
var word = regexp.MustCompile(`[A-Za-z_]{2,}`)

// keywords shuffles the words that a lexer knows, with what may stand between them.
func keywords(l chroma.Lexer) string {
	source, ok := l.(*chroma.RegexLexer)
	if !ok {
		return "begin if for end def class import return"
	}
	rules, err := source.Rules()
	if err != nil {
		return ""
	}
	known := map[string]bool{}
	for _, list := range rules {
		for _, r := range list {
			for _, w := range word.FindAllString(r.Pattern, 40) {
				known[w] = true
			}
		}
	}
	words := slices.Sorted(func(yield func(string) bool) {
		for w := range known {
			if !yield(w) {
				return
			}
		}
	})
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.Config().Name))
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	between := []string{" ", " ", " ", "\n", "(", ") ", " = ", "\"", ": ", "{", "}\n", "; ", ".", ", ", " -", "<", ">", "'", " # ", "@", "$", "\t"}
	var b strings.Builder
	for _, w := range words[:min(len(words), 60)] {
		b.WriteString(w + between[r.IntN(len(between))])
	}
	return b.String()
}

// chromas is what chroma makes of code; failed: it panics.
func chromas(l chroma.Lexer, code string) (tokens []chroma.Token, failed bool) {
	defer func() {
		if recover() != nil {
			tokens, failed = nil, true
		}
	}()
	it, err := l.Tokenise(nil, code)
	if err != nil {
		return nil, true
	}
	for k := it(); k != chroma.EOF; k = it() {
		if k.Value != "" && k.Type != chroma.Ignore {
			tokens = append(tokens, k)
		}
	}
	return tokens, false
}

// written is the HTML of chroma's tokens: spans with chroma's classes, those of neighbours joined, none for what looks
// like text, without the line break that a lexer adds.
func written(tokens []chroma.Token, code string) string {
	left := len([]rune(strings.NewReplacer("\r\n", "\n").Replace(code)))
	var b strings.Builder
	open := ""
	for _, k := range tokens {
		text := []rune(k.Value)
		text = text[:min(len(text), left)]
		if left -= len(text); len(text) == 0 {
			continue
		}
		class := classOf(k.Type)
		if class != open {
			if open != "" {
				b.WriteString("</span>")
			}
			if class != "" {
				fmt.Fprintf(&b, "<span class=%q>", class)
			}
			open = class
		}
		b.WriteString(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(string(text)))
	}
	if open != "" {
		b.WriteString("</span>")
	}
	return b.String()
}

// classOf is chroma's class of a type, or of its nearest parent that has one; empty: the type looks like text.
func classOf(t chroma.TokenType) string {
	for ; t > 0 || t == chroma.Error; t = t.Parent() {
		switch t {
		case chroma.Text, chroma.TextWhitespace, chroma.TextSymbol, chroma.TextPunctuation, chroma.Name, chroma.NameOther, chroma.Punctuation, chroma.Generic:
			return ""
		}
		if class := chroma.StandardTypes[t]; class != "" {
			return class
		}
	}
	return ""
}

// TestEveryLexer gives every lexer of chroma hostile code. What comes out has chroma's classes and text, or is plain where
// chroma itself fails or never ends. The digests of all of it say when another version of chroma makes other tokens.
func TestEveryLexer(t *testing.T) {
	h := every
	var table []byte
	for _, c := range hostile {
		table = append(table, c.name+"\n"+c.code+"\n"...)
	}
	var mu sync.Mutex
	outputs := map[string]recorded.Output{}
	foreign := 0
	var givenUp atomic.Int64
	t.Run("lexers", func(t *testing.T) {
		for _, name := range lexers.Names(false) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := lexers.Get(name)
				lang := strings.ToLower(name)
				var all []byte
				for _, c := range append(slices.Clone(hostile), struct{ name, code string }{"keywords", keywords(l)}) {
					got := string(h.Append(nil, lang, []byte(c.code), nil))
					want := plain(c.code)
					stays := got == want && !h.IsForeign(lang)
					if stays {
						_, err := h.Tokens(lang, c.code)
						stays = err != nil
					}
					if stays {
						givenUp.Add(1) // chroma would fail too, or never end
					} else if tokens, failed := chromas(l, c.code); !failed {
						want = written(tokens, c.code)
					}
					if got != want {
						t.Errorf("%s: %q becomes (-chroma +ours):\n%s", c.name, c.code, cmp.Diff(want, got))
					}
					all = append(append(all, got...), 0)
				}
				mu.Lock()
				defer mu.Unlock()
				outputs[name] = recorded.Output{Input: table, Bytes: all}
				if h.IsForeign(lang) {
					foreign++
				}
			})
		}
	})
	if foreign > len(outputs)/20 {
		t.Errorf("%d of %d lexers are left to chroma, want at most one in twenty", foreign, len(outputs))
	}
	if n, all := int(givenUp.Load()), len(outputs)*(len(hostile)+1); n > all/100 {
		t.Errorf("%d of %d codes stay plain, want at most one in a hundred", n, all)
	}
	recorded.Check(t, "tokens", recorded.Number{File: "generator/markup/markup.go", Name: "format"}, outputs)
}

func plain(code string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(code)
}

// TestWorkIsBounded counts: whatever the lexer and the code, a lexer goes through no more rounds than it has work to spend,
// and what it overdraws is less than one look at the code.
func TestWorkIsBounded(t *testing.T) {
	h := every
	code := strings.Repeat("\"${a1 = (b'c` /* <d> \\\n", 150)
	const work = 1000
	stopped := 0
	for _, name := range lexers.Names(false) {
		lang := strings.ToLower(name)
		if h.IsForeign(lang) {
			continue
		}
		rounds, left, err := h.Rounds(lang, code, work)
		if rounds > work || left < -len(code) {
			t.Errorf("%s: %d rounds and %d left of work for %d", name, rounds, left, work)
		}
		if errors.Is(err, highlight.ErrTooMuch) {
			stopped++
		}
	}
	if stopped < 100 {
		t.Errorf("%d lexers used up their work, want most: the code is too easy", stopped)
	}
}

// TestForeignIsBounded: what chroma itself tokenises is short, ends after three seconds, and ends when the caller says so.
func TestForeignIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if made, err := highlight.SlowForeign(time.Second); !errors.Is(err, highlight.ErrTooMuch) || made > 4 {
			t.Errorf("chroma made %d tokens of a second each, and then %v", made, err)
		}
	})
	h := highlight.New()
	for _, lang := range []string{"http", "svelte", "erb"} {
		if !h.IsForeign(lang) {
			t.Fatalf("%s is not left to chroma", lang)
		}
		code := strings.Repeat("GET / HTTP/1.1\n", highlight.MaxForeign/15+1)
		if got := string(h.Append(nil, lang, []byte(code), nil)); got != plain(code) {
			t.Errorf("%s: code of %d bytes does not stay plain", lang, len(code))
		}
		code = code[:1500]
		if got := string(h.Append(nil, lang, []byte(code), func() bool { return true })); got != plain(code) {
			t.Errorf("%s: code does not stay plain when the caller has lost interest", lang)
		}
	}
}
