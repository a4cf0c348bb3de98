package mongodb

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/fields"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// decoded is what one stored document becomes: a document or a skip, always one of them.
type decoded struct {
	doc      site.Document  // *site.Post or *site.Course; nil when it is left out
	files    []*site.File   // pictures that the document holds as data; it names them by their Name
	problems []diag.Problem // what was repaired, as warnings
	skip     *site.Skip     // why it is left out
	parts    []site.Skip    // lessons and modules that are left out of it because of mistakes
	guess    string         // the field that its text may be in, where there is none in a known one
	unsaid   bool           // it is a draft because nothing says that it is published
	updated  time.Time      // updatedAt as stored, zero when absent; a hint only, never in the revision
}

// A Summarizer makes what lists say of a body. It is whoever renders the pages: so an excerpt says what its page says, and no
// body is parsed twice.
type Summarizer interface {
	// Summarize returns the summary of a body. The title is empty if the document has none but the one in its text.
	Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error)
}

// A decoder makes site documents of stored ones. Whatever a field holds, the others are read: what is odd is repaired
// and named, and only a document that could not be shown truly is left out, with the reason. What a document becomes
// depends on its bytes alone. A decoder may be used by several goroutines.
type decoder struct {
	blogs, courses string         // names of the collections; empty: "blogs", "courses"
	zone           *time.Location // that days are shown in; nil: UTC
	cfg            *Config        // how fields are called, and what they refer to; nil: as freshet calls them
	summaries      Summarizer
	language       string // the site's, of documents that name none
	referred       referredNames

	mu      sync.Mutex        // protects what follows
	strings map[string]string // one copy of each text that many documents have: tags, authors, levels
}

func newDecoder(blogs, courses string, summaries Summarizer) *decoder {
	return &decoder{blogs: blogs, courses: courses, summaries: summaries}
}

// shared returns one copy of a text that many documents have.
func (d *decoder) shared(s string) string {
	if s == "" {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.strings[s]; ok {
		return c
	}
	s = strings.Clone(s)
	if d.strings == nil {
		d.strings = map[string]string{}
	}
	if len(d.strings) < 100_000 {
		d.strings[s] = s
	}
	return s
}

// unread are fields of posts and courses that no page shows: counters, and what grows without a bound. The server keeps
// them to itself. All other fields are read whole, because a field that hides a document may be spelled in any way.
var unread = []string{"comments", "likes", "likedBy", "isCached", "shareCount", "viewsCount", "enrollClickCount", "studentsCount", "studentsEnrolled", "enrolledCount",
	"students", "enrolledStudents", "reviews", "ratings", "versions", "revisions", "history", "__v"}

// projection leaves out what is unread, but for what the settings name.
func (c *Config) projection() bson.D {
	used := map[string]bool{}
	for _, path := range c.Fields {
		head, _, _ := strings.Cut(path, ".")
		used[head] = true
	}
	for path := range c.Refs {
		head, _, _ := strings.Cut(c.refPath(path), ".")
		used[head] = true
	}
	var d bson.D
	for _, name := range unread {
		if !used[name] {
			d = append(d, bson.E{Key: name, Value: 0})
		}
	}
	return d
}

func (d *decoder) blogColl() string   { return cmp.Or(d.blogs, "blogs") }
func (d *decoder) courseColl() string { return cmp.Or(d.courses, "courses") }

// A reader takes the fields of one document.
type reader struct {
	d       *decoder
	fields  fieldList
	coll    string
	id      site.ID
	born    time.Time // the ObjectId's time; zero when the _id is none
	out     decoded
	undated bool   // publishedAt is there and null, which says that it is not published where nothing else says anything
	quiet   bool   // only bodies are wanted
	want    string // name of the picture that is wanted, and what it was made of
	uri     string
}

// ownNames are the names of fields that decoding asks for by itself. Others are known by what they stand for.
var ownNames = func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(`_id title slug excerpt shortDescription description lang language tags topics categories category
		coverImage cover cover_image image coverImageAlt coverAlt seo metaTitle metaDescription metaKeywords canonicalUrl canonicalURL
		publishedAt published_at date createdAt created_at modifiedAt lastmod expiresAt updatedAt aliases content htmlContent contentHTML contentJSON
		authors author authorImage featured views viewCount readTime fullDescription price originalPrice discount currency level duration rating
		instructor instructors instructorName instructorImage features whatYouLearn requirements enrollRedirectUrl enrollUrl curriculum weight order lessons free`) {
		out[name] = true
	}
	return out
}()

// named adds to a document's fields those that go by other names, each under its own name, the best first and behind all
// that have their own.
func (d *decoder) named(list fieldList) fieldList {
	type other struct {
		element
		rank int
	}
	var others []other
	for i := range list {
		f := list[i]
		if name := string(f.key); !ownNames[name] {
			own, rank := fields.Meaning(name, false)
			if own == "" && f.v.Type == bson.TypeDateTime && fields.Reduce(name) == "published" {
				own = "publishedAt"
			}
			if own != "" && own != "content" {
				others = append(others, other{element{key: []byte(own), as: name, v: f.v}, rank})
			}
		}
	}
	slices.SortStableFunc(others, func(a, b other) int { return b.rank - a.rank })
	for _, o := range others {
		list = append(list, o.element)
	}
	return list
}

// begin reads a document's fields. It reports false when they cannot be read.
func (d *decoder) begin(coll string, raw bson.Raw) (*reader, bool) {
	r := &reader{d: d, coll: coll}
	var err error
	r.fields, err = fieldsOf(raw)
	r.fields = d.named(d.mapped(r.fields))
	id := r.fields.id()
	if isNull(id) {
		r.id = documentID(coll, bson.RawValue{Type: bson.TypeNull})
		r.skip("_id", "the document has no _id to know it by", "give it one: what the database stores itself has one")
		return r, false
	}
	r.id = documentID(coll, id)
	if err != nil {
		r.skip("", "the document cannot be read: "+err.Error(), "store it again")
		return r, false
	}
	if id.Type == bson.TypeObjectID {
		r.born = site.In(bson.ObjectID(id.Value).Timestamp(), d.zone)
	}
	r.resolve()
	r.undated = nullDate(raw)
	r.out.updated, _, _ = readDate(r.fields.get("updatedAt").v, d.zone)
	return r, true
}

// nullDate reports whether the date of publication of a document is null.
func nullDate(raw bson.Raw) (is bool) {
	_ = eachElement(raw, func(key []byte, v bson.RawValue) bool { // what is damaged has been told
		is = isNull(v) && len(key) >= 7 && fields.Reduce(string(key)) == "publishedat"
		return !is
	})
	return is
}

func (r *reader) warn(field, message, remedy string) {
	if !r.quiet {
		r.out.problems = append(r.out.problems, diag.Problem{Severity: diag.Warning, File: string(r.id), ID: string(r.id), Field: field, Message: message, Remedy: remedy})
	}
}

// skip leaves the document out. The first reason counts.
func (r *reader) skip(field, reason, remedy string) {
	if r.out.skip != nil || r.quiet {
		return
	}
	r.out.skip = &site.Skip{ID: r.id, Field: field, Reason: reason}
	r.out.problems = append(r.out.problems, diag.Problem{Severity: diag.Error, File: string(r.id), ID: string(r.id), Field: field, Message: reason, Remedy: remedy})
}

// mistake leaves a lesson or a module out, whose place in the document the field begins with.
func (r *reader) mistake(field, reason, remedy string) {
	if r.quiet {
		return
	}
	at, name := field[:strings.LastIndexByte(field, '.')], field[strings.LastIndexByte(field, '.')+1:]
	r.out.parts = append(r.out.parts, site.Skip{ID: r.id + "#" + site.ID(at), Field: name, Reason: reason})
	r.out.problems = append(r.out.problems, diag.Problem{Severity: diag.Error, File: string(r.id), ID: string(r.id), Field: field, Message: reason, Remedy: remedy})
}

// done returns the document, unless it is left out.
func (r *reader) done(doc site.Document) decoded {
	if r.out.skip != nil {
		r.out.files, r.out.parts = nil, nil
		return r.out
	}
	r.out.doc = doc
	return r.out
}

// post makes a post of a stored document. After the end of ctx it is not whole.
func (d *decoder) post(ctx context.Context, raw bson.Raw) decoded {
	r, ok := d.begin(d.blogColl(), raw)
	if !ok {
		return r.out
	}
	return d.decodePost(ctx, r)
}

func (d *decoder) decodePost(ctx context.Context, r *reader) decoded {
	p := &site.Post{}
	r.hide(&p.Meta, true)
	r.meta(ctx, &p.Meta, postBody)
	p.Published = r.published(p.Draft, true)
	p.Authors = r.authors()
	p.Featured, _ = r.bool("featured")
	if f := r.fields.get("readTime"); f.name != "" && !plausibleMinutes(f.v) {
		r.warn("readTime", fmt.Sprintf("the reading time %s is none, so it is computed", shown(f.v)), "leave the field out")
	}
	p.Aliases = r.aliases("/blog/", site.PostPath(p.Slug))
	p.Revision = revision(p)
	p.Views = r.views()
	return r.done(p)
}

// revision is the digest of all that can appear on a page. Counters are set after it is made.
func revision(doc any) site.Revision {
	h := digest.New()
	h.Value(doc)
	return h.Sum()
}

// meta fills in what posts and courses share, but for the dates of publication and the revision. Draft must be set.
func (r *reader) meta(ctx context.Context, m *site.Meta, body bodyFields) {
	m.ID = r.id
	m.Title = r.title(m.Draft)
	m.Slug = r.slug(m.Title)
	m.Excerpt = r.line("excerpt", "shortDescription", "description")
	b := body.read(r.fields, len(body) == 1)
	if own, _ := fields.Meaning(b.Field, false); b.Found() && (own == "description" || own == "excerpt" || b.Field == "description" || b.Field == "excerpt") {
		m.Excerpt = "" // it is the text, and too long to stand above it
	}
	m.Lang, m.Stored = r.lang(), true
	m.Tags = r.tags()
	m.Cover = r.cover()
	m.SEO = r.seo()
	m.Modified = r.date("modifiedAt", "lastmod")
	m.Expires = r.expires(m.Draft)
	if !b.Found() {
		if len(body) == 1 { // a course is more than its text
			r.out.guess = guessText(r.fields)
			if m.Draft {
				r.warn(b.Field, b.Reason, "write it before the document is published")
			} else {
				r.skip(b.Field, b.Reason, "write it in "+body[0]+", or make the document a draft")
			}
		} else if b.Reason != prose.Missing {
			r.warn(b.Field, b.Reason, "write it in "+body[0])
		}
		return
	}
	r.bodyProblems("", &b)
	m.Body = b.ref(r.id, "")
	sum := r.summary(ctx, &b, m.Title, m.Lang)
	m.Excerpt, m.Minutes = cmp.Or(m.Excerpt, sum.Excerpt), sum.Minutes
}

// summary is what lists say of a body. Whoever builds the page of a body that cannot be rendered tells why.
func (r *reader) summary(ctx context.Context, b *stored, title, lang string) site.Summary {
	if r.quiet {
		return site.Summary{}
	}
	sum, err := r.d.summaries.Summarize(ctx, b.Format, b.Text.Text, title, cmp.Or(lang, r.d.language))
	if err != nil {
		return site.Summary{}
	}
	return sum
}

// bodyProblems warns of what was repaired in a body that stands at a place in the document.
func (r *reader) bodyProblems(at string, b *stored) {
	if b.Odd != "" {
		r.warn(at+"content", b.Odd+", so "+b.Field+" is shown", "remove what is no text")
	}
	if b.Note != "" {
		r.warn(at+b.Field, b.Field+" "+b.Note, b.Remedy)
	}
}

func (r *reader) title(draft bool) string {
	f := r.fields.get("title")
	title := r.line("title")
	switch {
	case title != "":
		if isNumber(f.v) {
			r.warn("title", fmt.Sprintf("the title is the number %s, which is taken as text", title), "store it as text")
		}
	case draft:
		title = "Untitled"
		r.warn("title", "there is no title", "write one before the document is published")
	default:
		r.skip("title", "there is no title", "write one in title")
	}
	return title
}

// line is the first of the fields that holds a line of text.
func (r *reader) line(names ...string) string {
	for _, name := range names {
		f := r.fields.get(name)
		if f.name == "" {
			continue
		}
		s, ok := text(f.v)
		if !ok {
			r.warn(name, fmt.Sprintf("%s is %s where text is wanted", name, typeNames[f.v.Type]), "write one line of text")
			continue
		}
		if s = oneLine(fields.Characters(s)); s != "" {
			return s
		}
	}
	return ""
}

// oneLine is text without ends of lines, as the Markdown source has it.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == '\n' || c == '\r' || c == 0 }), " "))
}

// clean trims and collapses white space.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }

// shown is a value as messages have it.
func shown(v bson.RawValue) string {
	if s, ok := text(v); ok {
		if v.Type == bson.TypeString {
			return strconv.Quote(diag.Clip(s, 40))
		}
		return diag.Clip(s, 40)
	}
	return typeNames[v.Type]
}

func (r *reader) slug(title string) site.Slug {
	f := r.fields.get("slug")
	s, ok := text(f.v)
	slug := site.MakeSlug(s)
	switch {
	case f.name == "" && r.oldSlug() != "":
		slug = r.oldSlug()
	case f.name == "":
		slug = site.MakeSlug(title)
		r.warn("slug", fmt.Sprintf("there is no slug, so the title makes it %q", cmp.Or(slug, r.untitled())), "write one in slug")
	case !ok || slug == "":
		slug = site.MakeSlug(title)
		r.warn("slug", fmt.Sprintf("%s cannot be a slug, so the title makes it %q", shown(f.v), cmp.Or(slug, r.untitled())), "write letters, digits and hyphens")
	case string(slug) != s || f.v.Type != bson.TypeString:
		r.warn("slug", fmt.Sprintf("the slug %s became %q", shown(f.v), slug), "store it so")
	}
	return cmp.Or(slug, r.untitled())
}

// oldSlug is the slug that the document's address at another site ends with.
func (r *reader) oldSlug() site.Slug {
	return site.MakeSlug(site.LastSegment(r.fields.str("permalink")))
}

// untitled is the slug of a document that has nothing to make one of.
func (r *reader) untitled() site.Slug {
	return site.Slug("untitled-" + digest.String(string(r.id)).String()[:8])
}

// aliases are the former addresses that the document names, and the one that its slug had as it was stored.
func (r *reader) aliases(folder string, own site.Path) []string {
	var out []string
	add := func(s string) {
		s = site.OldPath(s)
		if s != "" && strings.TrimRight(s, "/") != strings.TrimRight(string(own), "/") && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, a := range r.list(r.fields.get("aliases").v) {
		if site.IsPattern(a) {
			r.warn("aliases", fmt.Sprintf("the alias %q is a pattern, so it leads nowhere", diag.Clip(a, 80)), "store whole addresses, without : and * before a name")
			continue
		}
		add(a)
	}
	add(r.fields.str("permalink"))
	if b, ok := stringBytes(r.fields.get("slug").v); ok {
		if s := strings.TrimSpace(string(b)); !strings.ContainsAny(s, "?#%/\\") {
			add(folder + valid(s) + "/")
		}
	}
	return out
}

// hide decides whether readers may see the document. One that says nothing about it is a draft where draft is true: so are
// posts, as their collection's default has it; courses are public, as theirs has none.
func (r *reader) hide(m *site.Meta, draft bool) {
	v := hidingOf(r.fields)
	m.Draft, m.Deleted, m.Hidden = v.Hidden, v.Deleted, v.Why
	for _, mistake := range v.Mistakes {
		if v.Hidden {
			r.warn(mistake.Field, mistake.Message, mistake.Remedy)
		} else {
			r.skip(mistake.Field, mistake.Message, mistake.Remedy)
		}
	}
	status, _ := text(r.fields.get("status").v)
	word := strings.ToLower(strings.TrimSpace(status))
	switch {
	case len(v.Mistakes) > 0:
	case v.Field == "status" && word != "draft" && word != "scheduled":
		r.warn("status", v.Why+", so this counts as a draft", "write published or draft")
	case !v.Hidden && word != status:
		r.warn("status", fmt.Sprintf("the status %q is taken as %q", diag.Clip(status, 40), word), "write "+word)
	case draft && !v.Hidden && !v.Published && (r.d.cfg == nil || r.d.cfg.NoStatus != "published" || r.undated):
		m.Draft, r.out.unsaid = true, true
		r.warn("status", "nothing says that it is published, so this counts as a draft", "write published or draft in status")
	}
}

// flat reads the texts of a list in a list.
func (r *reader) flat(v bson.RawValue) []string {
	var out []string
	for _, it := range items(v) {
		if s, ok := text(it); ok {
			out = append(out, s)
		}
	}
	return out
}

func (r *reader) tags() []string {
	var tags []string
	seen := map[string]bool{}
	odd := ""
	for _, f := range []field{r.fields.get("tags", "topics"), r.fields.get("categories", "category")} {
		if f.name == "" {
			continue
		}
		if f.v.Type != bson.TypeArray && f.name != "category" {
			odd = f.name + " is " + typeNames[f.v.Type] + ", not a list"
		}
		for _, it := range items(f.v) {
			if it.Type == bson.TypeObjectID {
				r.warn(f.name, f.name+" holds references (ObjectIds), which are not shown", refRemedy(f.name))
				break
			}
			if it.Type != bson.TypeString {
				odd = f.name + " holds " + typeNames[it.Type]
			} else if isBlank(it) {
				odd = f.name + " holds an empty one"
			}
		}
		for _, t := range r.list(f.v) {
			if !seen[t] {
				seen[t] = true
				tags = append(tags, t)
			}
		}
	}
	all := len(tags)
	if tags = site.UniqueTags(tags); len(tags) < all {
		odd = "tags holds one more than once"
	}
	if len(tags) > site.MaxTags {
		r.warn("tags", fmt.Sprintf("%d tags are more than the %d that a document may have: the first %d count", all, site.MaxTags, site.MaxTags),
			"leave out the tags that few other documents have")
		tags = tags[:site.MaxTags]
	}
	for i, t := range tags {
		if site.TagSlug(t) == "" {
			odd = fmt.Sprintf("the tag %q has no letter or digit, so it has no page", diag.Clip(t, 40))
		} else if strings.ContainsAny(t, "<>\\") || strings.Contains(t, "..") {
			odd = cmp.Or(odd, fmt.Sprintf("the tag %q is at %s", diag.Clip(t, 40), site.TopicPath(site.TagSlug(t))))
		}
		tags[i] = r.d.shared(t)
	}
	if odd != "" {
		r.warn("tags", odd, "write a list of texts, each once")
	}
	return tags
}

// lines reads a list of sentences: commas do not part them.
func (r *reader) lines(name string) []string {
	v := r.fields.get(name).v
	if v.Type == bson.TypeArray {
		return r.list(v)
	}
	s, ok := text(v)
	if !ok {
		if !isNull(v) {
			r.warn(name, name+" is "+typeNames[v.Type]+", not a list", "write a list of texts")
		}
		return nil
	}
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = clean(strings.TrimLeft(l, "-*• ")); l != "" && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// address reads a web address in full.
func (r *reader) address(names ...string) string {
	f := r.fields.get(names...)
	if f.name == "" {
		return ""
	}
	s, _ := text(f.v)
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.warn(f.name, fmt.Sprintf("%s %s is not a web address", f.name, shown(f.v)), "write it in full, with https://")
		return ""
	}
	return u.String()
}

// amount reads a number of any type, and of text with a currency. Decimal128 is exact to what a float64 holds, which
// is far below a cent.
func amount(v bson.RawValue) (float64, bool) {
	var s string
	switch {
	case isNumber(v):
		s = numberText(v)
	case v.Type == bson.TypeString:
		b, _ := stringBytes(v)
		s = string(b)
	default:
		return 0, false
	}
	return site.ParseAmount(s)
}

var firstDigits = regexp.MustCompile(`^\s*\d+`)

// plausibleMinutes accepts a reading time in minutes and phrases that begin with one. It is computed in any case.
func plausibleMinutes(v bson.RawValue) bool {
	if n, ok := amount(v); ok {
		return n >= 0
	}
	s, ok := text(v)
	return ok && firstDigits.MatchString(s)
}

// body gives the body that a site.BodyRef names by its Part: "" is the document's own, else it is the lesson's with
// that ID. ok is false when there is none.
func (d *decoder) body(coll string, raw bson.Raw, part string) (text []byte, format site.Format, ok bool) {
	f, err := fieldsOf(raw)
	if err != nil {
		return nil, "", false
	}
	var b stored
	switch {
	case part != "":
		r := &reader{d: d, fields: d.named(d.mapped(f)), coll: coll, id: documentID(coll, f.id()), quiet: true}
		for _, m := range r.curriculum() {
			for i := range m.lessons {
				if l := &m.lessons[i]; string(l.id) == part {
					b = postBody.read(l.fields, false)
				}
			}
		}
	case coll == d.courseColl():
		b = courseBody.read(d.named(d.mapped(f)), false)
	default:
		b = postBody.read(d.named(d.mapped(f)), true)
	}
	if !b.Found() {
		return nil, "", false
	}
	return []byte(b.Text.Text), b.Format, true
}
