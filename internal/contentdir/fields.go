package contentdir

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/fields"
	"freshet/internal/frontmatter"
	"freshet/internal/shortcodes"
	"freshet/internal/site"
	"freshet/internal/stored"
)

// A parsed is all that one Markdown file says, wherever it lies in the tree. Problems have no File yet.
type parsed struct {
	title, heading    string // the key's, and the body's first heading
	slug, address     string // slug, and path/url/permalink as written
	to                string // where it redirects its readers; empty: nowhere
	excerpt, intro    string // the key's, and what the body begins with
	lang              string
	tags, categories  []string
	aliases           []string
	cover             site.Picture
	seo               site.SEO
	draft, broken     bool
	dated             bool // by front matter or address
	published         time.Time
	modified, expires time.Time
	hash              digest.Sum
	bytes, minutes    int
	unrendered        bool // the body could not be rendered, so what is known of it is not kept for other processes
	featured          bool
	nav               bool
	views             int64
	weight            int
	weighted          bool
	free              int8 // 1 free: true, -1 free: false
	authors           []site.Author
	duration          string
	price, original   float64
	rating            float64
	currency, level   string
	enroll            string
	instructors       []site.Instructor
	features, learn   []string
	requirements      []string
	problems          []diag.Problem
	uses              []shortcodes.Use
	reason, badField  string // of a broken file
	shortcodesOff     bool
	format            site.Format // of the body; empty: Markdown
	stored            bool        // the file holds a document of MongoDB's: what it leaves out means what it means there
	deleted           bool
	hidden            string // the field that makes it a draft, and its value
	says              bool   // something in it says whether readers may see it
	discount          float64
	gratis            bool      // a price is given, and it is 0
	born              time.Time // the time in the _id
	storedID          string    // the _id, where it is an ObjectId or plain text
	slugIsText        bool
	pictures          []heldPicture
	closed            bool   // developmentMode
	notice            string // of the banner; empty: there is none
	noticeLink        site.Link
}

// A reader takes the fields of one front matter.
type reader struct {
	parts *frontmatter.Parts
	out   *parsed
	ranks [fields.KeyExtra + 1]int8
	tags  []string
	alt   string
	seo   site.SEO // of the key seo, which goes before keys of the same meaning
	image string   // of the only author
	// Of the only instructor. The name stands in for a default, too.
	instructor site.Instructor
	late       []late // mistakes that stop no draft
	undated    []late // dates of publication that cannot be read
	zone       *time.Location
	kept       bool // the file holds a document of MongoDB's, or a module or a lesson of one
	hiding     fields.Hiding
	hiders     map[string]*frontmatter.Field // what hiding has read
	// The field that says that the document has no page, as messages have it.
	unpublished string
	// Jekyll parts tags at blanks.
	blanks bool
	// The fields that the tags and the authors are from.
	tagsField, authorsField *frontmatter.Field
}

func (r *reader) warn(f *frontmatter.Field, message, remedy string) {
	r.out.problems = append(r.out.problems, diag.Problem{Severity: diag.Warning, Line: f.Line, Col: f.Col, Text: r.parts.LineText(f.Line), Field: f.Key,
		Message: message, Remedy: remedy})
}

// A late is a mistake in a document of MongoDB's that counts only if readers are to see it.
type late struct {
	f               *frontmatter.Field
	message, remedy string
}

func (r *reader) fail(f *frontmatter.Field, message, remedy string) {
	p := r.parts.Problem(f.Line, f.Col, message, remedy)
	p.Field = f.Key
	r.out.problems = append(r.out.problems, *p)
	if !r.out.broken {
		r.out.broken, r.out.reason, r.out.badField = true, message, f.Key
	}
}

// readFields fills out from the front matter of p.
func readFields(p *frontmatter.Parts, name string, front *frontmatter.Value, out *parsed, zone *time.Location) {
	r := &reader{parts: p, zone: zone, out: out, blanks: strings.Contains("/"+name, "/_posts/") || strings.Contains("/"+name, "/_drafts/")}
	origin := front.Get("origin")
	out.stored = origin != nil && origin.Text == frontmatter.OriginMongoDB
	r.kept = out.stored || keepsText(p) || front.Get(stored.FilesKey) != nil
	r.hiding.Authored = !r.kept
	r.table(front, false)
	r.hide()
	if r.unpublished != "" && !out.stored {
		out.draft, out.deleted, out.hidden = true, true, r.unpublished
	}
	if out.stored {
		for _, l := range r.late {
			if out.draft || !out.says && collOf(name) == stored.Blogs {
				r.warn(l.f, l.message, l.remedy)
			} else {
				r.fail(l.f, l.message, l.remedy)
			}
		}
	}
	r.useOtherDate(name)
	out.seo = site.SEO{
		Title: cmp.Or(r.seo.Title, out.seo.Title), Description: cmp.Or(r.seo.Description, out.seo.Description), Keywords: out.seo.Keywords,
		Canonical: cmp.Or(r.seo.Canonical, out.seo.Canonical), Image: cmp.Or(r.seo.Image, out.seo.Image), NoIndex: r.seo.NoIndex || out.seo.NoIndex,
	}
	if len(r.seo.Keywords) > 0 {
		out.seo.Keywords = r.seo.Keywords
	}
	r.oneInstructor()
	if r.image != "" && len(out.authors) == 1 && out.authors[0].Image == "" {
		out.authors[0].Image = r.image
	}
	if out.stored {
		out.likeStored()
	}
	if r.alt != "" && out.cover.Src != "" && out.cover.Alt == "" {
		out.cover.Alt = r.alt
	}
	out.tags = appendNew(nil, append(r.tags, out.tags...)...)
	if len(out.tags) == 0 {
		out.tags = appendNew(nil, out.categories...)
	} else if len(out.categories) > 0 {
		out.tags = appendNew(out.tags, out.categories...)
	}
	r.few(out)
}

// few leaves no more tags and authors than a document may have. Each of them is a list with pages of its own.
func (r *reader) few(out *parsed) {
	all := len(out.tags)
	out.tags = site.UniqueTags(out.tags)
	if n := len(out.tags); n > site.MaxTags {
		r.warn(r.tagsField, fmt.Sprintf("%d tags are more than the %d that a document may have: the first %d count", all, site.MaxTags, site.MaxTags),
			"leave out the tags that few other documents have")
		out.tags = slices.Clip(out.tags[:site.MaxTags])
	}
	if n := len(out.authors); n > site.MaxAuthors {
		r.warn(r.authorsField, fmt.Sprintf("%d authors are more than the %d that a document may have: the first %d count", n, site.MaxAuthors, site.MaxAuthors),
			"name those who wrote most of it, and the others in the text")
		out.authors = slices.Clip(out.authors[:site.MaxAuthors])
	}
}

// hide decides whether readers may see the document. A value that leaves it open stops a document that nothing hides.
func (r *reader) hide() {
	v := r.hiding.Verdict()
	r.out.draft, r.out.deleted, r.out.hidden, r.out.says = v.Hidden || len(v.Mistakes) > 0, v.Deleted, v.Why, v.Hidden || v.Published || len(v.Mistakes) > 0
	for _, m := range v.Mistakes {
		if v.Hidden {
			r.warn(r.hiders[m.Field], m.Message, m.Remedy)
		} else {
			r.fail(r.hiders[m.Field], m.Message, m.Remedy)
		}
	}
}

// hidingValue is a value as fields.Hiding reads it.
func hidingValue(v *frontmatter.Value) fields.Value {
	switch v.Kind {
	case frontmatter.Null:
		return fields.Value{}
	case frontmatter.Text:
		if v.Plain && frontmatter.SimpleTime(v.Text) {
			if t, err := time.Parse(time.RFC3339, v.Text); err == nil {
				return fields.Value{Kind: fields.Date, Time: t}
			}
		}
		return fields.Value{Kind: fields.Text, Text: v.Text}
	case frontmatter.Number:
		return fields.Value{Kind: fields.Number, Text: v.Text}
	case frontmatter.Boolean:
		return fields.Value{Kind: fields.Bool, Text: v.Text}
	case frontmatter.Moment:
		return fields.Value{Kind: fields.Date, Time: v.Time}
	}
	return fields.Value{Kind: fields.Other}
}

// defaultInstructor is what a site's own form fills in where nobody wrote a name.
const defaultInstructor = "Instructor"

// oneInstructor adds what stands beside the instructors.
func (r *reader) oneInstructor() {
	list := r.out.instructors
	if name := clean(r.instructor.Name); name != "" && (len(list) == 0 || len(list) == 1 && list[0].Name == defaultInstructor) {
		list = []site.Instructor{{Name: name}}
	}
	if len(list) == 1 && list[0].Image == "" {
		list[0].Image = r.instructor.Image
	}
	r.out.instructors = list
}

// likeStored fills in what a document of MongoDB's means by what it leaves out.
func (p *parsed) likeStored() {
	if p.published.IsZero() {
		p.published = p.born
	}
	if p.discount > 0 && p.discount <= 100 && p.original <= p.price {
		p.original, p.price = p.price, math.Round(p.price*(100-p.discount))/100
	}
}

func (r *reader) table(front *frontmatter.Value, extra bool) {
	for i := range front.Fields {
		f := &front.Fields[i]
		f.Val = f.Val.PlainValue()
		hides := !extra && fields.Hides(f.Key)
		if !extra {
			r.hiding.Read(f.Key, hidingValue(f.Val))
		}
		if hides {
			if r.hiders == nil {
				r.hiders = map[string]*frontmatter.Field{}
			}
			r.hiders[f.Key] = f
		}
		k, near := r.find(f.Key)
		if near != "" && !extra && !hides {
			r.warn(f, fmt.Sprintf("unknown key %q", f.Key), fmt.Sprintf("did you mean %q?", near))
		}
		if k.Key == fields.KeyNone || k.Key == fields.KeyIgnored || k.Key == fields.KeyHiding {
			continue
		}
		if extra {
			switch k.Key {
			case fields.KeyAuthors, fields.KeyCover, fields.KeyCoverAlt, fields.KeyFeatured, fields.KeyCanonical, fields.KeyLang:
				k.Rank = 1
			default:
				continue
			}
		}
		if f.Val.Kind == frontmatter.Null || f.Val.Kind == frontmatter.Text && strings.TrimSpace(f.Val.Text) == "" {
			continue
		}
		if k.Key == fields.KeyTeaching || k.Rank > r.ranks[k.Key] || k.Key == fields.KeyExtra {
			if r.take(k.Key, f) {
				r.ranks[k.Key] = k.Rank
			}
		}
	}
}

// find tells what a key means in the document.
func (r *reader) find(name string) (k fields.Ranked, near string) {
	if !r.out.stored || fields.StoredKeys[name] {
		if k, near = fields.FindKey(name); k.Key != fields.KeyNone {
			k.Rank *= rankStep
			return k, near
		}
	}
	if own, rank := fields.Meaning(name, !r.kept); fields.Keys[own].Key != fields.KeyNone {
		return fields.Ranked{Key: fields.Keys[own].Key, Rank: (fields.Keys[own].Rank-1)*rankStep + int8(min(rank, rankStep-1))}, ""
	}
	return fields.Ranked{}, near
}

// rankStep is between two ranks of keys: so many other names of a key come between it and the next one.
const rankStep = 12

// take reads one field and reports whether it was of use.
func (r *reader) take(k fields.Key, f *frontmatter.Field) bool {
	out, v := r.out, f.Val
	switch k {
	case fields.KeyTitle:
		return r.string(f, &out.title)
	case fields.KeySlug:
		out.slugIsText = v.Kind == frontmatter.Text
		return r.string(f, &out.slug)
	case fields.KeyExcerpt:
		return r.string(f, &out.excerpt)
	case fields.KeyAuthors:
		out.authors, r.authorsField = authorsOf(v), f
		return len(out.authors) > 0
	case fields.KeyTags:
		out.tags, r.tagsField = r.terms(v), f
	case fields.KeyCategories:
		out.categories = r.terms(v)
		r.tagsField = cmp.Or(r.tagsField, f)
	case fields.KeyTaxonomies:
		r.tagsField, r.authorsField = cmp.Or(r.tagsField, f), cmp.Or(r.authorsField, f)
		for i := range v.Fields {
			switch fields.Reduce(v.Fields[i].Key) {
			case "tags", "tag":
				r.tags = append(r.tags, stringsOf(v.Fields[i].Val)...)
			case "categories", "category":
				out.categories = append(out.categories, stringsOf(v.Fields[i].Val)...)
			case "authors", "author":
				if len(out.authors) == 0 {
					out.authors = authorsOf(v.Fields[i].Val)
				}
			}
		}
	case fields.KeyPublished:
		if _, ok := v.Bool(); ok || out.stored || v.Kind != frontmatter.Moment && !fields.MeantAsDate(v.Text) {
			return ok // what is no date is read by fields.Hiding alone
		}
		return r.rankedDate(f, 5*rankStep)
	case fields.KeyDate:
		return r.date(f, &out.published)
	case fields.KeyModified:
		if v.Kind == frontmatter.Table {
			if d := v.Lookup("date"); d != nil {
				return r.date(&frontmatter.Field{Key: f.Key, Val: d, Line: f.Line, Col: f.Col}, &out.modified)
			}
			return false
		}
		return r.date(f, &out.modified)
	case fields.KeyExpires:
		return r.date(f, &out.expires)
	case fields.KeyCover:
		p := pictureOf(v)
		if p.Src != "" {
			out.cover = p
		}
		return p.Src != ""
	case fields.KeyCoverAlt:
		r.string(f, &r.alt)
	case fields.KeySEO:
		for i := range v.Fields {
			sf := &v.Fields[i]
			switch fields.Reduce(sf.Key) {
			case "title", "metatitle":
				r.string(sf, &r.seo.Title)
			case "description", "metadescription":
				r.string(sf, &r.seo.Description)
			case "keywords":
				r.seo.Keywords = stringsOf(sf.Val)
			case "canonical", "canonicalurl":
				r.absolute(sf, &r.seo.Canonical)
			case "image", "ogimage":
				r.seo.Image = pictureOf(sf.Val).Src
			case "noindex":
				r.seo.NoIndex, _ = sf.Val.Bool()
			}
		}
	case fields.KeySEOTitle:
		return r.string(f, &out.seo.Title)
	case fields.KeySEODescription:
		return r.string(f, &out.seo.Description)
	case fields.KeyKeywords:
		out.seo.Keywords = stringsOf(v)
	case fields.KeyCanonical:
		return r.absolute(f, &out.seo.Canonical)
	case fields.KeyNoIndex:
		b, _ := v.Bool()
		out.seo.NoIndex = out.seo.NoIndex || b
	case fields.KeySEOImage:
		out.seo.Image = pictureOf(v).Src
	case fields.KeyAliases:
		for _, a := range stringsOf(v) {
			if site.IsPattern(a) {
				r.warn(f, fmt.Sprintf("the alias %q is a pattern, so it leads nowhere", diag.Clip(a, 80)), "write whole addresses, without : and * before a name")
				continue
			}
			out.aliases = append(out.aliases, a)
		}
	case fields.KeyRedirect:
		return r.redirect(f)
	case fields.KeyAddress:
		if b, ok := v.Bool(); ok && !b && v.Kind != frontmatter.Number { // as Eleventy reads it
			r.unpublished = f.Key + " is " + v.Text
			return true
		}
		if v.Kind == frontmatter.Text && !strings.ContainsAny(v.Text, ":{}*") {
			out.address = strings.TrimSpace(v.Text)
			return true
		}
		return false
	case fields.KeyLang:
		s, ok := site.Language(v.Text)
		if !ok {
			r.warn(f, fmt.Sprintf("%q is not a language", v.Text), "write a code such as en or hi")
			return false
		}
		out.lang = s
	case fields.KeyFeatured:
		out.featured, _ = v.Bool()
	case fields.KeyViews:
		if n, ok := site.ParseAmount(v.Text); ok && n >= 0 {
			out.views = int64(min(n, 1<<62))
		}
	case fields.KeyWeight:
		n, err := strconv.ParseFloat(v.Text, 64)
		if err != nil || n != n || n > 1e9 || n < -1e9 {
			r.warn(f, fmt.Sprintf("%s is not a number", f.Key), "write a whole number")
			return false
		}
		out.weight, out.weighted = int(n), true
	case fields.KeyNav:
		out.nav, _ = v.Bool()
	case fields.KeyMenu:
		r.menu(v)
	case fields.KeyFree:
		b, ok := v.Bool()
		if !ok {
			r.warn(f, "free is neither true nor false, so the lesson is closed", "write free: true or free: false")
		}
		out.free = -1
		if b {
			out.free = 1
		}
	case fields.KeyShortcodes:
		b, ok := v.Bool()
		out.shortcodesOff = ok && !b
	case fields.KeyPrice:
		// A course whose price cannot be read must not pass for a free one.
		n, ok := r.numberOf(f.Val)
		if !ok {
			r.fail(f, fmt.Sprintf("price %q is not a number", diag.Clip(f.Val.Text, 40)), "write digits only, and the currency as currency: INR")
		}
		out.price, out.gratis = n, ok && n == 0
		return ok
	case fields.KeyOriginalPrice:
		return r.number(f, &out.original)
	case fields.KeyRating:
		if n, ok := site.ParseAmount(v.Text); ok && out.stored {
			out.rating = min(max(n, 0), 5)
		} else if r.number(f, &out.rating) {
			out.rating = min(max(out.rating, 0), 5)
		}
	case fields.KeyCurrency:
		s := strings.ToUpper(strings.TrimSpace(v.Text))
		if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			r.warn(f, fmt.Sprintf("%q is not a currency", v.Text), "write a code such as INR or USD")
			return false
		}
		out.currency = s
	case fields.KeyLevel:
		return r.string(f, &out.level)
	case fields.KeyInstructors:
		out.instructors = instructorsOf(v)
	case fields.KeyDuration:
		if v.Kind == frontmatter.Number {
			if n, err := strconv.ParseFloat(v.Text, 64); err != nil || !(n > 0) {
				return false
			}
			out.duration = v.Text + " min"
			return true
		}
		ok := r.string(f, &out.duration)
		out.duration = site.ShownDuration(out.duration)
		return ok
	case fields.KeyTeaching:
		// Lessons of The Carpentries state minutes of teaching and of exercises.
		n, err := strconv.Atoi(v.Text)
		had, _ := strconv.Atoi(strings.TrimSuffix(out.duration, " min"))
		if err == nil && n > 0 && n < 10_000 && r.ranks[fields.KeyDuration] == 0 {
			out.duration = strconv.Itoa(had+n) + " min"
		}
	case fields.KeyFeatures:
		out.features = linesOf(v)
	case fields.KeyLearn:
		out.learn = linesOf(v)
	case fields.KeyRequirements:
		out.requirements = linesOf(v)
	case fields.KeyDiscount:
		return r.number(f, &out.discount)
	case fields.KeyFormat:
		switch format := site.Format(strings.ToLower(strings.TrimSpace(v.Text))); format {
		case site.Markdown, site.HTML, site.TipTap:
			out.format = format
		default:
			r.warn(f, fmt.Sprintf("format %q is not known, so the body is read as Markdown", diag.Clip(v.Text, 40)), "write markdown, html or tiptap")
			return false
		}
	case fields.KeyOrigin:
		out.stored = v.Text == frontmatter.OriginMongoDB
		return out.stored
	case fields.KeyCurriculum:
		if out.stored && (v.Kind == frontmatter.Text || v.Kind == frontmatter.List && len(v.Items) > 0) {
			what := "text"
			if v.Kind == frontmatter.List {
				what = "a list without modules that have lessons"
			}
			r.warn(f, fmt.Sprintf("the %s is %s, which is kept but not shown", f.Key, what), "store a list of modules, each with its lessons")
		}
	case fields.KeyClosed:
		b, ok := v.Bool()
		if !ok {
			r.warn(f, "developmentMode is neither true nor false", "write developmentMode: true or developmentMode: false")
		}
		out.closed = b
	case fields.KeyNotice:
		r.notice(f)
	case fields.KeyInstructorName:
		return r.string(f, &r.instructor.Name)
	case fields.KeyInstructorImage:
		r.instructor.Image = pictureOf(v).Src
	case fields.KeyID:
		if v.Kind == frontmatter.Text {
			out.storedID = v.Text
		}
		if id := v.Get("$oid"); v.Kind == frontmatter.Table && id != nil && len(id.Text) == 24 {
			out.storedID = strings.ToLower(id.Text)
			if seconds, err := strconv.ParseUint(id.Text[:8], 16, 32); err == nil {
				out.born = site.In(time.Unix(int64(seconds), 0), r.zone)
			}
		}
	case fields.KeyAuthorImage:
		r.image = pictureOf(v).Src
	case fields.KeyEnroll:
		return r.absolute(f, &out.enroll)
	case fields.KeyExtra:
		if v.Kind == frontmatter.Table {
			r.table(v, true)
		}
	}
	return true
}

// notice reads the banner: enabled, message, linkText, linkHref, as the site's settings have it.
func (r *reader) notice(f *frontmatter.Field) {
	get := func(name string) string {
		if v := f.Val.Get(name); v != nil && v.Kind != frontmatter.Table && v.Kind != frontmatter.List {
			return v.Text
		}
		return ""
	}
	enabled, said := f.Val.Get("enabled"), true
	if enabled != nil {
		said, _ = enabled.Bool()
	}
	message := fields.PlainText(get("message"))
	switch {
	case f.Val.Kind != frontmatter.Table:
		r.warn(f, "notification is not a table, so there is no banner", "write message, linkText and linkHref below it")
	case !said:
	case message == "":
		r.warn(f, "notification has no message, so there is no banner", "write one in message")
	default:
		r.out.notice = message
		href := get("linkHref")
		if r.out.noticeLink = site.NewLink(fields.PlainText(get("linkText")), href); href != "" && r.out.noticeLink.URL == "" {
			r.warn(f, fmt.Sprintf("linkHref %q is no address, so the banner has no link", diag.Clip(href, 40)), "begin it with / or https://")
		}
	}
}

// rankedDate is for "published", which is a date only in some trees.
func (r *reader) rankedDate(f *frontmatter.Field, rank int8) bool {
	if r.ranks[fields.KeyDate] >= rank {
		return false
	}
	if r.date(f, &r.out.published) {
		r.ranks[fields.KeyDate] = rank
		return true
	}
	return false
}

func (r *reader) string(f *frontmatter.Field, to *string) bool {
	switch f.Val.Kind {
	case frontmatter.Text, frontmatter.Number, frontmatter.Boolean, frontmatter.Moment:
		*to = strings.TrimSpace(strings.Join(strings.FieldsFunc(f.Val.Text, func(c rune) bool { return c == '\n' || c == '\r' || c == 0 }), " "))
		return *to != ""
	}
	r.warn(f, fmt.Sprintf("%s is a list where text is wanted", f.Key), "write one line of text")
	return false
}

// date reads a date. Of one that cannot be read it says so, unless the document is left out for it: see useOtherDate.
func (r *reader) date(f *frontmatter.Field, to *time.Time) bool {
	if r.out.stored && f.Val.Kind == frontmatter.Text && f.Val.Plain && frontmatter.SimpleTime(f.Val.Text) { // as encodeFields writes the dates of a database
		t, _ := time.Parse(time.RFC3339, f.Val.Text)
		f.Val.Kind, f.Val.Time, f.Val.Clock = frontmatter.Moment, t, frontmatter.AtInstant
	}
	d, ok := f.Val.Date(r.zone)
	problem := fmt.Sprintf("%s %q is not a date", f.Key, diag.Clip(f.Val.Text, 40))
	remedy := "write it as 2006-01-02 or 2006-01-02T15:04:05Z"
	if d.Ambiguous {
		problem = fmt.Sprintf("%s %q leaves open which is the day and which the month", f.Key, diag.Clip(f.Val.Text, 40))
	}
	if r.out.stored {
		n, err := strconv.ParseFloat(f.Val.Text, 64)
		switch {
		case ok && f.Val.Kind == frontmatter.Moment && d.Time.Unix() == 0, err == nil && n == 0:
			return false // a zero value of some program's: none was set
		case ok:
		case to == &r.out.published && (f.Key == "createdAt" || f.Key == "created_at"):
			return false
		case to != &r.out.modified:
			r.late = append(r.late, late{f, problem, "store a date, or write it as 2006-01-02"})
			return false
		}
		remedy = "store a date"
	}
	switch {
	case ok && d.Time.Year() <= 1:
		return false // a zero value of some program's: none was set
	case ok:
		if d.Unknown != "" {
			r.warn(f, fmt.Sprintf("%s %q is in the time zone %s, which is not known, so it is read as one in %s", f.Key, diag.Clip(f.Val.Text, 40), diag.Clip(d.Unknown, 40), r.zone),
				"write the offset from UTC instead, such as +05:30")
		}
		*to = d.Time
	case to == &r.out.published:
		r.undated = append(r.undated, late{f, problem, remedy})
	case to == &r.out.modified: // without it the document is shown all the same
		r.warn(f, problem, remedy)
	default:
		r.fail(f, problem, remedy)
	}
	return ok
}

// redirect reads where readers are sent: a path of the site or a web address, or a list of one.
func (r *reader) redirect(f *frontmatter.Field) bool {
	v := f.Val
	if v.Kind == frontmatter.List && len(v.Items) > 0 {
		v = v.Items[0]
	}
	u, err := url.Parse(strings.TrimSpace(v.Text))
	if err == nil && u.Scheme == "" && u.Host == "" && u.Path != "" {
		u.Path = "/" + strings.TrimLeft(u.Path, "/")
		u.RawPath = ""
	}
	web := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
	if v.Kind != frontmatter.Text || err != nil || !web && !(u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/")) {
		r.fail(f, fmt.Sprintf("%s %q is no address", f.Key, diag.Clip(v.Text, 80)), "begin it with / or https://")
		return false
	}
	r.out.to = u.String()
	return true
}

// useOtherDate reports dates of publication that cannot be read. Where another field, the file's name or its address has
// the date the document is shown with that.
func (r *reader) useOtherDate(name string) {
	if len(r.undated) == 0 {
		return
	}
	_, _, inName := dateName(documentName(name))
	_, inAddress := datePath(r.out.address)
	for _, l := range r.undated {
		switch {
		case !r.out.published.IsZero():
			r.warn(l.f, l.message+", so another field's counts", l.remedy)
		case inName:
			r.warn(l.f, l.message+", so that of the file's name counts", l.remedy)
		case inAddress:
			r.warn(l.f, l.message+", so that of its address counts", l.remedy)
		default:
			r.fail(l.f, l.message, l.remedy)
		}
	}
}
