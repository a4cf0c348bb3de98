package contentdir

import (
	"bytes"
	"html"
	_ "image/gif" // sizes of pictures
	_ "image/jpeg"
	_ "image/png"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	_ "golang.org/x/image/webp"

	"freshet/internal/datauri"
	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/fields"
	"freshet/internal/frontmatter"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
	"freshet/internal/stored"
)

// bodyOf returns the translated body, and stored HTML and editors' documents as they are. front is the decoded front matter, or nil when it is to be read if needed.
func bodyOf(name string, p *frontmatter.Parts, front *frontmatter.Value) (string, []shortcodes.Use) {
	if keepsText(p) {
		if front == nil {
			front, _ = p.Decode()
		}
		if front != nil {
			t := keptBody(name, p, front)
			return t.Text, nil
		}
	}
	body := string(p.Body)
	if strings.Contains(body, "\r") {
		body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	}
	body = strings.TrimPrefix(body, "\ufeff")
	mdx := shortcodes.IsMDX(name, body)
	if !shortcodes.Needed(body, mdx) {
		return body, nil
	}
	if front == nil && (bytes.Contains(p.Front, []byte("shortcodes")) || bytes.Contains(p.Front, []byte("format")) || strings.Contains(body, "{")) {
		front, _ = p.Decode()
	}
	if shortcodesOff(front) || !isMarkdown(front) {
		return body, nil
	}
	return shortcodes.Translate(body, shortcodes.Options{MDX: mdx, Param: paramOf(front), Line: p.BodyLine})
}

func shortcodesOff(front *frontmatter.Value) bool {
	if front == nil {
		return false
	}
	v := front.Get("shortcodes")
	if v == nil {
		return false
	}
	b, ok := v.Bool()
	return ok && !b
}

// isMarkdown reports whether a front matter names no other format for the body.
func isMarkdown(front *frontmatter.Value) bool {
	if front == nil {
		return true
	}
	v := front.Get("format")
	return v == nil || !strings.EqualFold(v.Text, string(site.HTML)) && !strings.EqualFold(v.Text, string(site.TipTap))
}

// maxParamBytes is the longest front-matter value that text may repeat.
const maxParamBytes = 1 << 10

// paramOf finds front-matter values for {{< param x >}}; only plain values stand in text.
func paramOf(front *frontmatter.Value) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if front == nil {
			return "", false
		}
		v := front.Lookup(name)
		for _, section := range [...]string{"params", "extra"} {
			if v == nil {
				v = front.Lookup(section + "." + name)
			}
		}
		if v == nil || v.Kind == frontmatter.List || v.Kind == frontmatter.Table || v.Kind == frontmatter.Null || len(v.Text) > maxParamBytes || strings.Contains(v.Text, "{{") || strings.Contains(v.Text, "{%") {
			return "", false
		}
		return v.Text, true
	}
}

// parseFile reads one Markdown file. It depends on the file's path in the tree, its bytes and the site's time zone alone. What
// depends on the body's text is left out.
func parseFile(name string, data []byte, zone *time.Location) (out *parsed, body string) {
	out = &parsed{}
	p, prob := frontmatter.Parse(data)
	if prob != nil {
		out.fail(prob)
		out.dated = dateHint.Match(data[:min(len(data), 4<<10)])
		return out, ""
	}
	front, prob := p.Decode()
	if prob != nil {
		prob.Text = diag.ClipLine(prob.Text)
		out.fail(prob)
		out.dated = dateHint.Match(p.Front)
		return out, ""
	}
	readFields(&p, name, front, out, zone)
	if out.stored && out.title == "" && !out.draft && (out.says || collOf(name) == stored.Courses) {
		out.fail(&diag.Problem{Severity: diag.Error, Line: 1, Field: "title", Message: "there is no title", Remedy: "write one in title"})
	}
	for i := range out.problems {
		out.problems[i].Text = diag.ClipLine(out.problems[i].Text)
	}
	out.hold(name, "")
	if keepsText(&p) {
		t := keptBody(name, &p, front)
		body, out.format = t.Text, t.Format
		out.keepText(name, &t, p.BodyLine)
	} else {
		body, out.uses = bodyOf(name, &p, front)
	}
	lines := [...]*string{&out.title, &out.excerpt, &out.seo.Title, &out.seo.Description, &out.cover.Alt}
	for _, s := range lines {
		*s = fields.Characters(*s)
	}
	if !out.shortcodesOff {
		for _, s := range lines {
			text, uses := shortcodes.Inline(*s, shortcodes.Options{Param: paramOf(front), Line: 1})
			*s = text
			for i := range uses {
				uses[i].Line, uses[i].Col, uses[i].Text = 1, 1, ""
			}
			out.addUses(uses)
		}
	}
	if out.published.IsZero() {
		if t, ok := datePath(out.address); ok {
			out.published = site.OnWall(t, zone)
		}
	}
	out.dated = !out.published.IsZero()
	if strings.TrimSpace(body) != "" {
		out.hash, out.bytes = digest.String(body), len(body)
		if out.hash == 0 {
			out.hash = 1 // 0 says that there is no body
		}
		if out.lang == "" && out.bodyFormat() == site.Markdown && !out.stored {
			out.lang = metadataLang(body)
		}
	}
	return out, body
}

// bodyFormat is how the body is written.
func (p *parsed) bodyFormat() site.Format {
	if p.format == "" {
		return site.Markdown
	}
	return p.format
}

// dateHint finds a date key in front matter that cannot be read, so that a mistake in the only dated file of a folder
// does not turn the folder into a course.
var dateHint = regexp.MustCompile(`(?mi)^["']?(date|published|published_?at|pub_?date|publish_?date)["']?\s*[:=]\s*["']?\d{4}|^["']?path["']?\s*[:=]\s*["']/?\d{4}/\d\d/\d\d/`)

// languageCode is how the translator of many course repositories notes the language of a file.
var languageCode = regexp.MustCompile(`"language_code":\s*"([A-Za-z-]{2,8})"`)

func metadataLang(body string) string {
	if !strings.HasPrefix(body, "<!--") {
		return ""
	}
	end := strings.Index(body, "-->")
	if end < 0 || end > 2000 {
		return ""
	}
	if m := languageCode.FindStringSubmatch(body[:end]); m != nil {
		tag, _ := site.Language(m[1])
		return tag
	}
	return ""
}

func (p *parsed) fail(prob *diag.Problem) {
	p.problems = append(p.problems, *prob)
	if !p.broken {
		p.broken, p.reason, p.badField = true, prob.Message, prob.Field
	}
}

func (p *parsed) addUses(more []shortcodes.Use) {
	for _, u := range more {
		found := false
		for i := range p.uses {
			if p.uses[i].Kind == u.Kind {
				p.uses[i].Count += u.Count
				found = true
			}
		}
		if !found {
			p.uses = append(p.uses, u)
		}
	}
}

// parseAsset reads what pages need to know of a file that is no Markdown: digest and picture size.
func parseAsset(name string, head []byte, sum digest.Sum) (a assetInfo) {
	a.sum = sum
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".jfif", ".gif", ".webp":
		a.width, a.height, _ = datauri.Size(head)
	case ".svg":
		a.width, a.height = svgSize(head)
	}
	return a
}

type assetInfo struct {
	sum           digest.Sum
	width, height int
}

var (
	svgTag  = regexp.MustCompile(`(?s)<svg\b[^>]*>`)
	svgAttr = regexp.MustCompile(`(?s)\s(width|height|viewBox)\s*=\s*["']([^"']*)["']`)
)

// svgSize reads width and height in pixels, else the view box.
func svgSize(b []byte) (w, h int) {
	tag := svgTag.Find(b[:min(len(b), 64<<10)])
	if tag == nil {
		return 0, 0
	}
	var fw, fh, bw, bh float64
	for _, m := range svgAttr.FindAllSubmatch(tag, -1) {
		val := html.UnescapeString(string(m[2]))
		switch string(m[1]) {
		case "width":
			fw = svgLength(val)
		case "height":
			fh = svgLength(val)
		case "viewBox":
			if f := strings.FieldsFunc(val, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' }); len(f) == 4 {
				bw, _ = strconv.ParseFloat(f[2], 64)
				bh, _ = strconv.ParseFloat(f[3], 64)
			}
		}
	}
	switch {
	case fw > 0 && fh > 0:
	case bw > 0 && bh > 0 && fw > 0:
		fh = fw * bh / bw
	case bw > 0 && bh > 0 && fh > 0:
		fw = fh * bw / bh
	default:
		fw, fh = bw, bh
	}
	if !(fw >= 1 && fh >= 1 && fw < 1e5 && fh < 1e5) {
		return 0, 0
	}
	return int(fw + 0.5), int(fh + 0.5)
}

func svgLength(s string) float64 {
	s = strings.TrimSpace(s)
	scale := 1.0
	for unit, px := range map[string]float64{"px": 1, "pt": 4.0 / 3, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96} {
		if strings.HasSuffix(s, unit) {
			s, scale = strings.TrimSuffix(s, unit), px
			break
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return f * scale
}
