package plan

import (
	"cmp"
	"context"
	"strings"

	"freshet/internal/site"
)

func (p *Planner) courses(ctx context.Context) (*Page, error) {
	pg := p.page("/courses/", site.KindList, "courses.html", "list:courses")
	v := &Courses{Layout: p.layout, Heading: "Courses"}
	description := ""
	if s := p.snap.Section("/courses/"); s != nil {
		pg.from(s)
		v.Closed = s.Closed
		v.Heading, description = cmp.Or(s.Title, v.Heading), cmp.Or(s.SEO.Description, s.Excerpt)
		var err error
		if v.Intro, err = p.intro(ctx, pg, s); err != nil {
			return nil, err
		}
	}
	var urls []string
	for c := range p.snap.Courses().All() {
		if v.Closed {
			break
		}
		card := p.courseCard(pg, c)
		v.Courses = append(v.Courses, card)
		urls = append(urls, card.URL)
	}
	v.Head = p.listHead(pg, v.Heading, cmp.Or(description, "All courses"))
	v.Head.NoIndex = v.Closed
	v.Head.NavURL = "/courses/"
	v.Head.JSONLD = p.itemListLD("CollectionPage", &v.Head, v.Heading, urls)
	return p.seal(pg, v), nil
}

// modules returns the curriculum as pages show it. current is the lesson to mark; nil: none.
func (p *Planner) modules(c *site.Course, current *site.Lesson) []Module {
	var out []Module
	for mi := range c.Modules {
		m := Module{Title: c.Modules[mi].Title}
		for li := range c.Modules[mi].Lessons {
			l := &c.Modules[mi].Lessons[li]
			link := LessonLink{Title: l.Title, Duration: l.Duration, Minutes: l.Minutes, Current: l == current}
			if l.Open && !l.Body.IsZero() {
				link.URL = site.LessonPath(c.Slug, l.Slug).URL()
			}
			m.Lessons = append(m.Lessons, link)
		}
		out = append(out, m)
	}
	return out
}

func (p *Planner) course(ctx context.Context, c *site.Course) (*Page, error) {
	pg := p.page(site.CoursePath(c.Slug), site.KindPage, "course.html", "course:"+string(c.Slug))
	pg.Doc, pg.Source = c.ID, identity(&c.Meta)
	pg.from(c)
	b := baseOf(c)
	doc, err := p.bodyOf(ctx, &c.Meta)
	if err != nil {
		return nil, err
	}
	v := &Course{
		Layout: p.layout, Title: c.Title, Excerpt: standfirst(c.Title, c.Excerpt, doc), Level: c.Level, Duration: c.Duration, Price: priceOf(c),
		Rating: c.Rating, Cover: p.pictureOf(pg, b, "cover", "coverImage", c.Cover), Features: c.Features, Learn: c.Learn, Requirements: c.Requirements,
		Modules: p.modules(c, nil), Lessons: lessonCount(c), Body: p.body(ctx, pg, b, doc),
	}
	for _, t := range c.Tags {
		l := Link{Text: t}
		if slug := site.TagSlug(t); slug != "" && p.snap.Topic(slug) != nil {
			l.URL = site.TopicPath(slug).URL()
		}
		v.Tags = append(v.Tags, l)
	}
	if strings.HasPrefix(c.EnrollURL, "https://") || strings.HasPrefix(c.EnrollURL, "http://") {
		v.EnrollURL = c.EnrollURL
	}
	for _, in := range c.Instructors {
		v.Instructors = append(v.Instructors, Instructor{in.Name, in.Title, in.Bio, p.pictureOf(pg, b, "instructor's picture", "instructors", site.Picture{Src: in.Image, Alt: in.Name})})
	}
	v.Lang, v.Dir = p.language(&c.Meta)
	v.Crumbs = []Link{{p.layout.Title, "/"}, {p.sectionTitle(pg, "/courses/", "Courses"), "/courses/"}, {c.Title, pg.Path.URL()}}
	v.Head = p.docHead(pg, b, &c.Meta, "website", v.Cover, doc)
	v.Head.NavURL = "/courses/"
	v.Head.JSONLD = p.courseLD(c, v)
	return p.seal(pg, v), nil
}

func (p *Planner) lesson(ctx context.Context, c *site.Course, l *site.Lesson) (*Page, error) {
	pg := p.page(site.LessonPath(c.Slug, l.Slug), site.KindPage, "lesson.html",
		"course:"+string(c.Slug), "lesson:"+string(c.Slug)+"/"+string(l.Slug))
	pg.Doc, pg.Source = l.ID, textSum(l.Title, l.Body)
	pg.from(c)
	m := site.Meta{ID: c.ID, Source: l.Source, Title: l.Title, Excerpt: cmp.Or(l.Excerpt, c.Excerpt), Lang: cmp.Or(l.Lang, c.Lang), Tags: c.Tags,
		Published: c.Published, Modified: c.Modified, Aliases: l.Aliases}
	m.SEO.NoIndex = c.SEO.NoIndex
	doc, err := p.cfg.Bodies.Body(ctx, BodyOf{l.Body, l.Title, l.Source, p.langOf(&m)})
	if err != nil {
		return nil, err
	}
	b := lessonBase(c, l)
	v := &Lesson{
		Layout: p.layout, Title: l.Title, Excerpt: standfirst(l.Title, l.Excerpt, doc), Course: Link{c.Title, site.CoursePath(c.Slug).URL()},
		Duration: l.Duration, Minutes: l.Minutes, Modules: p.modules(c, l),
		Body: p.body(ctx, pg, b, doc),
	}
	found := false
	for mi := range c.Modules {
		for li := range c.Modules[mi].Lessons {
			other := &c.Modules[mi].Lessons[li]
			v.Of++
			open := other.Open && !other.Body.IsZero()
			link := &Link{other.Title, site.LessonPath(c.Slug, other.Slug).URL()}
			switch {
			case other == l:
				found, v.Number, v.Module = true, v.Of, c.Modules[mi].Title
			case open && !found:
				v.Previous = link
			case open && v.Next == nil:
				v.Next = link
			}
		}
	}
	v.Lang, v.Dir = p.language(&m)
	v.Crumbs = []Link{{p.layout.Title, "/"}, {p.sectionTitle(pg, "/courses/", "Courses"), "/courses/"},
		{c.Title, v.Course.URL}, {l.Title, pg.Path.URL()}}
	v.Head = p.docHead(pg, b, &m, "article", nil, doc)
	v.Head.Title = l.Title + " — " + c.Title + " — " + p.layout.Title
	v.Head.NavURL = "/courses/"
	if v.Previous != nil {
		v.Head.Prev = v.Previous.URL
	}
	if v.Next != nil {
		v.Head.Next = v.Next.URL
	}
	v.Head.JSONLD = graph(ldObject("LearningResource").str("name", l.Title).str("url", v.Head.Canonical).
		str("description", v.Head.Description).str("inLanguage", v.Lang).
		raw("isPartOf", ldObject("Course").str("name", c.Title).str("url", p.layout.absolute(v.Course.URL))),
		p.crumbsLD(v.Crumbs))
	return p.seal(pg, v), nil
}
