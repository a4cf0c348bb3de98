package mongodb

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// settings is the collection of the documents that say how pages look.
const settings = "pages"

// sectionPaths are the lists whose heading and introduction a settings document gives, by its slug.
var sectionPaths = map[string]site.Path{"blog": "/blog/", "courses": "/courses/"}

// sections reads what the settings documents say of the lists: the title and description of their hero. Older
// documents hold their content one level deeper.
func (r *reading) sections(ctx context.Context) error {
	var slugs bson.A
	for slug := range sectionPaths {
		slugs = append(slugs, slug)
		r.gone[sectionID(slug)] = true
	}
	q := query{db: r.s.db.settings, coll: settings, class: blog, filter: among("slug", slugs), batch: batchSize,
		projection: bson.D{{Key: "slug", Value: 1}, {Key: "content.hero", Value: 1}, {Key: "content.content.hero", Value: 1}}}
	return r.s.db.find(ctx, q, func(raw bson.Raw) error {
		if slug, ok := raw.Lookup("slug").StringValueOK(); ok {
			if pg := section(slug, raw); pg != nil {
				r.note(pg.ID, decoded{doc: pg})
			}
		}
		return nil
	})
}

func sectionID(slug string) site.ID { return site.ID(settings + ":" + slug) }

// section is the text of a list, or nil where the document says nothing of it.
func section(slug string, raw bson.Raw) *site.Page {
	path, ok := sectionPaths[slug]
	if !ok {
		return nil
	}
	text := func(field string) string {
		for _, at := range [][]string{{"content", "hero", field}, {"content", "content", "hero", field}} {
			if s, ok := raw.Lookup(at...).StringValueOK(); ok {
				if s = site.PlainText(site.HTML, s); s != "" {
					return s
				}
			}
		}
		return ""
	}
	pg := &site.Page{Path: path, Section: true}
	pg.ID, pg.Title, pg.Excerpt = sectionID(slug), text("title"), text("description")
	if strings.EqualFold(pg.Title, slug) {
		pg.Title = "" // what the editor writes when nothing was
	}
	if pg.Title == "" && pg.Excerpt == "" {
		return nil
	}
	h := digest.New()
	h.Value(pg)
	pg.Revision = h.Sum()
	return pg
}
