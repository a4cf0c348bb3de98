package contentdir

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"freshet/internal/extjson"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
)

// convert makes a document as MongoDB keeps them of a post or a course that an author wrote. Its text is the one that
// is shown: template syntax of other tools has been translated.
func (l *Library) convert(ctx context.Context, doc site.Document) (extjson.Doc, error) {
	var b docBuilder
	switch doc := doc.(type) {
	case *site.Post:
		b.text("title", doc.Title)
		b.text("slug", string(doc.Slug))
		b.text("excerpt", doc.Excerpt)
		if err := l.body(ctx, &b, "content", doc.Body); err != nil {
			return nil, err
		}
		b.authors(doc.Authors)
		b.meta(l, &doc.Meta)
		if doc.Featured {
			b.put("featured", extjson.Truth(true))
		}
		if doc.Views > 0 {
			b.put("views", extjson.Whole(doc.Views))
		}
	case *site.Course:
		b.text("title", doc.Title)
		b.text("slug", string(doc.Slug))
		b.text("shortDescription", doc.Excerpt)
		if err := l.body(ctx, &b, "fullDescription", doc.Body); err != nil {
			return nil, err
		}
		b.put("price", extjson.Number(doc.Price))
		if doc.OriginalPrice > 0 {
			b.put("originalPrice", extjson.Number(doc.OriginalPrice))
		}
		b.text("currency", doc.Currency)
		b.text("level", doc.Level)
		b.text("duration", doc.Duration)
		if doc.Rating > 0 {
			b.put("rating", extjson.Number(doc.Rating))
		}
		b.instructors(doc.Instructors)
		b.texts("features", doc.Features)
		b.texts("whatYouLearn", doc.Learn)
		b.texts("requirements", doc.Requirements)
		b.text("enrollRedirectUrl", doc.EnrollURL)
		b.meta(l, &doc.Meta)
		if doc.Weight != 0 {
			b.put("weight", extjson.Whole(int64(doc.Weight)))
		}
		if err := l.modules(ctx, &b, doc.Modules); err != nil {
			return nil, err
		}
	}
	return b.doc, nil
}

func (l *Library) modules(ctx context.Context, b *docBuilder, modules []site.Module) error {
	list := extjson.List()
	for _, m := range modules {
		lessons := extjson.List()
		for _, lesson := range m.Lessons {
			var lb docBuilder
			lb.text("title", lesson.Title)
			lb.text("slug", string(lesson.Slug))
			lb.text("duration", lesson.Duration)
			if err := l.body(ctx, &lb, "content", lesson.Body); err != nil {
				return err
			}
			lb.put("free", extjson.Truth(lesson.Open))
			lb.texts("aliases", lesson.Aliases)
			lessons.Items = append(lessons.Items, extjson.Embedded(lb.doc))
		}
		list.Items = append(list.Items, extjson.Embedded(extjson.Doc{{Key: "title", Value: extjson.Text(m.Title)}, {Key: "lessons", Value: lessons}}))
	}
	if len(list.Items) > 0 {
		b.put("curriculum", list)
	}
	return nil
}

// body puts a body in a field of the form that it has.
func (l *Library) body(ctx context.Context, b *docBuilder, field string, ref site.BodyRef) error {
	if ref.IsZero() {
		return nil
	}
	body, err := l.src.Body(ctx, ref)
	if err != nil {
		return err
	}
	from := string(ref.Doc)
	if ref.Part != "" {
		from = ref.Part
	}
	switch ref.Format {
	case site.TipTap:
		d, _, err := extjson.Parse(body.Text)
		if err != nil {
			return fmt.Errorf("read body of %s: %w", ref.Doc, err)
		}
		b.put(field, extjson.Embedded(d))
	case site.HTML:
		b.put("htmlContent", extjson.Text(l.absolute(from, string(body.Text))))
	default:
		b.put(field, extjson.Text(l.absolute(from, string(body.Text))))
	}
	return nil
}

// addresses are where bodies name other files: links and pictures of Markdown, definitions of such, and HTML.
var addresses = regexp.MustCompile(`(\]\(\s*<?|(?m:^ {0,3}\[[^\]\n]+\]:[ \t]*<?)|\b(?:src|href|poster)\s*=\s*["'])([^\s"'<>()]+)`)

// absolute gives a body addresses that mean the same wherever it is kept: those of other documents on the site, and of
// files below /uploads/. Those in code stay.
func (l *Library) absolute(from, body string) string {
	code := shortcodes.CodeBlocks(body)
	var out strings.Builder
	at := 0
	for _, m := range addresses.FindAllStringSubmatchIndex(body, -1) {
		for len(code) > 0 && code[0].End <= m[0] {
			code = code[1:]
		}
		if len(code) > 0 && code[0].Start <= m[0] {
			continue
		}
		out.WriteString(body[at:m[4]])
		out.WriteString(l.address(from, body[m[4]:m[5]]))
		at = m[5]
	}
	return out.String() + body[at:]
}

// address is absolute for one address.
func (l *Library) address(from, link string) string {
	name, fragment, _ := strings.Cut(link, "#")
	if name == "" || strings.Contains(name, ":") || strings.HasPrefix(name, "//") || strings.Contains(name, "?") {
		return link
	}
	if fragment != "" {
		fragment = "#" + fragment
	}
	file, err := url.PathUnescape(name)
	if err != nil {
		return link
	}
	if strings.HasPrefix(file, "/") {
		if r := l.src.tree.record("static" + path.Clean(file)); r != nil {
			return "/uploads/" + (&url.URL{Path: r.path}).EscapedPath()
		}
		return link
	}
	file = path.Join(path.Dir(from), file)
	for _, try := range [...]string{file, file + ".md", path.Join(file, "index.md")} {
		if k := l.byPath[try]; k != nil && k.written != nil {
			return site.PathOf(k.written).URL() + fragment
		}
	}
	if r := l.src.tree.record(file); r != nil && !r.isMarkdown {
		return "/uploads/" + (&url.URL{Path: r.path}).EscapedPath() + fragment
	}
	return link
}

// A docBuilder gathers fields; empty ones are left out.
type docBuilder struct{ doc extjson.Doc }

func (b *docBuilder) put(key string, v extjson.Value) {
	b.doc = append(b.doc, extjson.Field{Key: key, Value: v})
}

func (b *docBuilder) text(key, s string) {
	if s != "" {
		b.put(key, extjson.Text(s))
	}
}

func (b *docBuilder) texts(key string, list []string) {
	if len(list) > 0 {
		b.put(key, extjson.Texts(list))
	}
}

func (b *docBuilder) date(key string, t time.Time) {
	if !t.IsZero() {
		b.put(key, extjson.Moment(t))
	}
}

// meta puts what all documents have, after their texts.
func (b *docBuilder) meta(l *Library, m *site.Meta) {
	cover, preview := l.picture(m, m.Cover.Src), l.picture(m, m.SEO.Image)
	b.texts("tags", m.Tags)
	status := "published"
	if m.Draft {
		status = "draft"
	}
	b.text("status", status)
	b.date("publishedAt", m.Published)
	b.date("modifiedAt", m.Modified)
	b.date("expiresAt", m.Expires)
	switch {
	case m.Cover.Alt != "":
		b.put("coverImage", extjson.Embedded(extjson.Doc{{Key: "url", Value: extjson.Text(cover)}, {Key: "alt", Value: extjson.Text(m.Cover.Alt)}}))
	default:
		b.text("coverImage", cover)
	}
	var seo docBuilder
	seo.text("title", m.SEO.Title)
	seo.text("description", m.SEO.Description)
	seo.texts("keywords", m.SEO.Keywords)
	seo.text("canonical", m.SEO.Canonical)
	seo.text("image", preview)
	if m.SEO.NoIndex {
		seo.put("noindex", extjson.Truth(true))
	}
	if len(seo.doc) > 0 {
		b.put("seo", extjson.Embedded(seo.doc))
	}
	b.text("lang", m.Lang)
	b.texts("aliases", m.Aliases)
}

// picture is the address of a picture that a document's own fields name.
func (l *Library) picture(m *site.Meta, src string) string {
	if src == "" || m.Source == "" {
		return src
	}
	return l.address(m.Source, src)
}

// authors puts one name as text, where that reads back as one; else a list.
func (b *docBuilder) authors(list []site.Author) {
	switch {
	case len(list) == 0:
	case len(list) == 1 && slices.Equal(site.SplitNames(list[0].Name), []string{list[0].Name}):
		b.text("author", list[0].Name)
		b.text("authorImage", list[0].Image)
	default:
		v := extjson.List()
		for _, a := range list {
			var ab docBuilder
			ab.text("name", a.Name)
			ab.text("image", a.Image)
			v.Items = append(v.Items, extjson.Embedded(ab.doc))
		}
		b.put("authors", v)
	}
}

func (b *docBuilder) instructors(list []site.Instructor) {
	v := extjson.List()
	for _, in := range list {
		var ib docBuilder
		ib.text("name", in.Name)
		ib.text("title", in.Title)
		ib.text("image", in.Image)
		ib.text("bio", in.Bio)
		v.Items = append(v.Items, extjson.Embedded(ib.doc))
	}
	if len(v.Items) > 0 {
		b.put("instructors", v)
	}
}
