package mongodb

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/fields"
	"freshet/internal/prose"
	"freshet/internal/site"
)

// course makes a course of a stored document. After the end of ctx it is not whole.
func (d *decoder) course(ctx context.Context, raw bson.Raw) decoded {
	r, ok := d.begin(d.courseColl(), raw)
	if !ok {
		return r.out
	}
	return d.decodeCourse(ctx, r)
}

func (d *decoder) decodeCourse(ctx context.Context, r *reader) decoded {
	c := &site.Course{}
	r.hide(&c.Meta, false)
	r.meta(ctx, &c.Meta, courseBody)
	c.Published = r.published(c.Draft, false)
	gratis := r.prices(c)
	c.Currency = r.currency()
	c.Level = r.d.shared(r.line("level"))
	c.Duration = r.duration("duration", r.fields.get("duration").v)
	c.Rating = r.rating()
	c.Instructors = r.instructors()
	c.Features, c.Learn, c.Requirements = r.lines("features"), r.lines("whatYouLearn"), r.lines("requirements")
	c.EnrollURL = r.address("enrollRedirectUrl", "enrollUrl")
	if f := r.fields.get("weight", "order"); f.name != "" {
		if n, ok := amount(f.v); ok && math.Abs(n) <= 1e9 {
			c.Weight = int(n)
		} else {
			r.warn(f.name, fmt.Sprintf("%s %s is not a number", f.name, shown(f.v)), "write a whole number")
		}
	}
	c.Modules = r.modules(ctx, gratis, c.Lang)
	c.Aliases = r.aliases("/courses/", site.CoursePath(c.Slug))
	c.Revision = revision(c)
	return r.done(c)
}

// prices reads what the course costs and reports whether it says that it costs nothing. A course whose price cannot
// be read must not pass for a free one, and one without a price opens no lesson. The discount, in per cent, is taken
// off the price unless the original price says that it is already.
func (r *reader) prices(c *site.Course) (gratis bool) {
	const maxPrice = 1e12
	f := r.fields.get("price")
	if f.name == "" {
		r.warn("price", "there is no price: the course is shown as free, and only its free lessons are open", "write 0 if it costs nothing")
		return false
	}
	n, ok := amount(f.v)
	if !ok || n < 0 || n > maxPrice {
		r.skip("price", fmt.Sprintf("the price %s is none", shown(f.v)), "store a number, 0 if the course costs nothing")
		return false
	}
	if !isNumber(f.v) {
		r.warn("price", fmt.Sprintf("the price %s is taken as %s", shown(f.v), strconv.FormatFloat(n, 'f', -1, 64)), "store a number, and the currency in currency")
	}
	c.Price = n
	if f := r.fields.get("originalPrice"); f.name != "" {
		if o, ok := amount(f.v); ok && o >= 0 && o <= maxPrice {
			c.OriginalPrice = o
		} else {
			r.warn("originalPrice", fmt.Sprintf("the original price %s is none, so it is not shown", shown(f.v)), "store a number")
		}
	}
	if f := r.fields.get("discount"); f.name != "" {
		off, ok := amount(f.v)
		switch {
		case !ok || off < 0 || off > 100:
			r.warn("discount", fmt.Sprintf("the discount %s is no percentage, so there is none", shown(f.v)), "store a number from 0 to 100")
		case off > 0 && c.OriginalPrice <= n:
			c.OriginalPrice, c.Price = n, math.Round(n*(100-off))/100
		}
	}
	return n == 0
}

func (r *reader) currency() string {
	f := r.fields.get("currency")
	if f.name == "" {
		return ""
	}
	s, _ := text(f.v)
	code := strings.ToUpper(strings.TrimSpace(s))
	if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		r.warn("currency", fmt.Sprintf("%s is not a currency, so prices are shown in the default one", shown(f.v)), "write a code such as INR or USD")
		return ""
	}
	return r.d.shared(code)
}

func (r *reader) rating() float64 {
	f := r.fields.get("rating")
	if f.name == "" {
		return 0
	}
	n, ok := amount(f.v)
	if !ok {
		r.warn("rating", fmt.Sprintf("the rating %s is none, so it is not shown", shown(f.v)), "store a number from 0 to 5")
		return 0
	}
	clamped := min(max(n, 0), 5)
	if clamped != n || !isNumber(f.v) {
		r.warn("rating", fmt.Sprintf("the rating %s is taken as %g", shown(f.v), clamped), "store a number from 0 to 5")
	}
	return clamped
}

// duration reads how long a course or a lesson takes: as written, a number of minutes, or ISO 8601.
func (r *reader) duration(name string, v bson.RawValue) string {
	s, ok := text(v)
	switch {
	case isNull(v):
		return ""
	case !ok:
		r.warn(name, "the duration is "+typeNames[v.Type]+", so it is not shown", "write it as 45 min or 12 weeks")
		return ""
	case isNumber(v):
		n, ok := amount(v)
		if !ok || n <= 0 {
			if n != 0 {
				r.warn(name, fmt.Sprintf("the duration %s is none", shown(v)), "write it as 45 min or 12 weeks")
			}
			return ""
		}
		r.warn(name, fmt.Sprintf("the duration %s is taken as minutes", s), "write it as 45 min or 12 weeks")
		return r.d.shared(s + " min")
	}
	s = oneLine(s)
	if out := site.ShownDuration(s); out != s {
		r.warn(name, fmt.Sprintf("the duration %q is shown as %q", s, out), "write it as 45 min or 12 weeks")
		return r.d.shared(out)
	}
	return r.d.shared(s)
}

// defaultInstructor is what the admin form's schema fills in where nobody wrote a name.
const defaultInstructor = "Instructor"

// instructors reads who teaches the course. The name that the admin form writes stands beside the object, whose own
// name is then the default.
func (r *reader) instructors() []site.Instructor {
	f := r.fields.get("instructors", "instructor")
	var out []site.Instructor
	add := func(i site.Instructor) {
		if i.Name != "" && !slices.ContainsFunc(out, func(o site.Instructor) bool { return o.Name == i.Name }) {
			i.Name = r.d.shared(i.Name)
			out = append(out, i)
		}
	}
	r.eachInstructor(f.name, f.v, 0, add)
	if name := clean(r.line("instructorName")); name != "" && (len(out) == 0 || len(out) == 1 && out[0].Name == defaultInstructor) {
		out = nil
		add(site.Instructor{Name: name})
	}
	if img := r.fields.get("instructorImage"); img.name != "" && len(out) == 1 && out[0].Image == "" {
		out[0].Image = r.picture("instructorImage", "instructor", img.v).Src
	}
	return out
}

func (r *reader) eachInstructor(name string, v bson.RawValue, depth int, add func(site.Instructor)) {
	s, ok := text(v)
	switch {
	case isNull(v) || depth > 2:
	case ok:
		for _, n := range site.SplitNames(s) {
			add(site.Instructor{Name: n})
		}
	case v.Type == bson.TypeArray:
		for i, it := range items(v) {
			r.eachInstructor(fmt.Sprintf("%s.%d", name, i), it, depth+1, add)
		}
	case v.Type == bson.TypeEmbeddedDocument:
		f := object(v)
		in := site.Instructor{Name: clean(f.str("name")), Title: clean(f.str("title", "role", "designation")), Bio: clean(f.str("bio", "description", "about"))}
		img := f.get("image", "avatar", "photo")
		in.Image = r.picture(name+"."+img.name, "instructor", img.v).Src
		if in.Name == "" && len(f) > 0 {
			r.warn(name, name+" is an object without a name", "write the name")
		}
		add(in)
	default:
		r.warn(name, fmt.Sprintf("%s is %s, not a name, so none is shown", name, typeNames[v.Type]), "write the name")
	}
}

// A rawModule is a module of a course as it is stored.
type rawModule struct {
	title   string
	lessons []rawLesson
}

// A rawLesson is a lesson as it is stored, with its place in the document and its names in the course.
type rawLesson struct {
	at     string // "curriculum.0.lessons.1."
	fields fieldList
	title  string
	slug   site.Slug
	id     site.ID
}

// curriculum finds the modules and lessons of a course and names them. Decoding and reading bodies both go by it, so
// that a lesson is the same to both.
func (r *reader) curriculum() []rawModule {
	list := r.fields.get("curriculum")
	name, v := list.name, list.v
	if b, ok := stringBytes(v); ok {
		list, ok := fromJSON(b)
		if !ok {
			r.warn(name, "the "+name+" is text, and not JSON, so there are no lessons", "store a list of modules")
			return nil
		}
		r.warn(name, "the "+name+" is JSON in text", "store a list of modules")
		v = list
	}
	if !isNull(v) && v.Type != bson.TypeArray {
		r.warn(name, "the "+name+" is "+typeNames[v.Type]+", so there are no lessons", "store a list of modules")
		return nil
	}
	var out []rawModule
	names := lessonNames{slugs: map[site.Slug]bool{}, keys: map[string]bool{}}
	var loose rawModule // lessons without a module
	for i, it := range items(v) {
		at := fmt.Sprintf("%s.%d", name, i)
		if it.Type == bson.TypeObjectID {
			r.warn(name, fmt.Sprintf("the %s are references (ObjectIds) to documents that are not read, so there are no lessons", name), "store the modules and their lessons in the course")
			break
		}
		f := object(it)
		m := rawModule{title: clean(r.d.named(f).str("title", "moduleName", "name"))}
		if r.hidesPart(at+".", "module", hidingOf(f)) {
			continue
		}
		nested := fields.Lessons(f.keys())
		if nested == "" && name != "curriculum" {
			l := rawLesson{at: at + ".", fields: r.d.named(f)}
			if r.lesson(&l, names) {
				loose.lessons = append(loose.lessons, l)
			}
			continue
		}
		for j, it := range items(f.get(nested).v) {
			l := rawLesson{at: fmt.Sprintf("%s.%s.%d.", at, nested, j), fields: r.d.named(object(it))}
			if it.Type == bson.TypeObjectID {
				r.warn(at+"."+nested, "the lessons are references (ObjectIds) to documents that are not read", "store the lessons in the course")
				break
			}
			if r.lesson(&l, names) {
				m.lessons = append(m.lessons, l)
			}
		}
		if len(m.lessons) == 0 {
			r.warn(at, "this module has no lessons, so it is left out", "add lessons, or remove it")
			continue
		}
		out = append(out, m)
	}
	if len(loose.lessons) > 0 {
		out = append([]rawModule{loose}, out...)
	}
	return out
}

// lessonNames are what the lessons of a course are called so far.
type lessonNames struct {
	slugs map[site.Slug]bool
	keys  map[string]bool
}

// lesson names a lesson: its slug is one of its own in the course, and its ID is that of its _id or lessonId, else of
// its slug, so that moving lessons about renames none.
func (r *reader) lesson(l *rawLesson, names lessonNames) bool {
	slugs, keys := names.slugs, names.keys
	slugField := l.fields.get("slug")
	given, _ := text(slugField.v)
	l.title = oneLine(l.fields.str("title", "name"))
	own := l.fields.get("_id", "lessonId", "id")
	slug := site.MakeSlug(given)
	if l.title == "" {
		l.title = oneLine(given)
	}
	if l.title == "" {
		r.warn(l.at+"title", "this lesson has no title, so it is left out", "write its title")
		return false
	}
	if r.hidesPart(l.at, "lesson", hidingOf(l.fields)) {
		return false
	}
	body := l.fields.get(append(prose.Fields(), "content")...).name != ""
	switch {
	case slug == "":
		slug = cmp.Or(site.MakeSlug(l.title), "lesson")
		if body {
			r.warn(l.at+"slug", fmt.Sprintf("this lesson has no slug, so its title makes it %q", slug), "write one in slug")
		}
	case string(slug) != given:
		r.warn(l.at+"slug", fmt.Sprintf("the slug %s became %q", shown(slugField.v), slug), "store it so")
	}
	plain := slug
	for n := 2; slugs[slug]; n++ {
		slug = plain.WithSuffix(strconv.Itoa(n))
	}
	if slug != plain && body {
		r.warn(l.at+"slug", fmt.Sprintf("the slug %q is another lesson's, so this one is at %q", plain, slug), "give it one of its own")
	}
	slugs[slug] = true
	l.slug = slug
	key := "/" + string(slug)
	if own.name != "" {
		if k := strings.ReplaceAll(idEscapes.Replace(idText(own.v)), "/", "%2F"); !keys[k] {
			key = k
		}
	}
	keys[key] = true
	l.id = r.id + "#" + site.ID(key)
	return true
}

// hidesPart reports whether a lesson or a module is hidden, and says why it is not in its course. One that says nothing is
// as its course.
func (r *reader) hidesPart(at, what string, v fields.Verdict) bool {
	switch {
	case v.Hidden:
		r.warn(at+v.Field, fmt.Sprintf("%s: this %s is left out of its course", v.Why, what), "publish it when it is ready")
	case len(v.Mistakes) > 0:
		m := v.Mistakes[0]
		r.mistake(at+m.Field, fmt.Sprintf("%s: this %s is left out of its course", m.Message, what), m.Remedy)
	default:
		return false
	}
	return true
}

// modules makes the lessons. A lesson is open when it says so, or when the course costs nothing.
func (r *reader) modules(ctx context.Context, gratis bool, lang string) []site.Module {
	var out []site.Module
	for _, m := range r.curriculum() {
		module := site.Module{Title: m.title}
		for i := range m.lessons {
			l := &m.lessons[i]
			lesson := site.Lesson{ID: l.id, Slug: l.slug, Title: l.title, Open: gratis}
			lesson.Duration = r.duration(l.at+"duration", l.fields.get("duration").v)
			free := false
			if f := l.fields.get("free"); f.name != "" {
				var ok bool
				free, ok = truth(f.v)
				switch {
				case !ok:
					r.warn(l.at+"free", fmt.Sprintf("free is %s, neither true nor false, so the lesson is closed", shown(f.v)), "write true or false")
				case f.v.Type != bson.TypeBoolean:
					r.warn(l.at+"free", fmt.Sprintf("free is %s, which is taken as %v", shown(f.v), free), "write true or false")
				}
				lesson.Open = gratis || free
			}
			b := postBody.read(l.fields, false)
			switch {
			case b.Found():
				r.bodyProblems(l.at, &b)
				lesson.Body = b.ref(r.id, string(l.id))
				sum := r.summary(ctx, &b, l.title, lang)
				lesson.Minutes = sum.Minutes
				if lesson.Open { // what a closed one says is not for all
					lesson.Excerpt = cmp.Or(oneLine(l.fields.str("excerpt")), sum.Excerpt)
				}
			case free, b.Reason != prose.Missing:
				r.warn(l.at+b.Field, b.Reason+", so the lesson has no page", "write it in content")
			}
			module.Lessons = append(module.Lessons, lesson)
		}
		out = append(out, module)
	}
	return out
}
