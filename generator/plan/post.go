package plan

import (
	"cmp"
	"context"
	"slices"

	"freshet/internal/digest"
	"freshet/internal/site"
)

const (
	relatedTags  = 5 // of a post's tags are searched for related posts
	relatedReach = 4 // neighbours on either side in each of these tags are looked at
	relatedMax   = 3 // are shown
)

// identity returns a digest of a document's content, whatever its name is. When a document disappears, the digest finds the page
// that its content moved to.
func identity(m *site.Meta) digest.Sum { return textSum(m.Title, m.Body) }

func textSum(title string, body site.BodyRef) digest.Sum {
	if body.IsZero() {
		return 0
	}
	h := digest.New()
	h.String(title)
	h.Uint64(uint64(body.Hash))
	return h.Sum()
}

// A Text is the text of a document or a lesson, with the address of its page.
type Text struct {
	ID   site.ID // of the document or lesson
	Path site.Path
	Doc  site.Document // the course of a lesson
	Sum  digest.Sum    // of title and body, the Source of the page's entry; 0: there is no body
	Body BodyOf
}

// Texts lists the texts of a document that has pages of its own.
func (p *Planner) Texts(d site.Document) []Text {
	m := site.MetaOf(d)
	path := site.PathOf(d)
	if m == nil || path == "" {
		return nil
	}
	out := []Text{{d.DocID(), path, d, identity(m), BodyOf{m.Body, m.Title, m.Source, p.langOf(m)}}}
	if c, ok := d.(*site.Course); ok {
		for l := range c.OpenLessons() {
			out = append(out, Text{l.ID, site.LessonPath(c.Slug, l.Slug), d, textSum(l.Title, l.Body), BodyOf{l.Body, l.Title, l.Source, p.langOf(m)}})
		}
	}
	return out
}

func (p *Planner) post(ctx context.Context, post *site.Post) (*Page, error) {
	pg := p.page(site.PostPath(post.Slug), site.KindPage, "post.html", "blog:"+string(post.Slug))
	for slug := range site.TermsOf(post.Tags) {
		pg.Keys = append(pg.Keys, "tag:"+string(slug))
	}
	pg.Doc, pg.Source = post.ID, identity(&post.Meta)
	pg.from(post)
	b := baseOf(post)
	doc, err := p.bodyOf(ctx, &post.Meta)
	if err != nil {
		return nil, err
	}
	v := &Post{
		Layout: p.layout, Title: post.Title, Excerpt: standfirst(post.Title, post.Excerpt, doc), Published: post.Published,
		Authors: authorLinks(post, site.MaxAuthors), Tags: topicLinks(post.Tags, site.MaxTags), Minutes: post.Minutes,
		Cover: p.pictureOf(pg, b, "cover", "coverImage", post.Cover), Body: p.body(ctx, pg, b, doc),
	}
	for _, a := range post.Authors {
		var img Image
		if i := p.pictureOf(pg, b, "author's picture", "author", site.Picture{Src: a.Image}); i != nil {
			img = *i
		}
		v.AuthorImages = append(v.AuthorImages, img)
	}
	if m := post.LastModified(); m.Sub(post.Published) > 0 && m.Format("20060102") != post.Published.Format("20060102") {
		v.Modified = m
	}
	v.Lang, v.Dir = p.language(&post.Meta)
	posts := p.snap.Posts()
	for _, n := range posts.After(post, 1) {
		v.Newer = &Link{n.Title, site.PostPath(n.Slug).URL()}
		pg.from(n)
	}
	for _, n := range posts.Before(post, 1) {
		v.Older = &Link{n.Title, site.PostPath(n.Slug).URL()}
		pg.from(n)
	}
	for _, r := range p.related(post) {
		v.Related = append(v.Related, p.card(pg, r))
	}
	v.Crumbs = []Link{{p.layout.Title, "/"}, {p.sectionTitle(pg, "/blog/", "Blog"), "/blog/"}, {post.Title, pg.Path.URL()}}
	v.Head = p.docHead(pg, b, &post.Meta, "article", v.Cover, doc)
	for _, a := range v.Authors {
		v.Head.Authors = append(v.Head.Authors, a.Text)
	}
	v.Head.NavURL = "/blog/"
	if v.Newer != nil {
		v.Head.Prev = v.Newer.URL
	}
	if v.Older != nil {
		v.Head.Next = v.Older.URL
	}
	words := 0
	if doc != nil {
		words = doc.Words
	}
	v.Head.JSONLD = p.postLD(post, v, words)
	return p.seal(pg, v), nil
}

// related returns the posts nearest in subject. It examines only the neighbours by date in each of the post's first tags, so that
// a change touches few pages. It orders them by the number of shared tags, then by distance, then by slug.
func (p *Planner) related(post *site.Post) []*site.Post {
	type candidate struct {
		post             *site.Post
		shared, distance int
	}
	var all []candidate
	n := 0
	for slug := range site.TermsOf(post.Tags) {
		if n++; n > relatedTags {
			break
		}
		t := p.snap.Topic(slug)
		if t == nil {
			continue
		}
		for _, side := range [][]*site.Post{t.Posts.Before(post, relatedReach), t.Posts.After(post, relatedReach)} {
			for i, other := range side {
				k := slices.IndexFunc(all, func(c candidate) bool { return c.post == other })
				if k < 0 {
					all = append(all, candidate{other, 1, i})
					continue
				}
				all[k].shared++
				all[k].distance = min(all[k].distance, i)
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.shared, b.shared), cmp.Compare(a.distance, b.distance), cmp.Compare(a.post.Slug, b.post.Slug))
	})
	var out []*site.Post
	for _, c := range all[:min(len(all), relatedMax)] {
		out = append(out, c.post)
	}
	return out
}
