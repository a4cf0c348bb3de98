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

	"freshet/generator/markup/highlight"
)

// samples hold what lexers find hard: nested languages, strings within strings, look-behind, references to groups,
// errors, and text of other scripts.
var samples = map[string]string{
	"go": "package main\n\nimport \"fmt\"\n\n// Größe is a size.\ntype Größe struct {\n\tA int `json:\"a,omitempty\"`\n}\n\n" +
		"func (g *Größe) F(x ...any) (int, error) {\n\ts := `raw {{ .Name | printf \"%s\" }} text`\n\tr := '\\u00e9'\n\tfor i := range 0x1F_FF {\n" +
		"\t\tfmt.Println(i, s, r, 1.5e-3i, <-ch, a &^ b, \"unclosed)\n\t}\n\treturn 0, nil /* multi\n line */\n}\n",
	"python": "#!/usr/bin/env python\n@decorator(x=1)\nasync def f(a: int = 0, *, b: str | None = None) -> dict:\n    \"\"\"Doc\n    string.\"\"\"\n" +
		"    x = f\"{a!r:>{b}} and {b['k']}\" + rb'\\x00' + 'it''s'\n    return {**x, 'ключ': 1_000j} if not a else lambda: (yield)\n\nclass C(Base): pass\n",
	"javascript": "import React, {useState as s} from 'react';\nconst re = /[/\\]]+(?:a|b)*/giu, t = `a ${b ? `c ${d}` : 1} e`;\n" +
		"class A extends B { #p = 1; static async *gen() { yield* x?.y ?? 0n; } }\n// done\nlet ünï = a / b / c, 日本 = 0b101;\n",
	"typescript": "interface P<T extends object = {}> { readonly [k: string]: T | undefined; }\nexport abstract class C<T> implements P<T> {\n" +
		"  constructor(private x: number, public y?: string) { super(); }\n  get v(): Promise<T[]> { return this.f<T>(x as unknown as T)!; }\n}\nenum E { A = 'a' }\n",
	"rust": "#![allow(dead_code)]\nuse std::{io, collections::HashMap};\n/// Doc\nfn f<'a, T: Clone + 'a>(x: &'a mut [T]) -> Result<(), Box<dyn Error>> {\n" +
		"    let s = r#\"raw \"quoted\" str\"#; let b = b'\\n'; let n = 1_000u64 as f32;\n    println!(\"{:?} {}\", x, s); /* a /* nested */ comment */\n    Ok(())\n}\n",
	"bash": "#!/bin/bash\nset -euo pipefail\nfor f in *.md; do\n  if [[ \"$f\" =~ ^(.+)\\.md$ && -n ${BASH_REMATCH[1]:-x} ]]; then\n" +
		"    echo \"$(cat \"$f\" | wc -l) $((1 + 2)) ${f%.md}\" >&2\n  fi\ndone\ncat <<EOF\nhere $HOME `date`\nEOF\nexport A='b'c\"d\"\n",
	"sql": "-- posts\nSELECT p.id, COUNT(*) AS n FROM posts p\nLEFT JOIN tags t ON t.post_id = p.id\nWHERE p.title LIKE '%it''s%' AND p.at >= '2024-01-01' /* x */\n" +
		"GROUP BY p.id HAVING COUNT(*) > 1 ORDER BY n DESC LIMIT 10;\nCREATE TABLE \"t\" (a BIGINT NOT NULL DEFAULT 0, b JSONB);\n",
	"yaml": "# c\na: &anchor\n  - b: \"x\\n\"\n    c: 'it''s'\n  - *anchor\nd: |\n  block\n   text\ne: >-\n  folded\nf: {g: 1, h: [true, null, 2024-01-01]}\n? k\n: !!str v\n---\n",
	"json": "{\n  \"a\": [1, -2.5e+3, true, null],\n  \"b\\u00e9\": {\"c\": \"d \\\"e\\\"\"},\n  bad: 'x'\n}\n",
	"html": "<!DOCTYPE html>\n<html lang=\"hi\"><head><style>a{color:#fff}</style><script>if (a < b) { f(\"</\" + x); }</script></head>\n" +
		"<body class='x' onclick=\"go()\">नमस्ते &amp; <!-- c --> <br/><unknown-tag a=1></body></html>\n",
	"css": "@media (min-width: 40rem) and (prefers-color-scheme: dark) {\n  .a > b::before, a[href^=\"x\"]:not(.c) { color: rgb(1 2 3 / 50%); --v: calc(1px + 2em) !important; }\n}\n/* c */\n@import url(x.css);\n",
	"java": "package a.b;\nimport java.util.*;\n@Override\npublic final class C<T extends Comparable<T>> implements I {\n  private static final long X = 0xFFL;\n" +
		"  /** doc */ public <R> R f(int... a) throws E { return a.length > 0 ? (R) \"s\\t\" : null; }\n}\nrecord P(int x) {}\n",
	"c": "#include <stdio.h>\n#define MAX(a, b) \\\n  ((a) > (b) ? (a) : (b))\n#if 0\nnot compiled\n#endif\nstatic const char *s = \"a\\\"b\" L\"w\";\n" +
		"int main(int argc, char **argv) { unsigned long x = 0x1FUL; label: goto label; return printf(\"%d\\n\", 'c'); }\n",
	"c++":        "template <typename T, auto N> requires std::integral<T>\nconstexpr auto f(T &&x) noexcept -> decltype(auto) { return R\"(raw \" str)\" + x; }\nnamespace a::b { class C final : public D { virtual ~C() = default; }; }\n",
	"c#":         "using System;\nnamespace A { public record B(int X) { async Task<string?> F() => await $\"a {X:N2} {{b}}\" + @\"c\\\"\"d\"; } }\n#region x\n",
	"ruby":       "# c\nclass A < B\n  attr_reader :x\n  def f(a, *b, k: 1, &blk) = %w[a b].map { |s| \"#{s} #{a ? 'x' : :y}\" }\nend\nputs <<~EOS\n  here #{1 + 1}\nEOS\nx =~ /a#{b}[c]/i\n",
	"php":        "<?php\nnamespace A\\B;\n/** doc */\nfinal class C extends D {\n  public function __construct(private ?int $x = null) { echo \"a {$this->x} $b[0]\"; }\n}\n$h = <<<EOT\nhere $x\nEOT;\n?>\n<p>x</p>\n",
	"kotlin":     "package a\nimport b.*\n@Ann data class C<T : Any>(val x: Int = 0, var y: String?) {\n  suspend fun f(): List<T> = listOf(\"a $x ${y?.length ?: 0}\") // c\n}\n",
	"swift":      "import Foundation\n@MainActor final class C: D {\n  var x: [String: Int]? { get async throws { nil } }\n  func f<T>(_ a: T, b: Int...) -> some View { \"a \\(x ?? [:])\" }\n}\n#if os(iOS)\n#endif\n",
	"diff":       "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ f\n-old\n+new\n same\n",
	"dockerfile": "# syntax=docker/dockerfile:1\nFROM golang:1.26 AS b\nENV A=b C=\"d e\"\nRUN --mount=type=cache,target=/x go build \\\n    -o /y ./... && echo \"$A\"\nCMD [\"/y\", \"-v\"]\n",
	"toml":       "# c\ntitle = \"a\\n\"\n[a.\"b c\"]\nd = 1979-05-27T07:32:00Z\ne = [1_000, 2.5, true]\nf = '''raw\n'''\n[[g]]\nh = {i = 1}\n",
	"markdown":   "# A\n\n## B\n\n- [x] t *e* **s** `c` [l](u) ![i](p)\n> q\n\n```go\nfunc f() {}\n```\n\n1. a ~~d~~ @who\n<!-- c -->\n",
	"console":    "$ go test ./... | head\nok  \tx\t0.1s\n$ echo \"a\" && ls -l\n# root\n",
	"makefile":   "A := $(shell ls) \\\n  b\n.PHONY: all\nall: x.o | dir ## help\n\t@echo \"$@ $<\" && $(MAKE) -C y\nifeq ($(A),)\nendif\n%.o: %.c\n\t$(CC) -c $<\n",
	"lua":        "-- c\nlocal function f(a, ...) return #a .. [[long\nstring]] end\n--[==[ block ]==]\nfor k, v in pairs(t) do t[k] = v ~= nil and 0x1p4 or 'x' end\n",
	"haskell":    "{-# LANGUAGE GADTs #-}\nmodule A (f) where\nimport qualified Data.Map as M\n-- | doc\nf :: (Monad m) => Int -> m [a]\nf x = do { y <- g $ \\z -> z + 1; let {w = 'c'}; return [y | y <- [1..], even y] }\n{- n {- e -} -}\n",
	"elixir":     "defmodule A do\n  @moduledoc \"\"\"\n  doc #{1}\n  \"\"\"\n  def f(%{a: x} = m, opts \\\\ []) when is_integer(x), do: x |> Enum.map(&(&1 + 1)) |> inspect()\n  ~r/a[b]/i\nend\n",
	"graphql":    "query Q($id: ID! = \"x\") @d(if: true) {\n  a: node(id: $id) { ...F, b(c: {d: [1, 2.5]}) }\n}\n# c\nfragment F on T { e }\ntype T implements I { \"doc\" f(a: Int = 1): [S!]! }\n",
	"protobuf":   "syntax = \"proto3\";\npackage a.b;\nmessage M { repeated int32 x = 1 [deprecated = true]; oneof o { string s = 2; } map<string, N> m = 3; } // c\nservice S { rpc F (M) returns (stream M); }\n",
	"nginx":      "server {\n  listen 443 ssl; # c\n  location ~ \\.php$ { proxy_pass http://x:9000; add_header A \"b\"; if ($a = 1) { return 301 /y$is_args$args; } }\n}\n",
	"promql":     "sum by (job) (rate(http_requests_total{code=~\"5..\", job!=\"x\"}[5m])) / 2 > bool 0.1 offset 1h\n",
	"ini":        "; c\n[a b]\nc = d\ne: f # g\n",
	"xml":        "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"c\">]>\n<x:a b=\"c &amp; d\" e='f'><![CDATA[ <raw> ]]><!-- c --></x:a>\n",
}

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
			for _, part := range []string{code, strings.TrimSuffix(code, "\n"), code[:len(code)/2], code[len(code)/3:], strings.ReplaceAll(code, " ", "\t\n")} {
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

// TestMostLexersRunHere keeps the fast path from narrowing unnoticed.
func TestMostLexersRunHere(t *testing.T) {
	h := highlight.New()
	left := 0
	for _, l := range []string{"ABAP", "Ada", "awk", "clojure", "cmake", "cobol", "crystal", "d", "dart", "erlang", "fortran", "f#", "gdscript",
		"groovy", "hcl", "julia", "latex", "nim", "nix", "objective-c", "ocaml", "octave", "perl", "powershell", "prolog", "r", "racket",
		"sass", "scala", "scheme", "scss", "solidity", "tcl", "terraform", "vb.net", "verilog", "vhdl", "vue", "zig"} {
		if _, err := h.Tokens(l, "x = 1\n"); err != nil {
			t.Logf("%s: %v", l, err)
			left++
		}
	}
	if left > 1 {
		t.Errorf("%d lexers are left to chroma, want at most 1", left)
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

func TestAppendKeepsTheCode(t *testing.T) {
	h := highlight.New()
	for lang, code := range samples {
		for _, code := range []string{code, strings.TrimSuffix(code, "\n"), ""} {
			out := string(h.Append([]byte("<p>"), lang, []byte(code)))
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
		{"http", "GET / HTTP/1.1\n", `<span class="nf">GET</span> <span class="nn">/</span> <span class="kr">HTTP</span><span class="o">/</span><span class="m">1.1</span>` + "\n"},
		{"json", strings.Repeat(" ", 300<<10) + "1", strings.Repeat(" ", 300<<10) + "1"},
	} {
		if got := string(h.Append(nil, tt.lang, []byte(tt.code))); got != tt.want {
			t.Errorf("Append(%q, %.40q) = %.200q, want %.200q", tt.lang, tt.code, got, tt.want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"go": "go", "Go {linenos=table}": "go", "rust,ignore": "rust", "{.python}": "python", "c++": "c++", "C#": "c#", "": "",
		`"><script>`: "", "yaml title=\"x\"": "yaml", "objective-c": "objective-c", strings.Repeat("x", 100): "", " toml ": "toml", "js:app.js": "js",
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
		"go":         "/*" + strings.Repeat("*", 20000) + strings.Repeat("\"\\", 10000),
		"python":     "'''" + strings.Repeat("{", 20000) + strings.Repeat("\\\n", 5000),
		"javascript": strings.Repeat("`${", 3000) + strings.Repeat("/[", 3000),
		"bash":       strings.Repeat("$(", 5000) + strings.Repeat("\"${", 5000),
		"markdown":   strings.Repeat("*_", 10000) + strings.Repeat("[", 5000),
		"c":          "#define x \\\n" + strings.Repeat("\\\n", 10000) + strings.Repeat("/* ", 5000),
	} {
		out := string(h.Append(nil, lang, []byte(code)))
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
				dst = h.Append(dst[:0], lang, []byte(code))
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
