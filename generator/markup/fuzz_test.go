package markup_test

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"freshet/generator/markup"
	"freshet/internal/site"
)

// attacks are bodies that have got through sanitisers, and ones that parsers nest in odd ways.
var attacks = []string{
	`<script>alert(1)</script>`,
	`<SCRIPT SRC=//evil.example/x.js></SCRIPT >`,
	`<img src=x onerror=alert(1)>`,
	`<img src="x" onerror='alert(1)' / onload=alert(2)>`,
	`<svg onload=alert(1)><script>alert(2)</script></svg>`,
	`<a href="javascript:alert(1)">x</a><a href=" &#1; javascript:alert(1)">x</a><a href="java&#9;script:alert(1)">x</a>`,
	`<a href="jav&#x0A;ascript:alert(1)">x</a><a href="&#106;avascript&colon;alert(1)">x</a>`,
	`[a](javascript:alert(1)) [b](<javascript:alert(1)>) [c](&#106;avascript:alert(1)) <javascript:alert(1)>`,
	"[a](java\tscript:alert(1)) [a]: javascript:alert(1)\n\n[a]\n\n[a]: vbscript:x",
	`![x](data:text/html;base64,PHNjcmlwdD4=) ![y](data:image/svg+xml;base64,PHN2Zz4=)`,
	`<iframe src="javascript:alert(1)"></iframe><iframe srcdoc="<script>alert(1)</script>"></iframe>`,
	`<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ" onload="alert(1)"></iframe>`,
	`<object data="javascript:alert(1)"></object><embed src="data:text/html,<script>alert(1)</script>">`,
	`<form action="javascript:alert(1)"><button formaction="javascript:alert(2)">x</button></form>`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<math><mi><table><mglyph><svg><mtext><textarea><path id="</textarea><img onerror=alert(1) src=1>">`,
	`<svg><style><img src=x onerror=alert(1)></style></svg>`,
	`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<template><script>alert(1)</script></template><template><style></template><img src=x onerror=alert(1)>`,
	`<title><img src=x onerror=alert(1)></title><textarea><img src=x onerror=alert(1)></textarea>`,
	`<xmp><img src=x onerror=alert(1)></xmp><plaintext><img src=x onerror=alert(1)>`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
	`<a href="x"><table><tr><td><a href="y">z</a></td></tr></table></a>`,
	`<b><i><u><p>a</b>b</i>c</u>d</p>`,
	`<table><p>a</p><tr><b>c</b><td>d</td></tr></table>e<td>f</td>`,
	`<p>a<div>b<p>c</div>d</p><li>e<li>f<dd>g<dt>h`,
	`<select><option><table><tr><td>x</select>y`,
	`<h1><h2>a</h2></h1><h1><p>b</p></h1><h3></h3>`,
	`<ruby>a<rt>b<rp>c</ruby><rt>d`,
	`<details><summary><details><summary>a</summary></details></summary>b</details>`,
	`<pre><pre>a</pre>b<code>c</code></pre><pre>` + "\n\n" + `x</pre><listing>y</listing>`,
	`<ul><li><ul><li>a</ul>b</ul><ol><p>x</ol><ul><ul><li>c</ul></ul>`,
	`<figure class="media"><oembed url="javascript:alert(1)"></oembed></figure>`,
	`<div class="embed"><div class="embed"><iframe src="//youtu.be/abcdefghi"></iframe></div></div>`,
	`<p><iframe src="https://vimeo.com/1"></iframe></p><span><iframe src="https://vimeo.com/1"></iframe></span>`,
	`<p style="text-align:center;background:url(javascript:alert(1));width:expression(alert(1))">x</p>`,
	`<div id="fs-menu" class="chroma alert" name="body" data-x="1" contenteditable accesskey=x tabindex=9>x</div>`,
	`<ul class="todo-list"><li><input type=checkbox checked onclick=alert(1)><ul><li><input type=checkbox>x</ul></ul>`,
	`<table><caption><table><tr><th scope=col>x</table></caption><colgroup><col span=2 style=x></colgroup></table>`,
	`<!--><img src=x onerror=alert(1)>--><!--!><img src=x onerror=alert(2)>-->`,
	`<!-- --!><img src=x onerror=alert(1)> -->`,
	"a <!-- b --> <!--c--->d\n\n<!-- > -->\n\n<!--->\n\n<?php x ?><!DOCTYPE x><![CDATA[<img onerror=x>]]>",
	"> [!NOTE] <img src=x onerror=alert(1)>\n> <b>\n\n- [x] <a href=y>\n\n|a|<b>|\n|-|-|\n|</table>|`|`|",
	"# a <b>b</b> {#x onclick=y}\n\n## <a href=z>c</a>\n\n<h1>d</h1>\n\n[x](#a-b) [^1] [y[^1]](u)\n\n[^1]: <i>\n",
	"```html\n<script>alert(1)</script>\n```\n\n``<img onerror=x>``\n\n    <svg/onload=x>\n",
	"<article><article><p>x</p></article></article>",
	"\x00<scr\x00ipt>alert(1)</script>\ufeff\u202e\r<b\r>",
	`<img src="a.png" width=10 height="5px" align=left><img alt="<b>">` + "<img src='x' title=\"`onmouseover=alert(1)\">",
	`{"type":"doc","content":[{"type":"text","text":"<img src=x onerror=alert(1)>","marks":[{"type":"link","attrs":{"href":"javascript:x"}}]}]}`,
	`{"type":"doc","content":[{"type":"heading","attrs":{"level":1,"id":"\" onclick=x"},"content":[{"type":"image","attrs":{"src":"x"}}]}]}`,
}

var (
	allowedElements = regexp.MustCompile(`^(a|abbr|address|b|bdi|bdo|blockquote|br|caption|cite|code|col|colgroup|data|dd|del|details|` +
		`dfn|div|dl|dt|em|figcaption|figure|h[2-6]|hr|i|iframe|img|input|ins|kbd|li|mark|ol|p|pre|q|rp|rt|ruby|s|samp|section|small|span|strong|sub|` +
		`summary|sup|table|tbody|td|tfoot|th|thead|time|tr|u|ul|var|wbr)$`)
	allowedAttributes = regexp.MustCompile(`^(href|src|alt|title|width|height|id|class|lang|dir|role|aria-label|target|rel|type|disabled|` +
		`checked|open|start|reversed|value|colspan|rowspan|span|scope|tabindex|datetime|loading|decoding|allow|allowfullscreen|referrerpolicy|sandbox)$`)
	frameAddress = regexp.MustCompile(`^https://(www\.youtube-nocookie\.com|player\.vimeo\.com|geo\.dailymotion\.com|` +
		`open\.spotify\.com|codepen\.io)/`)
	blanks   = regexp.MustCompile(`[\x00-\x20\x7f-\xa0]+`)
	harmless = regexp.MustCompile(`^(https?:|mailto:|tel:|[^:]*$|[^:/?#]*[/?#])`)
)

// unsafe finds what could run or break out in HTML as a browser reads it.
func unsafe(t *testing.T, out string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(out))
	ids := map[string]bool{}
	for z.Next() != html.ErrorToken {
		k := z.Token()
		switch k.Type {
		case html.CommentToken, html.DoctypeToken:
			t.Errorf("a comment or doctype survives: %q", k.String())
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			if !allowedElements.MatchString(k.Data) {
				t.Errorf("<%s> survives", k.Data)
			}
		}
		for _, a := range k.Attr {
			if !allowedAttributes.MatchString(a.Key) {
				t.Errorf("the attribute %s=%q survives", a.Key, a.Val)
			}
			switch a.Key {
			case "href", "src":
				if k.Data == "iframe" && !frameAddress.MatchString(a.Val) {
					t.Errorf("a frame of %q survives", a.Val)
				}
				if !harmless.MatchString(strings.ToLower(blanks.ReplaceAllString(a.Val, ""))) || a.Val == "" {
					t.Errorf("the address %q survives", a.Val)
				}
			case "id":
				if strings.HasPrefix(strings.ToLower(a.Val), "fs-") || ids[a.Val] {
					t.Errorf("the id %q is the theme's, or there twice", a.Val)
				}
				ids[a.Val] = true
			case "type":
				if k.Data == "input" && a.Val != "checkbox" {
					t.Errorf("an input of type %q survives", a.Val)
				}
			}
		}
	}
	if strings.ContainsRune(out, 0) {
		t.Error("a NUL survives")
	}
	// What stands open would swallow the page that follows.
	page, err := html.Parse(strings.NewReader("<!DOCTYPE html><body><div id=\"fs-frame\">" + out + "</div><p id=\"fs-after\">"))
	if err != nil {
		return // too deep for this parser; browsers have none of its bounds
	}
	var after *html.Node
	for n := range page.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "id" && a.Val == "fs-after" {
				after = n
			}
		}
	}
	if after == nil || after.Parent.Data != "body" {
		t.Error("the body does not end where it should")
	}
}

func FuzzMarkup(f *testing.F) {
	formats := []site.Format{site.Markdown, site.HTML, site.TipTap}
	for _, a := range attacks {
		for i := range formats {
			f.Add(a, i)
		}
	}
	r := markup.New(markup.Config{Highlight: true})
	f.Fuzz(func(t *testing.T, text string, format int) {
		if format < 0 || format >= len(formats) || len(text) > 1<<14 {
			return
		}
		d, err := r.Render(t.Context(), markup.Input{Format: formats[format], Body: site.Body{Text: []byte(text)}})
		if err != nil {
			if formats[format] == site.TipTap {
				return
			}
			t.Fatalf("Render: %v", err)
		}
		checkSummary(t, d)
		out := flat(d)
		unsafe(t, out)
		again, err := r.Render(t.Context(), markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(out)}})
		if err != nil {
			t.Fatalf("Render of the output: %v", err)
		}
		if got := flat(again); got != out {
			t.Errorf("not idempotent:\n first %q\nsecond %q", out, got)
		}
		if decoded, err := markup.Decode(d.Encode()); err != nil || flat(decoded) != out {
			t.Errorf("not the same from the memo: %v", err)
		}
	})
}

func FuzzCleanURL(f *testing.F) {
	for _, s := range []string{"https://e.com/a b?c=d#e", "javascript:x", "a:b", "#x", "//x", "../é\u202e", "%zz", "http:", "a b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, class := markup.CleanURL(s)
		if class == "refused" || class == "empty" {
			return
		}
		if !harmless.MatchString(strings.ToLower(blanks.ReplaceAllString(u, ""))) {
			t.Errorf("CleanURL(%q) = %q", s, u)
		}
		if v, again := markup.CleanURL(u); v != u || again != class {
			t.Errorf("CleanURL(%q) = %q, %s; again %q, %s", s, u, class, v, again)
		}
	})
}

func FuzzDecode(f *testing.F) {
	text := []byte("# a\n\n[b](c) ![d](e) [f](javascript:x)")
	d, err := markup.New(markup.Config{}).Render(f.Context(), markup.Input{Format: site.Markdown, Body: site.Body{Text: text}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := markup.Decode(b); err == nil {
			d.Append(nil, nil)
		}
	})
}
