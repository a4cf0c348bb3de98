package contentdir_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/diag"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
)

// TestFrontMatterIsRecognised reads files that some tool reads, and files whose front matter no tool does.
func TestFrontMatterIsRecognised(t *testing.T) {
	const keys = "title: A\ndate: 2024-01-02\n"
	for _, test := range []struct {
		name, data string
		want       string // the title, if front matter is read; "text": there is none; "mistake N": the file is left out, for line N
	}{
		{"plain", "---\n" + keys + "---\nBODY\n", "A"},
		{"ends with the file", "---\n" + keys + "---", "A"},
		{"empty", "---\n---\nBODY\n", "text"},
		{"blank lines", "\n \n\t\n---\n" + keys + "---\nBODY\n", "A"},
		{"blank lines before TOML", "\n+++\ntitle = \"A\"\n+++\nBODY\n", "A"},
		{"blank lines before JSON", "\n\n{\"title\": \"A\"}\nBODY\n", "A"},
		{"byte order mark", "\ufeff---\n" + keys + "---\nBODY\n", "A"},
		{"two byte order marks", "\ufeff\ufeff---\n" + keys + "---\nBODY\n", "A"},
		{"byte order mark after a blank line", "\n\ufeff---\n" + keys + "---\nBODY\n", "A"},
		{"zero width blank", "\u200b---\n" + keys + "---\nBODY\n", "A"},
		{"HTML comment", "<!-- of the\noffice -->\n\n<!-- x -->\n---\n" + keys + "---\nBODY\n", "A"},
		{"MDX comment", "{/* lint off */}\n---\n" + keys + "---\nBODY\n", "A"},
		{"Liquid comment", "{% comment %} x {% endcomment %}\n---\n" + keys + "---\nBODY\n", "A"},
		{"Markdown comment", "[//]: # (x)\n---\n" + keys + "---\nBODY\n", "A"},
		{"line of a hash", "# of the office\n---\n" + keys + "---\nBODY\n", "A"},
		{"comment before TOML", "<!-- x -->\n+++\ntitle = \"A\"\n+++\nBODY\n", "A"},
		{"five hyphens", "-----\n" + keys + "-----\nBODY\n", "A"},
		{"blanks behind fences", "---  \t\n" + keys + "--- \nBODY\n", "A"},
		{"indented", "  ---\n  title: A\n  ---\nBODY\n", "A"},
		{"no-break space behind a fence", "---\u00a0\n" + keys + "---\u00a0\nBODY\n", "A"},
		{"CRLF", "---\r\ntitle: A\r\n---\r\nBODY\r\n", "A"},
		{"CR", "---\rtitle: A\r---\rBODY\r", "A"},
		{"dots", "---\n" + keys + "...\nBODY\n", "A"},
		{"yaml named", "---yaml\n" + keys + "---\nBODY\n", "A"},
		{"yml named after a blank", "--- yml\n" + keys + "---\nBODY\n", "A"},
		{"toml named", "---toml\ntitle = \"A\"\n---\nBODY\n", "A"},
		{"json named", "---json\n{\"title\": \"A\"}\n---\nBODY\n", "A"},
		{"comment on the fence", "--- # x\n" + keys + "---\nBODY\n", "A"},
		{"semicolons", ";;;\n\"title\": \"A\",\n\"draft\": false\n;;;\nBODY\n", "A"},
		{"without the first fence", keys + "---\nBODY\n", "A"},
		{"without the first fence, with a list", "title: A\ntags:\n- x\n---\nBODY\n", "A"},
		{"title with a blank before its colon", "---\ntitle : A\n---\nBODY\n", "A"},
		{"comment in it", "---\n\n<!-- x -->\ntitle: A\n---\nBODY\n", "mistake 3"},

		{"rule", "---\n\nBODY\n\n---\n", "text"},
		{"rule and a list", "-----\n- a\n- b\n", "text"},
		{"rule after a heading", "# A heading\n---\n\nBODY\n", "text"},
		{"heading", "Note: BODY\n---\nText\n", "text"},
		{"a key alone, in capitals", "Title: BODY\n", "text"},
		{"prose with a colon", "Summary: it works.\nBODY\n", "text"},
		{"example in a code block", "BODY\n\n```yaml\n---\ntitle: B\n---\n```\n", "text"},
		{"example in code", "    title: B\n    draft: true\n\nBODY\n", "text"},
		{"curly brackets", "{{< x >}}\nBODY\n", "text"},
		{"attribute", "{: .no_toc}\nBODY\n", "text"},
		{"comment", "<!-- x -->\nBODY\n", "text"},
		{"key after a heading", "# Status\n\nstatus: BODY\n", "text"},
		{"rule after front matter", "---\n" + keys + "---\n\n---\n\nBODY\n", "A"},
		{"definitions after front matter", "---\n" + keys + "---\nTitle: B\nDate: today\nBODY\n", "A"},

		{"no end", "---\n" + keys + "\nBODY\n", "mistake 1"},
		{"no end after a comment", "<!-- x -->\n---\n" + keys + "BODY\n", "mistake 2"},
		{"no end of five", "-----\n" + keys + "---\nBODY\n", "mistake 1"},
		{"no end, the first line no key", "---\nA\ndraft: true\n\nBODY\n", "mistake 1"},
		{"no end, blank before the colon", "---\ndraft : true\n\nBODY\n", "mistake 1"},
		{"two hyphens", "--\n" + keys + "--\nBODY\n", "mistake 1"},
		{"dashes", "\u2014\u2014\n" + keys + "\u2014\u2014\nBODY\n", "mistake 1"},
		{"stars", "***\n" + keys + "***\nBODY\n", "mistake 1"},
		{"equals", "===\n" + keys + "===\nBODY\n", "mistake 1"},
		{"spaced", "- - -\n" + keys + "- - -\nBODY\n", "mistake 1"},
		{"four pluses", "++++\ntitle = \"A\"\n+++\nBODY\n", "mistake 1"},
		{"no fence", "title: A\ndraft: true\n\nBODY\n", "mistake 1"},
		{"no fence, after a comment", "<!-- x -->\n\ndraft: true\n\nBODY\n", "mistake 3"},
		{"no fence, TOML", "title = \"A\"\ndraft = true\n\nBODY\n", "mistake 1"},
		{"Pelican", "Title: A\nDate: 2024-01-02\nStatus: draft\n\nBODY\n", "mistake 1"},
		{"Org mode", "#+title: A\n#+draft: true\n\nBODY\n", "mistake 1"},
		{"field list", ":title: A\n:status: draft\n\nBODY\n", "mistake 1"},
		{"JavaScript", "---js\n{\n  title: 'A'\n}\n---\nBODY\n", "mistake 1"},
		{"no blank line before the text", "title: A\nslug: a\nBODY\n", "mistake 1"},
		{"a draft, no blank line before the text", "draft: true\nBODY\n", "mistake 1"},
		{"two hyphens, no blank line before the text", "--\ntitle: A\n--\nBODY\n", "mistake 1"},
		{"another language", "---coffee\ntitle: A\n---\nBODY\n", "mistake 1"},
		{"JSON without quotes", "{\n  title: \"A\",\n  draft: true\n}\nBODY\n", "mistake 1"},
		{"JSON without end", "{\"title\": \"A\"\nBODY\n", "mistake 1"},
		{"text before it", "Draft!\n\n---\n" + keys + "draft: true\n---\nBODY\n", "mistake 3"},
		{"import before it", "import A from 'a'\n\n---\n" + keys + "---\nBODY\n", "mistake 3"},
		{"twice", "---\nlayout: post\n---\n\n---\n" + keys + "draft: true\n---\nBODY\n", "mistake 5"},
		{"in a code block", "```markdown\n---\n" + keys + "---\nBODY\n```\n", "mistake 1"},
	} {
		dir := t.TempDir()
		write(t, dir, "blog/z.md", []byte(test.data))
		s := newSource(t, dir, nil)
		ch := scan(t, s, nil)
		got := "text"
		for _, p := range ch.Problems {
			if p.Severity == diag.Error {
				got = "mistake " + strings.TrimSpace(strings.Split(p.Error(), ":")[1])
			}
		}
		if len(ch.Put) == 1 {
			post := ch.Put[0].(*site.Post)
			var body site.Body
			if !post.Body.IsZero() {
				var err error
				if body, err = s.Body(t.Context(), post.Body); err != nil {
					t.Fatal(err)
				}
			}
			text := string(body.Text)
			if post.Title == "A" {
				got = "A"
				if strings.Contains(text, "title") || strings.TrimSpace(text) != "" && !strings.Contains(text, "BODY") && test.name != "ends with the file" {
					t.Errorf("%s: body %q", test.name, text)
				}
			}
			// The body's line numbers are the file's.
			lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(test.data), "\n")
			if i := strings.Index(text, "BODY"); i >= 0 {
				if at := body.Line + strings.Count(text[:i], "\n"); at > len(lines) || !strings.Contains(lines[at-1], "BODY") {
					t.Errorf("%s: line %d is said to have BODY", test.name, at)
				}
			}
		}
		if got != test.want {
			t.Errorf("%s: %q gives %q, want %q: %v", test.name, test.data, got, test.want, ch.Problems)
		}
	}
}

// FuzzFrontMatterRecognition puts a draft's front matter between things that may stand around it: whatever they are, it is read,
// or the file is left out, or it stands in code; it is never text.
func FuzzFrontMatterRecognition(f *testing.F) {
	for _, s := range [][3]string{
		{"", "---", "---"}, {"\n\n", "---", "---"}, {"\ufeff", "---", "---"}, {"<!-- x -->\n", "---", "---"}, {"", "-----", "-----"}, {"# x\n", "---", "---"}, {"", "--", "--"},
		{"", "***", "***"}, {"", "--- ", "--- "}, {"", "---", ""}, {"", "", "---"}, {"", "", ""}, {"", "---", "..."}, {"", "+++", "+++"}, {" ", "---", "---"}, {"x\n", "---", "---"},
	} {
		f.Add(s[0], s[1], s[2], uint8(len(s[0])))
	}
	f.Fuzz(func(t *testing.T, before, open, end string, kind uint8) {
		if len(before)+len(open)+len(end) > 200 || strings.ContainsAny(open+end, "\n\r") {
			return
		}
		// What is looked for is what people and programs write; not that any text before a rule is seen through.
		before = [...]string{"", "\n", "\n\n \n", "\ufeff", "<!-- x -->\n", "# x\n", "x\n\n", "\u200b\n"}[kind%8]
		for _, line := range []string{open, end} {
			if strings.Trim(line, "-+*=_;. \t") != "" || len(strings.Join(strings.Fields(line), "")) == 1 {
				return
			}
		}
		if strings.ContainsAny(before, "#x") && !strings.HasPrefix(before, "<") && (open != end || open != "---" && open != "-----") {
			return // lines of a text
		}
		data := before + open + "\ntitle: SECRET\ndraft: true\n" + end + "\nText.\n"
		p := contentdir.Parse("blog/a.md", []byte(data))
		if p.Broken || p.Draft {
			return
		}
		if !bytes.Contains([]byte(p.Body), []byte("SECRET")) {
			return
		}
		code := shortcodes.CodeBlocks(p.Body)
		for at := 0; ; at++ {
			i := strings.Index(p.Body[at:], "SECRET")
			if i < 0 {
				return
			}
			at += i
			if !slices.ContainsFunc(code, func(c shortcodes.Span) bool { return at >= c.Start && at < c.End }) {
				t.Errorf("%q is published with its front matter", data)
			}
		}
	})
}
