package mongodb

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"freshet/internal/digest"
	"freshet/internal/fields"
	"freshet/internal/site"
)

// settings is the collection of the documents that say how pages look.
const settings = "pages"

// sectionPaths are what the settings documents say something of, by their slugs: the lists, whose heading and
// introduction they give, and the banner of all pages.
var sectionPaths = map[string]site.Path{"blog": "/blog/", "courses": "/courses/", "notification": site.BannerPath}

// sections reads what the settings documents say. The collection has about ten documents and no index that could be
// relied on, so all of them are looked at; what is not needed of them stays with the server. Older ones hold their
// content one level deeper.
func (r *reading) sections(ctx context.Context) error {
	projection := bson.D{{Key: "slug", Value: 1}}
	for _, name := range []string{"hero", "developmentMode", "enabled", "message", "linkText", "linkHref"} {
		projection = append(projection, bson.E{Key: "content." + name, Value: 1}, bson.E{Key: "content.content." + name, Value: 1})
	}
	for slug := range sectionPaths {
		r.gone[sectionID(slug)] = true
	}
	q := query{db: r.s.db.settings, coll: settings, class: list, projection: projection, batch: batchSize}
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

// section is what a document says of a list, or the banner; nil where it says nothing.
func section(slug string, raw bson.Raw) *site.Page {
	path, ok := sectionPaths[slug]
	if !ok {
		return nil
	}
	lookup := func(names ...string) bson.RawValue {
		v := raw.Lookup(append([]string{"content"}, names...)...)
		if isNull(v) {
			v = raw.Lookup(append([]string{"content", "content"}, names...)...)
		}
		return v
	}
	text := func(names ...string) string {
		s, _ := lookup(names...).StringValueOK()
		return fields.PlainText(s)
	}
	pg := &site.Page{Path: path, Section: true}
	pg.ID = sectionID(slug)
	if path == site.BannerPath {
		if enabled, _ := truth(lookup("enabled")); !enabled {
			return nil
		}
		address, _ := lookup("linkHref").StringValueOK()
		pg.Title, pg.Link = text("message"), site.NewLink(text("linkText"), address)
	} else {
		pg.Title, pg.Excerpt = text("hero", "title"), text("hero", "description")
		pg.Closed, _ = truth(lookup("developmentMode"))
		if strings.EqualFold(pg.Title, slug) {
			pg.Title = "" // what the editor writes when nothing was
		}
	}
	if pg.Title == "" && pg.Excerpt == "" && !pg.Closed {
		return nil
	}
	h := digest.New()
	h.Value(pg)
	pg.Revision = h.Sum()
	return pg
}
