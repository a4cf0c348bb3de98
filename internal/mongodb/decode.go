package mongodb

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/datauri"
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

// A decoder makes site documents of stored ones. Whatever a field holds, the others are read: what is odd is repaired
// and named, and only a document that could not be shown truly is left out, with the reason. What a document becomes
// depends on its bytes alone. The zero decoder is of use; it may be used by several goroutines.
type decoder struct {
	blogs, courses string         // names of the collections; empty: "blogs", "courses"
	zone           *time.Location // that days are shown in; nil: UTC
	cfg            *Config        // how fields are called, and what they refer to; nil: as freshet calls them
	referred       referredNames

	mu      sync.Mutex        // protects what follows
	strings map[string]string // one copy of each text that many documents have: tags, authors, levels
}

func newDecoder(blogs, courses string) *decoder { return &decoder{blogs: blogs, courses: courses} }

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

// post makes a post of a stored document.
func (d *decoder) post(raw bson.Raw) decoded {
	r, ok := d.begin(d.blogColl(), raw)
	if !ok {
		return r.out
	}
	return d.decodePost(r)
}

func (d *decoder) decodePost(r *reader) decoded {
	p := &site.Post{}
	r.hide(&p.Meta, true)
	r.meta(&p.Meta, postBody)
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
func (r *reader) meta(m *site.Meta, body bodyFields) {
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
	m.Minutes = site.Minutes(b.Format, b.Text.Text)
	if m.Excerpt == "" {
		m.Excerpt = strings.Clone(site.Excerpt(b.Format, b.Text.Text)) // not a piece that keeps the whole text alive
	}
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
		if s = oneLine(site.Characters(s)); s != "" {
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

// hidingOf is what the fields of a document or a lesson say about whether readers may see it.
func hidingOf(list fieldList) fields.Verdict {
	var h fields.Hiding
	for i := range list {
		if list[i].as == "" || list[i].mapped {
			h.Read(string(list[i].key), hidingValue(list[i].v))
		}
	}
	return h.Verdict()
}

// hidingValue is a value as fields.Hiding reads it.
func hidingValue(v bson.RawValue) fields.Value {
	switch {
	case isNull(v):
		return fields.Value{}
	case v.Type == bson.TypeBoolean:
		return fields.Value{Kind: fields.Bool, Text: strconv.FormatBool(v.Value[0] != 0)}
	case isNumber(v):
		return fields.Value{Kind: fields.Number, Text: numberText(v)}
	case v.Type == bson.TypeDateTime, v.Type == bson.TypeTimestamp:
		if t, state, _ := readDate(v, nil); state != dateBad {
			return fields.Value{Kind: fields.Date, Time: t} // zero where the date is none
		}
	default:
		if b, ok := stringBytes(v); ok {
			return fields.Value{Kind: fields.Text, Text: valid(string(b))}
		}
	}
	return fields.Value{Kind: fields.Other}
}

// bool reads true and false in any spelling; ok is false when the field has none.
func (r *reader) bool(name string) (b, ok bool) { return truth(r.fields.get(name).v) }

func truth(v bson.RawValue) (b, ok bool) {
	s, ok := text(v)
	if !ok {
		return false, false
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// published is publishedAt, else createdAt, else the ObjectId's time. wanted says that a missing one is worth a word.
func (r *reader) published(draft, wanted bool) time.Time {
	f := r.fields.get("publishedAt", "published_at", "date")
	t, state, why := readDate(f.v, r.d.zone)
	name := cmp.Or(f.name, "publishedAt")
	switch state {
	case dateGood:
		return t
	case dateRepaired:
		r.warn(name, fmt.Sprintf("%s %s, read as %s", name, why, t.Format(time.RFC3339)), "store a date")
		return t
	case dateBad:
		if !draft {
			r.skip(name, fmt.Sprintf("%s %s", name, why), "store a date, or write it as 2006-01-02")
			return time.Time{}
		}
		r.warn(name, fmt.Sprintf("%s %s", name, why), "store a date, or write it as 2006-01-02")
	}
	stand, instead := time.Time{}, ""
	if c, state, _ := readDate(r.fields.get("createdAt", "created_at").v, r.d.zone); state == dateGood || state == dateRepaired {
		stand, instead = c, "createdAt stands in"
	} else if !r.born.IsZero() {
		stand, instead = r.born, "the time in its _id stands in"
	}
	if f.name == "" {
		why = "is not there"
	}
	if !draft && (wanted || f.name != "") {
		r.warn(name, fmt.Sprintf("%s %s: %s", name, why, cmp.Or(instead, "the document counts as the oldest")), "store the date of publication")
	}
	return stand
}

// date reads a date without which the document can be shown; zero when it cannot be read.
func (r *reader) date(names ...string) time.Time {
	f := r.fields.get(names...)
	t, state, why := readDate(f.v, r.d.zone)
	if f.name != "" && state != dateGood && state != dateMissing {
		r.warn(f.name, fmt.Sprintf("%s %s", f.name, why), "store a date")
	}
	return t
}

// expires is when the document goes away. One that cannot be read leaves the document out: it may be over.
func (r *reader) expires(draft bool) time.Time {
	f := r.fields.get("expiresAt")
	t, state, why := readDate(f.v, r.d.zone)
	switch {
	case state == dateBad && !draft:
		r.skip(f.name, fmt.Sprintf("expiresAt %s", why), "store a date, or remove it")
	case state == dateBad, state == dateRepaired:
		r.warn(f.name, fmt.Sprintf("expiresAt %s", why), "store a date")
	}
	return t
}

func (r *reader) lang() string {
	f := r.fields.get("lang", "language")
	if f.name == "" {
		return ""
	}
	s, _ := text(f.v)
	tag, ok := site.Language(s)
	if !ok {
		r.warn(f.name, fmt.Sprintf("%s is not a language", shown(f.v)), "write a code such as en or hi")
	}
	return r.d.shared(tag)
}

// list reads names from a list, of which each item is text or an object with a name, or from text with commas.
func (r *reader) list(v bson.RawValue) []string {
	var out []string
	add := func(s string) {
		if s = clean(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if v.Type == bson.TypeArray {
		for _, it := range items(v) {
			switch it.Type {
			case bson.TypeArray:
				for _, s := range r.flat(it) {
					add(s)
				}
			case bson.TypeEmbeddedDocument:
				add(object(it).str("name", "title", "label"))
			default:
				s, _ := text(it)
				add(s)
			}
		}
		return out
	}
	if s, ok := text(v); ok {
		for _, s := range strings.Split(s, ",") {
			add(s)
		}
	}
	return out
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

// cover reads the picture of a document.
func (r *reader) cover() site.Picture {
	f := r.fields.get("coverImage", "cover", "cover_image", "image")
	p := r.picture(f.name, "cover", f.v)
	if p.Src != "" && p.Alt == "" {
		p.Alt = clean(r.fields.str("coverImageAlt", "coverAlt"))
	}
	return p
}

// picture reads an address, or an object that has one. A picture held as data becomes a file called base.
func (r *reader) picture(name, base string, v bson.RawValue) site.Picture {
	var p site.Picture
	switch v.Type {
	case bson.TypeString:
		b, _ := stringBytes(v)
		p.Src = strings.TrimSpace(valid(string(b)))
	case bson.TypeArray:
		if list := items(v); len(list) > 0 && list[0].Type != bson.TypeArray {
			return r.picture(name, base, list[0])
		}
	case bson.TypeEmbeddedDocument:
		f := object(v)
		for _, k := range [...]string{"url", "src", "image", "imageUrl", "path", "file", "filename", "relative"} {
			if b, ok := stringBytes(f.get(k).v); ok {
				p.Src = strings.TrimSpace(valid(string(b)))
				break
			}
		}
		p.Alt = clean(f.str("alt", "caption", "title"))
	case 0, bson.TypeNull, bson.TypeUndefined:
	default:
		r.warn(name, fmt.Sprintf("%s is %s, not the address of a picture", name, typeNames[v.Type]), "write an address")
	}
	if datauri.Is(p.Src) {
		p.Src = r.embed(name, base, p.Src)
	}
	return p
}

// embed makes a file of a picture held as data and returns the address that finds it; "" when it cannot be shown.
// The file's name tells the document and the picture, so that another picture is another file.
func (r *reader) embed(name, base, uri string) string {
	p, err := datauri.Look(uri)
	if err != nil {
		r.warn(name, fmt.Sprintf("the picture held as data in %s %v, so it is left out", name, err), "store it as a file, and its address here")
		return ""
	}
	f := &site.File{
		Revision: p.Sum, Size: p.Bytes, Width: p.Width, Height: p.Height,
		Name: fmt.Sprintf("%s/%s/%s/%s%s", site.TagSlug(r.coll), digest.String(string(r.id)), p.Sum, base, p.Ext),
	}
	if f.Name == r.want {
		r.uri = uri
	}
	taken := func(o *site.File) bool { return o.ID == f.ID }
	f.ID = r.id + "#picture/" + site.ID(base)
	for n := 2; slices.ContainsFunc(r.out.files, taken); n++ {
		f.ID = r.id + "#picture/" + site.ID(base+strconv.Itoa(n))
	}
	if !slices.ContainsFunc(r.out.files, func(o *site.File) bool { return o.Name == f.Name }) {
		r.out.files = append(r.out.files, f)
	}
	return "/" + f.Name
}

// file gives the bytes of a picture that the document holds as data, by the file's name. The error is
// site.ErrChanged when the document no longer holds it.
func (d *decoder) file(raw bson.Raw, name string) ([]byte, error) {
	for _, coll := range [...]string{d.blogColl(), d.courseColl()} {
		if !strings.HasPrefix(name, string(site.TagSlug(coll))+"/") {
			continue
		}
		r, ok := d.begin(coll, raw)
		if !ok {
			continue
		}
		r.quiet, r.want = true, name
		if coll == d.blogColl() {
			d.decodePost(r)
		} else {
			d.decodeCourse(r)
		}
		if r.uri == "" {
			continue
		}
		b, err := datauri.Read(r.uri)
		if err != nil {
			return nil, fmt.Errorf("read picture %s: %w", name, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("read picture %s: %w", name, site.ErrChanged)
}

func (r *reader) seo() site.SEO {
	s := site.SEO{
		Title: r.line("metaTitle"), Description: r.line("metaDescription"), Keywords: r.list(r.fields.get("metaKeywords").v),
		Canonical: r.address("canonicalUrl", "canonicalURL"),
	}
	f := r.fields.get("seo")
	if f.name != "" && f.v.Type != bson.TypeEmbeddedDocument {
		r.warn("seo", "seo is "+typeNames[f.v.Type]+", not an object", "write an object with title and description")
	}
	seo := &reader{d: r.d, fields: object(f.v), coll: r.coll, id: r.id, want: r.want, quiet: true}
	s.Title = cmp.Or(seo.line("title", "metaTitle"), s.Title)
	s.Description = cmp.Or(seo.line("description", "metaDescription"), s.Description)
	if k := r.list(seo.fields.get("keywords").v); len(k) > 0 {
		s.Keywords = k
	}
	s.Canonical = cmp.Or(seo.address("canonical", "canonicalUrl"), s.Canonical)
	image := seo.fields.get("image", "ogImage", "og_image")
	s.Image = r.picture("seo.image", "preview", image.v).Src
	s.NoIndex, _ = seo.bool("noindex")
	return s
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

func (r *reader) authors() []site.Author {
	f := r.fields.get("authors", "author")
	var out []site.Author
	seen := map[string]bool{}
	r.eachAuthor(f.name, f.v, 0, func(a site.Author) {
		a.Name = clean(a.Name)
		if a.Name == "" || seen[a.Name] {
			return
		}
		seen[a.Name] = true
		if len(out) < site.MaxAuthors {
			a.Name = r.d.shared(a.Name)
			out = append(out, a)
		}
	})
	if len(seen) > site.MaxAuthors {
		r.warn(f.name, fmt.Sprintf("%d authors are more than the %d that a document may have: the first %d count", len(seen), site.MaxAuthors, site.MaxAuthors),
			"name those who wrote most of it, and the others in the text")
	}
	if img := r.fields.get("authorImage"); img.name != "" && len(out) == 1 && out[0].Image == "" {
		out[0].Image = r.picture("authorImage", "author", img.v).Src
	}
	return out
}

// eachAuthor finds the people that a field names.
func (r *reader) eachAuthor(name string, v bson.RawValue, depth int, add func(site.Author)) {
	s, ok := text(v)
	switch {
	case isNull(v) || depth > 2:
	case ok && isHexID(s):
		r.warn(name, fmt.Sprintf("%s is a reference (%s), not a name, so none is shown", name, s), refRemedy(name))
	case ok && depth == 0:
		for _, n := range site.SplitNames(s) {
			add(site.Author{Name: n})
		}
	case ok && (strings.Contains(s, "](") || strings.Contains(s, " and ") && !strings.Contains(s, ",")):
		for _, n := range site.SplitNames(s) {
			add(site.Author{Name: n})
		}
	case ok:
		add(site.Author{Name: site.BareName(s)})
	case v.Type == bson.TypeArray:
		for _, it := range items(v) {
			r.eachAuthor(name, it, depth+1, add)
		}
	case v.Type == bson.TypeEmbeddedDocument:
		f := object(v)
		a := site.Author{Name: site.BareName(f.str("name", "title", "display_name", "displayName"))}
		img := f.get("image", "avatar", "picture", "photo", "image_url")
		a.Image = r.picture(name+"."+img.name, "author", img.v).Src
		switch {
		case a.Name == "":
			r.warn(name, name+" is an object without a name", "write the name")
		case depth == 0:
			r.warn(name, fmt.Sprintf("%s is an object, of which the name %q is taken", name, diag.Clip(a.Name, 40)), "write the name")
		}
		add(a)
	case v.Type == bson.TypeObjectID:
		r.warn(name, name+" is a reference (an ObjectId), not a name, so none is shown", refRemedy(name))
	default:
		r.warn(name, fmt.Sprintf("%s is %s, not a name, so none is shown", name, typeNames[v.Type]), "write the name")
	}
}

// refRemedy says how a reference becomes a name.
func refRemedy(name string) string {
	return fmt.Sprintf("say in mongo.refs what it refers to: {%s: {collection: users, field: name}}", name)
}

// views reads the counter that orders pre-rendering.
func (r *reader) views() int64 {
	f := r.fields.get("views", "viewCount")
	if f.name == "" {
		return 0
	}
	n, ok := amount(f.v)
	switch {
	case !ok || n < 0:
		r.warn(f.name, fmt.Sprintf("%s %s is no count, so it is taken as 0", f.name, shown(f.v)), "store a number")
		return 0
	case !isNumber(f.v):
		r.warn(f.name, fmt.Sprintf("%s %s is taken as %.0f", f.name, shown(f.v), n), "store a number")
	}
	return int64(min(n, 1<<62))
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
