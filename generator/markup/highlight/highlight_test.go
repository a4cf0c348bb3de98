package highlight_test

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"freshet/generator/markup/highlight"
)

// samples is code in many languages, by language.
var samples = func() map[string]string {
	archive, err := txtar.ParseFile("testdata/samples.txtar")
	if err != nil {
		panic(err)
	}
	m := map[string]string{}
	for _, f := range archive.Files {
		m[f.Name] = string(f.Data)
	}
	return m
}()

// reference is what chroma itself makes of code.
func reference(t testing.TB, lang, code string) (tokens []chroma.Token) {
	t.Helper()
	it, err := lexers.Get(lang).Tokenise(nil, code)
	if err != nil {
		t.Fatalf("chroma: %s: %v", lang, err)
	}
	for k := it(); k != chroma.EOF; k = it() {
		if k.Value != "" && k.Type != chroma.Ignore {
			tokens = append(tokens, k)
		}
	}
	return tokens
}

func TestTokensAreChromas(t *testing.T) {
	h := highlight.New()
	for lang, code := range samples {
		t.Run(lang, func(t *testing.T) {
			// Cut anywhere, code ends in the middle of things.
			for _, part := range []string{
				code, strings.TrimSuffix(code, "\n"), code[:len(code)/2], code[len(code)/3:], strings.ReplaceAll(code, " ", "\t\n"),
			} {
				part = strings.ToValidUTF8(part, "?")
				got, err := h.Tokens(lang, part)
				if err != nil {
					t.Fatalf("Tokens(%q, %q): %v", lang, part, err)
				}
				if diff := cmp.Diff(reference(t, lang, part), got); diff != "" {
					t.Errorf("tokens of %q (-chroma +ours):\n%s", part, diff)
				}
			}
		})
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

func TestAppendKeepsTheCode(t *testing.T) {
	h := highlight.New()
	for lang, code := range samples {
		for _, code := range []string{code, strings.TrimSuffix(code, "\n"), ""} {
			out := string(h.Append([]byte("<p>"), lang, []byte(code), nil))
			if got := html.UnescapeString(tags.ReplaceAllString(out, "")); got != code || !strings.HasPrefix(out, "<p>") {
				t.Errorf("%s: the text of the result differs (-code +result):\n%s", lang, cmp.Diff(code, got))
			}
		}
	}
}

func TestAppend(t *testing.T) {
	h := highlight.New()
	for _, tt := range []struct{ lang, code, want string }{
		{"go", "x := <-c // y", `x <span class="o">:=</span> <span class="o">&lt;-</span>c <span class="c1">// y</span>`},
		{"no-such-language", "a < b", "a &lt; b"},
		{"", "a & b", "a &amp; b"},
		{"text", "a > b", "a &gt; b"},
		{"http", "GET / HTTP/1.1\n", `<span class="nf">GET</span> <span class="nn">/</span> <span class="kr">HTTP</span>` +
			`<span class="o">/</span><span class="m">1.1</span>` + "\n"},
		{"json", strings.Repeat(" ", 300<<10) + "1", strings.Repeat(" ", 300<<10) + "1"},
	} {
		if got := string(h.Append(nil, tt.lang, []byte(tt.code), nil)); got != tt.want {
			t.Errorf("Append(%q, %.40q) = %.200q, want %.200q", tt.lang, tt.code, got, tt.want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"go": "go", "Go {linenos=table}": "go", "rust,ignore": "rust", "{.python}": "python", "c++": "c++", "C#": "c#", "": "",
		`"><script>`: "", "yaml title=\"x\"": "yaml", "objective-c": "objective-c",
		strings.Repeat("x", 100): "", " toml ": "toml", "js:app.js": "js",
	} {
		if got := highlight.Language(in); got != want {
			t.Errorf("Language(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHardPatterns has what makes backtracking long or calls deep; it must end, and keep the code.
func TestHardPatterns(t *testing.T) {
	h := highlight.New()
	for lang, code := range map[string]string{
		"go":         "/*" + strings.Repeat("*", 5000) + strings.Repeat("\"\\", 2000),
		"python":     "'''" + strings.Repeat("{", 5000) + strings.Repeat("\\\n", 2000),
		"javascript": strings.Repeat("`${", 1000) + strings.Repeat("/[", 1000),
		"bash":       strings.Repeat("$(", 1000) + strings.Repeat("\"${", 1000),
		"markdown":   strings.Repeat("*_", 2000) + strings.Repeat("[", 1000),
		"c":          "#define x \\\n" + strings.Repeat("\\\n", 2000) + strings.Repeat("/* ", 1000),
	} {
		out := string(h.Append(nil, lang, []byte(code), nil))
		if got := html.UnescapeString(tags.ReplaceAllString(out, "")); got != code {
			t.Errorf("%s: the code differs", lang)
		}
	}
}

func FuzzTokens(f *testing.F) {
	var names []string
	for lang, code := range samples {
		f.Add(lang, code)
		names = append(names, lang)
	}
	for _, lang := range names {
		f.Add(lang, "\"'`/*<!-- ${#{ \\\n \u00e9\u200c日 0x1.5e+3 (?[]) <<EOF\nEOF\n --- @#$%^&*|;:,.?")
	}
	h := highlight.New()
	f.Fuzz(func(t *testing.T, lang, code string) {
		if _, ok := samples[lang]; !ok || len(code) > 1000 {
			return
		}
		code = strings.ToValidUTF8(code, "?")
		got, err := h.TokensWithin(lang, code, 100000)
		if err != nil {
			return // where we need long, chroma's clock decides
		}
		if diff := cmp.Diff(reference(t, lang, code), got); diff != "" {
			t.Errorf("%s: tokens of %q (-chroma +ours):\n%s", lang, code, diff)
		}
	})
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("%q is no colour", colour)
	}
	part := func(shift uint) float64 {
		c := float64(v>>shift&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrast(t *testing.T) {
	const least = 4.5
	for _, c := range highlight.Palette() {
		light, dark := c.LightOn, c.DarkOn
		if light == "" {
			light = highlight.LightBackground
		}
		if dark == "" {
			dark = highlight.DarkBackground
		}
		if got := contrast(t, c.Light, light); got < least {
			t.Errorf("%s on light: contrast %.2f, want at least %.1f", c.Name, got, least)
		}
		if got := contrast(t, c.Dark, dark); got < least {
			t.Errorf("%s on dark: contrast %.2f, want at least %.1f", c.Name, got, least)
		}
	}
}

func TestCSS(t *testing.T) {
	css := highlight.CSS()
	if css != highlight.CSS() {
		t.Error("the sheet is not the same twice")
	}
	for _, want := range []string{
		"@media (prefers-color-scheme:dark){:root:not([data-theme=light]){", ":root[data-theme=dark]{", ".chroma .k,", ".chroma .err",
	} {
		if !strings.Contains(css, want) {
			t.Errorf("the sheet holds no %q", want)
		}
	}
	if strings.Count(css, "{") != strings.Count(css, "}") {
		t.Error("braces do not match")
	}
	defined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(--[a-z-]+):`).FindAllStringSubmatch(css, -1) {
		defined[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`var\((--[a-z-]+)\)`).FindAllStringSubmatch(css, -1) {
		if !defined[m[1]] {
			t.Errorf("%s is used and not defined", m[1])
		}
	}
}

func BenchmarkHighlight(b *testing.B) {
	h := highlight.New()
	for _, lang := range []string{"go", "python", "javascript", "bash", "yaml", "json", "rust", "html", "sql"} {
		code := samples[lang]
		b.Run(fmt.Sprintf("ours/%s", lang), func(b *testing.B) {
			b.SetBytes(int64(len(code)))
			var dst []byte
			for b.Loop() {
				dst = h.Append(dst[:0], lang, []byte(code), nil)
			}
		})
		b.Run(fmt.Sprintf("chroma/%s", lang), func(b *testing.B) {
			b.SetBytes(int64(len(code)))
			l := lexers.Get(lang)
			for b.Loop() {
				it, err := l.Tokenise(nil, code)
				if err != nil {
					b.Fatal(err)
				}
				for it() != chroma.EOF {
				}
			}
		})
	}
}
