package markup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/generator/markup"
	"freshet/internal/site"
)

// hostile are bodies of about n bytes that take some parser of Markdown, HTML or JSON more than linear time or room.
var hostile = []struct {
	name   string
	format site.Format
	body   func(n int) string
}{
	{"wide table", site.Markdown, func(n int) string {
		k := n / 9
		return strings.Repeat("|a", k) + "|\n" + strings.Repeat("|-", k) + "|\n" + strings.Repeat("|b|c|\n", k)
	}},
	{"many wide tables", site.Markdown, func(n int) string {
		const k = 60
		one := strings.Repeat("|a", k) + "|\n" + strings.Repeat("|-", k) + "|\n" + strings.Repeat("|b\n", k) + "\n"
		return strings.Repeat(one, n/len(one))
	}},
	{"escaped pipes in code in cells", site.Markdown, func(n int) string {
		return "|a|\n|-|\n" + strings.Repeat("|`\\|`|\n", n/7)
	}},
	{"a long reference", site.Markdown, func(n int) string {
		return "[a]: /" + strings.Repeat("x", n/2) + "\n\n" + strings.Repeat("[a] ", n/8)
	}},
	{"a long title of a reference", site.Markdown, func(n int) string {
		return "[a]: /x \"" + strings.Repeat("\\\"", n/4) + "\"\n\n" + strings.Repeat("![a] ", n/10)
	}},
	{"a picture as data by reference", site.Markdown, func(n int) string {
		return "[a]: data:image/gif;base64,R0lGODlh" + strings.Repeat("A", n/2) + "\n\n" + strings.Repeat("![a] ", n/10)
	}},
	{"many footnotes", site.Markdown, func(n int) string {
		var b strings.Builder
		for i := range n / 22 {
			fmt.Fprintf(&b, "a[^%d] ", i)
		}
		b.WriteString("\n\n")
		for i := range n / 22 {
			fmt.Fprintf(&b, "[^%d]: n\n", i)
		}
		return b.String()
	}},
	{"one footnote often", site.Markdown, func(n int) string { return strings.Repeat("a[^1] ", n/6) + "\n\n[^1]: n\n" }},
	{"footnotes that are nowhere", site.Markdown, func(n int) string { return strings.Repeat("[^a", n/3) + "\n\n[^1]: n\n" }},
	{"one heading often", site.Markdown, func(n int) string { return strings.Repeat("# a\n", n/4) }},
	{"numbered headings", site.Markdown, func(n int) string { return strings.Repeat("# a\n# a-1\n# a {#a-2}\n", n/22) }},
	{"nested emphasis", site.Markdown, func(n int) string { return strings.Repeat("*a **a ", n/14) + strings.Repeat("b** b*", n/14) }},
	{"emphasis that never closes", site.Markdown, func(n int) string { return strings.Repeat("_a ", n/3) }},
	{"emphasis that never opens", site.Markdown, func(n int) string { return strings.Repeat("a_ ", n/3) }},
	{"mismatched emphasis", site.Markdown, func(n int) string { return strings.Repeat("*a_ ", n/4) }},
	{"emphasis by the rule of three", site.Markdown, func(n int) string { return "a**b" + strings.Repeat("c* ", n/3) }},
	{"strikethrough and emphasis", site.Markdown, func(n int) string { return strings.Repeat("~a *b~ c* ", n/10) }},
	{"emphasis and links", site.Markdown, func(n int) string { return strings.Repeat("[ (](_", n/6) }},
	{"emphasis around links", site.Markdown, func(n int) string { return strings.Repeat("*a [x](y) ", n/10) }},
	{"brackets that open", site.Markdown, func(n int) string { return strings.Repeat("[", n) }},
	{"brackets that open words", site.Markdown, func(n int) string { return strings.Repeat("[a", n/2) }},
	{"pictures that open", site.Markdown, func(n int) string { return strings.Repeat("![a", n/3) }},
	{"brackets that close", site.Markdown, func(n int) string { return strings.Repeat("a]", n/2) }},
	{"nested brackets", site.Markdown, func(n int) string { return strings.Repeat("[", n/2) + "a" + strings.Repeat("]", n/2) }},
	{"brackets in brackets", site.Markdown, func(n int) string { return strings.Repeat("[[a]", n/4) }},
	{"links without an end", site.Markdown, func(n int) string { return strings.Repeat("[a](<b", n/6) }},
	{"links without an end 2", site.Markdown, func(n int) string { return strings.Repeat("[a](b", n/5) }},
	{"titles without an end", site.Markdown, func(n int) string { return strings.Repeat("[a](b (", n/7) }},
	{"titles without an end 2", site.Markdown, func(n int) string { return strings.Repeat("[a](b 'c\n", n/9) }},
	{"labels without an end", site.Markdown, func(n int) string { return strings.Repeat("[a][b", n/5) }},
	{"links", site.Markdown, func(n int) string { return strings.Repeat("[a](b) ", n/7) }},
	{"backticks", site.Markdown, func(n int) string {
		var b strings.Builder
		for i := 1; b.Len() < n; i++ {
			b.WriteString("e" + strings.Repeat("`", i%2000+1))
		}
		return b.String()
	}},
	{"comments without an end", site.Markdown, func(n int) string { return "a " + strings.Repeat("</<!-- ", n/7) }},
	{"instructions without an end", site.Markdown, func(n int) string { return "a " + strings.Repeat("<?", n/2) }},
	{"declarations without an end", site.Markdown, func(n int) string { return "a " + strings.Repeat("<!A ", n/4) }},
	{"sections without an end", site.Markdown, func(n int) string { return "a " + strings.Repeat("<![CDATA[", n/9) }},
	{"tags without an end", site.Markdown, func(n int) string { return "x " + strings.Repeat("<a b=\"", n/6) }},
	{"definitions without an end", site.Markdown, func(n int) string { return strings.Repeat("[a]: b 'c\n", n/10) }},
	{"many definitions", site.Markdown, func(n int) string {
		var b strings.Builder
		for i := range n / 24 {
			fmt.Fprintf(&b, "[r%d]: /u\n\n[r%d]\n\n", i, i)
		}
		return b.String()
	}},
	{"nested quotes", site.Markdown, func(n int) string { return strings.Repeat(">", n) + "a" }},
	{"nested quotes on many lines", site.Markdown, func(n int) string { return strings.Repeat(strings.Repeat("> ", 100)+"a\n", n/202) }},
	{"nested lists", site.Markdown, func(n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(strings.Repeat("  ", i) + "* a\n")
		}
		return b.String()
	}},
	{"blank lines in nested lists", site.Markdown, func(n int) string {
		return strings.Repeat("* ", 300) + "x" + strings.Repeat("\n", n)
	}},
	{"one list", site.Markdown, func(n int) string { return strings.Repeat("- a\n", n/4) }},
	{"definition lists", site.Markdown, func(n int) string { return "a\n" + strings.Repeat(": b\n\n", n/5) }},
	{"entities", site.Markdown, func(n int) string { return strings.Repeat("&#x10ffff", n/9) }},
	{"addresses", site.Markdown, func(n int) string { return strings.Repeat("http://a.b/((", n/13) }},
	{"mail addresses", site.Markdown, func(n int) string { return strings.Repeat("a@", n/2) }},
	{"mail addresses 2", site.Markdown, func(n int) string { return strings.Repeat("a", n/2) + strings.Repeat(" a_b@", n/10) }},
	{"attributes of headings", site.Markdown, func(n int) string { return "# a {" + strings.Repeat("{.a ", n/4) }},
	{"code in many languages", site.Markdown, func(n int) string { return strings.Repeat("```go\nfunc a() {}\n```\n", n/24) }},
	{"elements not closed", site.HTML, func(n int) string {
		var b strings.Builder
		for i := range 400 {
			fmt.Fprintf(&b, "<b id=%d>", i)
		}
		return b.String() + strings.Repeat("<p>x", n/4)
	}},
	{"elements not closed in Markdown", site.Markdown, func(n int) string {
		return strings.Repeat("<font>", 400) + "\n\n" + strings.Repeat("x\n\n", n/3)
	}},
	{"nested elements", site.HTML, func(n int) string { return strings.Repeat("<div>", n/5) }},
	{"nested unknown elements", site.HTML, func(n int) string { return strings.Repeat("<x>", 400) + strings.Repeat("a<br>", n/5) }},
	{"end tags of nothing", site.HTML, func(n int) string { return strings.Repeat("a</x>", n/5) }},
	{"end tags of nothing 2", site.HTML, func(n int) string { return strings.Repeat("a</p>", n/5) }},
	{"text in tables", site.HTML, func(n int) string { return "<table>" + strings.Repeat("a<tr>", n/5) }},
	{"tables in tables", site.HTML, func(n int) string { return strings.Repeat("<table><tr><td>", n/15) }},
	{"attributes", site.HTML, func(n int) string {
		var b strings.Builder
		for range 2 {
			b.WriteString("<b")
			for i := range n / 16 {
				fmt.Fprintf(&b, " a%d", i)
			}
			b.WriteString(">x")
		}
		return b.String()
	}},
	{"addresses of pictures", site.HTML, func(n int) string { return strings.Repeat("<img"+strings.Repeat(" data-src=a", 400)+">", n/4400+1) }},
	{"frames", site.HTML, func(n int) string {
		var b strings.Builder
		for i := range n / 40 {
			fmt.Fprintf(&b, "<iframe src='https://h%d.example/'></iframe>", i)
		}
		return b.String()
	}},
	{"pictures as data", site.HTML, func(n int) string {
		var b strings.Builder
		for i := range n / 36 {
			fmt.Fprintf(&b, "<img src='data:,GIF89a%06d'>", i)
		}
		return b.String()
	}},
	{"scripts", site.HTML, func(n int) string { return strings.Repeat("<script></script>", n/17) }},
	{"code", site.HTML, func(n int) string { return strings.Repeat("<pre><code></pre>", n/17) }},
	{"equal ids", site.HTML, func(n int) string { return strings.Repeat("<p id=a>a</p>", n/13) }},
	{"lists of tasks", site.HTML, func(n int) string {
		return strings.Repeat("<ul data-type=taskList><li data-checked=true>", n/45)
	}},
	{"marks of an editor", site.TipTap, func(n int) string {
		m := strings.Repeat(`{"type":"link","attrs":{"href":"/a"}},`, n/38)
		return `{"type":"doc","content":[{"type":"text","text":"a","marks":[` + m[:len(m)-1] + `]}]}`
	}},
	{"a wide table of an editor", site.TipTap, func(n int) string {
		cell := strings.Repeat(`{"type":"tableCell","attrs":{"colspan":1000,"rowspan":1000,"colwidth":[1,2]},"content":[]},`, n/90)
		return `{"type":"doc","content":[{"type":"table","content":[{"type":"tableRow","content":[` + cell[:len(cell)-1] + `]}]}]}`
	}},
	{"nodes nobody knows", site.TipTap, func(n int) string {
		var b strings.Builder
		for i := range n / 40 {
			fmt.Fprintf(&b, `,{"type":"k%d","text":"a"}`, i)
		}
		return `{"type":"doc","content":[` + b.String()[1:] + `]}`
	}},
}

// TestOutputIsBounded: whatever a body holds, its HTML is not much longer than it.
func TestOutputIsBounded(t *testing.T) {
	r := markup.New(markup.Config{Highlight: true})
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			body := h.body(40 << 10)
			d, err := r.Render(t.Context(), source(h.format, body))
			if err != nil {
				t.Fatal(err)
			}
			out := len(flat(d))
			for _, e := range d.Embedded {
				out += len(e.Data)
			}
			// The most that marks of a byte or two grow to: cells, links back, ids of headings.
			if most := 60*len(body) + 12*100_000; out > most {
				t.Errorf("%d bytes became %d", len(body), out)
			}
		})
	}
}

// BenchmarkHostile shows by its bytes a second that the time of a body grows with its length, not with its square.
func BenchmarkHostile(b *testing.B) {
	r := markup.New(markup.Config{Highlight: true})
	for _, h := range hostile {
		for _, size := range []int{32 << 10, 512 << 10} {
			body := h.body(size)
			b.Run(fmt.Sprintf("%s/%dK", h.name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if _, err := r.Render(b.Context(), source(h.format, body)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// slow is a body that takes a while to parse, whatever the machine.
var slow = strings.Repeat("[a](b) *c*\n\n", 20_000)

func TestDeadline(t *testing.T) {
	in := source(site.Markdown, slow)
	in.File = "a.md"
	memo := memory{}
	d, err := markup.New(markup.Config{Time: time.Nanosecond, Memo: memo}).Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0].Message, "takes longer than 1ns to render") || d.Problems[0].File != "a.md" {
		t.Errorf("problems %v", d.Problems)
	}
	if want := strings.Repeat("<p>[a](b) *c*</p>\n", 20_000); string(d.HTML)+"\n" != want {
		t.Errorf("%d bytes that begin with %.60q, want the text as it is", len(d.HTML), d.HTML)
	}
	if len(memo) != 0 {
		t.Error("what was not rendered in time is remembered")
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := markup.New(markup.Config{Highlight: true})
	for _, h := range hostile {
		if _, err := r.Render(ctx, source(h.format, h.body(10<<10))); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", h.name, err)
		}
	}
}

// A stepping context ends after its Err was asked so many times, so that rendering is interrupted at every place in turn.
type stepping struct {
	context.Context
	left *int
}

func (c stepping) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestInterruptAnywhere(t *testing.T) {
	body := "# A\n\n[x][r] *b* <kbd>c</kbd>[^1]\n\n|a|b|\n|-|-|\n|c\n\n```go\nfunc f() {}\n```\n\n[r]: /u\n\n[^1]: n\n" + strings.Repeat("- a *b* <i>c</i>\n", 60)
	r := markup.New(markup.Config{Highlight: true})
	whole, err := r.Render(t.Context(), source(site.Markdown, body))
	if err != nil {
		t.Fatal(err)
	}
	n, done := 0, false
	for ; !done; n++ {
		left := n
		switch d, err := r.RenderWatched(stepping{t.Context(), &left}, source(site.Markdown, body)); {
		case errors.Is(err, context.Canceled):
		case err != nil:
			t.Fatalf("after %d looks: %v", n, err)
		case string(d.HTML) != string(whole.HTML):
			t.Fatalf("after %d looks: %d bytes of HTML, not %d", n, len(d.HTML), len(whole.HTML))
		default:
			done = true
		}
	}
	if n < 30 {
		t.Errorf("the context was looked at %d times", n)
	}
	if d, err := r.Render(t.Context(), source(site.Markdown, body)); err != nil || string(d.HTML) != string(whole.HTML) {
		t.Errorf("after the interruptions: error %v, or other HTML", err)
	}
}

func TestBoundsAreTold(t *testing.T) {
	for _, tt := range []struct{ name, body, problem, has string }{
		{"table", "text\n\n" + strings.Repeat("|a", 1000) + "|\n" + strings.Repeat("|-", 1000) + "|\n" + strings.Repeat("|b|c|\n", 1000),
			"more than 100000 cells are missing in short rows", "<tr>\n<td>b</td>\n<td>c</td>\n</tr>"},
		{"reference", "[a]: /" + strings.Repeat("x", 50_000) + "\n\n" + strings.Repeat("[a] ", 10), "links by reference would add more than", "</a> [a] [a]"},
		{"quotes", strings.Repeat("> ", 1000) + "a", "nested too deeply", "a</p>"},
		{"lists", func() string {
			var b strings.Builder
			for i := range 700 {
				b.WriteString(strings.Repeat("  ", i) + "- a\n")
			}
			return b.String()
		}(), "nested too deeply", "- a"},
		{"elements", strings.Repeat("<font>", 300) + "\n\n" + strings.Repeat("end\n\n", 5000), "too tangled", "end"},
		{"output", "end\n\n" + strings.Repeat("[^1]", 250_000) + "\n\n[^1]: note\n", "many times as long as the body", "end</p>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := markup.New(markup.Config{}).Render(t.Context(), source(site.Markdown, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Problems) != 1 || !strings.Contains(d.Problems[0].Message, tt.problem) {
				t.Errorf("problems %v, want one with %q", d.Problems, tt.problem)
			}
			if !strings.Contains(string(d.HTML), tt.has) {
				t.Errorf("no %q in the HTML", tt.has)
			}
		})
	}
}

func TestAsianEmphasis(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"**「刻舟求剑」**是", "<strong>「刻舟求剑」</strong>是"},
		{"这是**重点，**后", "这是<strong>重点，</strong>后"},
		{"これは**太字（括弧）**です", "これは<strong>太字（括弧）</strong>です"},
		{"见*（注）*后", "见<em>（注）</em>后"},
		{"说**“重点”**后", "说<strong>“重点”</strong>后"},
		{"이것은 **강조(주)**입니다", "이것은 <strong>강조(주)</strong>입니다"},
		{"删~~（旧）~~新", "删<del>（旧）</del>新"},
		{"**`代码`**后", "<strong><code>代码</code></strong>后"},
		{"中**[链接](https://e.com/)**文", `中<strong><a href="https://e.com/">链接</a></strong>文`},
		{"snake_case_name a_（b）_c", "snake_case_name a_（b）_c"},
		{"a**(b)**c", "a**(b)**c"}, // CommonMark's own rule stays
		{"**bold**text", "<strong>bold</strong>text"},
		{"中** 文**", "中** 文**"},
	} {
		d, err := markup.New(markup.Config{}).Render(t.Context(), source(site.Markdown, tt.text))
		if err != nil || string(d.HTML) != "<p>"+tt.want+"</p>" {
			t.Errorf("%q became %q (error %v), want %q", tt.text, d.HTML, err, tt.want)
		}
	}
}

func TestTables(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"|a|b|\n|-|:-:|\n|c|\n|d|e|f|\n", `<tr><th>a</th><th class="align-center">b</th></tr>|<tr><td>c</td><td></td></tr><tr><td>d</td><td class="align-center">e</td></tr>`},
		{"|`a\\|b`|\n|-|\n|c \\| d|\n", `<tr><th><code>a|b</code></th></tr>|<tr><td>c | d</td></tr>`},
		{"before\n\na | b\n--|--\nc | d\n\nafter", `<tr><th>a</th><th>b</th></tr>|<tr><td>c</td><td>d</td></tr>`},
		{"|a|b|\n|-|-|-|\n|c|", ""},
		{"| a |\n|---|", "<tr><th>a</th></tr>|"},
		{"a\n:-:", `<tr><th class="align-center">a</th></tr>|`},
		{"|a|\n|-|\n|b\\|", "<tr><th>a</th></tr>|<tr><td>b|</td></tr>"},
	} {
		d, err := markup.New(markup.Config{}).Render(t.Context(), source(site.Markdown, tt.text))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(string(d.HTML), "\n", "")
		head, rest, _ := strings.Cut(tt.want, "</tr>|")
		want := "<table><thead>" + head + "</tr></thead>"
		if rest != "" {
			want += "<tbody>" + rest + "</tbody>"
		}
		if tt.want == "" {
			if strings.Contains(got, "<table") {
				t.Errorf("%q became %q, which is a table", tt.text, got)
			}
		} else if !strings.Contains(got, want+"</table>") {
			t.Errorf("%q became %q, want %q", tt.text, got, want)
		}
	}
}

func TestFootnotes(t *testing.T) {
	d, err := markup.New(markup.Config{}).Render(t.Context(), source(site.Markdown,
		"b[^b] a[^a] b![^b] no[^c]\n\n[^a]: A[^d]\n[^b]: B\n[^b]: again\n[^x]: unused\n\n> [^d]: D\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := string(d.HTML)
	for _, want := range []string{
		`b<sup id="fnref:1"><a href="#fn:1" class="footnote-ref" role="doc-noteref">1</a></sup>`,
		`a<sup id="fnref:2">`, `b!<sup id="fnref:1-2">`, `no[^c]`, `id="fn:3"`, `<p>A<sup id="fnref:3">`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(got, "unused") || strings.Contains(got, "again") || strings.Count(got, "footnote-backref") != 4 {
		t.Errorf("footnotes nobody refers to, or not four links back: %s", got)
	}
	if a, b := strings.Index(got, ">B "), strings.Index(got, ">A<"); a < 0 || b < a {
		t.Errorf("not in the order of the references: %s", got)
	}
}
