package contentdir

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"freshet/internal/site"
)

// singleCourse is a file right in courses/: a course without lessons.
func (b *builder) singleCourse(r *record) site.Document {
	name, _, date := plainName(r)
	if n, ok := numbered(name); ok {
		name = n.rest
	}
	c := b.courseOf(r, b.meta(r, name))
	c.Slug = b.t.translated(c.Slug, b.t.pathLang(r))
	if c.Published.IsZero() {
		c.Published = site.OnWall(date, b.t.s.zone)
	}
	c.Aliases = aliasesOf(r.p, site.CoursePath(c.Slug))
	c.Revision = revision(c)
	return c
}

// courseOf fills in what the front matter of a course says.
func (b *builder) courseOf(r *record, m site.Meta) *site.Course {
	p := r.p
	c := &site.Course{
		Meta: m, Price: p.price, OriginalPrice: p.original, Currency: p.currency, Level: p.level, Duration: p.duration, Rating: p.rating,
		Instructors: p.instructors, Features: p.features, Learn: p.learn, Requirements: p.requirements, EnrollURL: p.enroll, Weight: p.weight,
	}
	if len(c.Instructors) == 0 && !p.stored {
		for _, a := range p.authors {
			c.Instructors = append(c.Instructors, site.Instructor{Name: a.Name, Image: a.Image})
		}
	}
	return c
}

// course makes a course of all that is beneath a folder.
func (b *builder) course(f *folder) *site.Course {
	name := f.base()
	if n, ok := numbered(name); ok {
		name = n.rest
	}
	own := b.courseText(f)
	var c *site.Course
	if own != nil {
		if own.broken {
			b.skip = &site.Skip{ID: site.ID(courseID(f)), Field: own.p.badField, Reason: fmt.Sprintf("the course's own text, %s, is left out: %s", own.path, own.p.reason)}
			return nil
		}
		if f.path == "" {
			m := b.meta(own)
			if m.Title == "" {
				m.Title = "Course"
				b.warn(own.path, "title", "this course has no title", "set title in the front matter, or begin with a heading")
			}
			c = b.courseOf(own, m)
			c.Slug = site.FirstSlug(own.p.slug, m.Title, "course")
		} else {
			c = b.courseOf(own, b.meta(own, name))
		}
		c.Body.Part = own.path
		if c.Body.IsZero() {
			c.Body = site.BodyRef{}
		}
	} else {
		title := "Course"
		if f.path != "" {
			title = titleOf(name)
		}
		c = &site.Course{Meta: site.Meta{Source: f.path, Title: title, Slug: site.FirstSlug(name, title, "course"), Lang: folderLang(f.path)}}
	}
	c.ID = site.ID(courseID(f))
	if !c.Body.IsZero() {
		c.Body.Doc = c.ID
	}
	if f.parent != nil && f.parent.parent != nil && (own == nil || !own.p.stored) {
		c.Slug, c.Group = b.t.translated(c.Slug, folderLang(f.path)), b.t.courseGroup(f)
	}
	if own != nil {
		c.Aliases = aliasesOf(own.p, site.CoursePath(c.Slug))
	}
	k := curriculum{b: b, course: f, own: own, lang: c.Lang}
	c.Modules = k.modules()
	c.Revision = revision(c)
	return c
}

// courseText is the course's own text: that of its folder.
func (b *builder) courseText(f *folder) *record {
	var best *record
	for _, r := range f.named {
		if best == nil || r.textBefore(best) {
			best = r
		}
	}
	return best
}

// A curriculum gathers a course's modules and lessons.
type curriculum struct {
	b      *builder
	course *folder
	own    *record
	lang   string
}

// stored reports whether the course is a document of MongoDB's.
func (k *curriculum) stored() bool { return k.own != nil && k.own.p != nil && k.own.p.stored }

// A stage is something in a course with a place among its siblings: a file or a folder of lessons.
type stage struct {
	at     place
	files  []*record // its lessons in order
	module bool
	title  string
}

func (k *curriculum) modules() []site.Module {
	stages := k.stages(k.course, true)
	// Files named N.M make a module of each N.
	groups := map[int]bool{}
	for _, s := range stages {
		if !s.module && len(s.at.number) >= 2 {
			groups[s.at.number[0]] = true
		}
	}
	var out []site.Module
	var loose []*record
	grouped := map[int]int{}
	looseAt := -1
	slugs := k.lessonSlugs(stages)
	for _, s := range stages {
		switch {
		case s.module:
			out = append(out, site.Module{Title: s.title, Lessons: k.lessons(s.files, slugs)})
		case len(groups) >= 2 && len(s.at.number) >= 2:
			n := s.at.number[0]
			i, ok := grouped[n]
			if !ok {
				i = len(out)
				grouped[n] = i
				out = append(out, site.Module{Title: moduleTitle(n, k.lang)})
			}
			out[i].Lessons = append(out[i].Lessons, k.lessons(s.files, slugs)...)
		default:
			if looseAt < 0 {
				looseAt = len(out)
				out = append(out, site.Module{})
			}
			loose = append(loose, s.files...)
		}
	}
	if looseAt >= 0 {
		out[looseAt].Lessons = k.lessons(loose, slugs)
		// Lessons without a module come first, so that they do not seem to belong to the one before.
		m := out[looseAt]
		out = append([]site.Module{m}, slices.Delete(out, looseAt, looseAt+1)...)
	}
	out = slices.DeleteFunc(out, func(m site.Module) bool { return len(m.Lessons) == 0 })
	if len(out) == 0 {
		return nil
	}
	return out
}

// moduleTitle names a module of which only the number is known.
func moduleTitle(n int, lang string) string {
	main, _, _ := strings.Cut(lang, "-")
	switch main {
	case "hi", "mr", "ne":
		return fmt.Sprintf("मॉड्यूल %d", n)
	case "ja":
		return fmt.Sprintf("モジュール %d", n)
	case "zh":
		return fmt.Sprintf("模块 %d", n)
	case "ko":
		return fmt.Sprintf("모듈 %d", n)
	case "es", "pt":
		return fmt.Sprintf("Módulo %d", n)
	case "de":
		return fmt.Sprintf("Modul %d", n)
	case "ru", "uk", "bg":
		return fmt.Sprintf("Модуль %d", n)
	}
	return fmt.Sprintf("Module %d", n)
}

// stages lists what stands in a folder in order. At the top of a course, folders that only gather lessons count as
// if their content stood there.
func (k *curriculum) stages(f *folder, top bool) []stage {
	var out []stage
	for _, r := range f.files {
		if !r.isMarkdown || r == k.own || r.text != noText && top && f == k.course {
			continue // another text of the course's own folder, such as a README beside its index
		}
		name := r.name().stem
		if r.text != noText {
			name = "" // the folder's text comes first
		}
		s := stage{at: placeOf(name, r.p), files: []*record{r}}
		if r.text != noText {
			s.at = place{weighted: true, weight: -1 << 40}
		}
		out = append(out, s)
	}
	for _, d := range f.dirs {
		name := d.base()
		if d.markdown == 0 {
			continue
		}
		if top && containers[strings.ToLower(name)] {
			out = append(out, k.stages(d, true)...)
			continue
		}
		own := k.b.courseText(d)
		var p *parsed
		if own != nil {
			p = own.p
		}
		if p != nil && p.draft {
			if !own.broken {
				k.b.warn(own.path, "draft", p.hidden+": the lessons of this folder are left out of the course", "publish it when they are ready")
			}
			continue
		}
		s := stage{at: placeOf(name, p)}
		if top {
			s.module = d.numFiles+d.numDirs > 0 || own == nil || own.text == sectionOwn
		}
		for _, in := range k.stages(d, false) {
			s.files = append(s.files, in.files...)
		}
		if own != nil && !own.broken {
			s.title = cmpOr(own.p.title, own.p.heading)
		}
		if s.title == "" && !k.stored() {
			s.title = titleOf(name)
		}
		out = append(out, s)
	}
	if top {
		// Among numbered modules a numbered folder is a module too, though it has no numbered lessons of its own.
		numbered := slices.ContainsFunc(out, func(s stage) bool { return s.module && s.at.number != nil })
		for i := range out {
			if numbered && out[i].title != "" && out[i].at.number != nil {
				out[i].module = true
			}
		}
	}
	slices.SortFunc(out, func(a, b stage) int {
		if c := a.at.compare(b.at); c != 0 {
			return c
		}
		if len(a.files) > 0 && len(b.files) > 0 {
			return strings.Compare(a.files[0].path, b.files[0].path)
		}
		return 0
	})
	return out
}

// lessonSlugs gives each lesson a slug of its own within the course: the lowest path has the plain one.
func (k *curriculum) lessonSlugs(stages []stage) map[*record]site.Slug {
	var all []*record
	for _, s := range stages {
		all = append(all, s.files...)
	}
	slices.SortFunc(all, func(a, b *record) int { return strings.Compare(a.path, b.path) })
	taken := map[site.Slug]bool{}
	out := make(map[*record]site.Slug, len(all))
	for _, r := range all {
		if r.broken {
			continue
		}
		s := k.lessonSlug(r)
		for n := 2; taken[s]; n++ {
			s = k.lessonSlug(r).WithSuffix(fmt.Sprint(n))
		}
		taken[s] = true
		out[r] = s
	}
	return out
}

func (k *curriculum) lessonSlug(r *record) site.Slug {
	s := site.FirstSlug(r.p.slug, site.LastSegment(r.p.address), lessonName(r), cmpOr(r.p.title, r.p.heading))
	if k.stored() {
		s = site.FirstSlug(r.p.slug, r.p.title)
	}
	if s == "" {
		return "lesson"
	}
	return s
}

// lessonName is the name of a lesson's file or folder without its number.
func lessonName(r *record) string {
	name := r.name().stem
	if r.text != noText {
		name = path.Base(path.Dir(r.path))
	}
	if n, ok := numbered(name); ok {
		name = n.rest
	}
	if _, rest, ok := dateName(name); ok {
		name = rest
	}
	if r.name().lang != "" {
		name += "-" + strings.ToLower(r.name().lang)
	}
	return name
}

func (k *curriculum) lessons(files []*record, slugs map[*record]site.Slug) []site.Lesson {
	var out []site.Lesson
	for _, r := range files {
		switch p := r.p; {
		case r.broken: // its own problem says why
		case p.draft:
			k.b.warn(r.path, "draft", p.hidden+": this lesson is left out of its course", "publish it when it is ready")
		case p.hash == 0 && r.text != noText: // a folder's text that only names its module
		default:
			slug := slugs[r]
			l := site.Lesson{
				ID: site.ID(r.path), Source: r.path, Slug: slug, Title: cmpOr(p.title, p.heading), Excerpt: cmpOr(p.excerpt, p.intro), Duration: p.duration,
				Open: p.free >= 0, Minutes: p.minutes,
			}
			if lang := k.b.t.lang(r); lang != k.lang {
				l.Lang = lang
			}
			if k.stored() {
				l.Open = p.free > 0 || k.own.p.gratis
				if !l.Open {
					l.Excerpt = "" // what a closed one says is not for all
				}
			}
			if k.stored() {
				l.Title = cmpOr(p.title, p.slug)
				if l.Title == "" {
					k.b.warn(r.path, "title", "this lesson has no title, so it is left out", "write its title")
					continue
				}
				if p.hash == 0 {
					l.Excerpt = ""
				}
			}
			if l.Title == "" {
				l.Title = titleOf(lessonName(r))
			}
			if p.hash != 0 {
				l.Body = site.BodyRef{Doc: site.ID(courseID(k.course)), Part: r.path, Format: p.bodyFormat(), Hash: p.hash, Bytes: p.bytes}
			}
			if !k.stored() {
				l.Aliases = aliasesOf(p, "")
			}
			out = append(out, l)
		}
	}
	return out
}
