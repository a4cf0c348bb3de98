package plan

import (
	"context"
	"slices"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// neighbours adds the posts that show a post as their neighbour or as related.
func (t *touch) neighbours(c postChange) {
	if !c.card {
		return
	}
	near := func(s *site.Snapshot, post *site.Post) {
		if post == nil {
			return
		}
		around := func(o site.Order[*site.Post], n int) {
			for _, other := range append(o.Before(post, n), o.After(post, n)...) {
				t.at(site.PostPath(other.Slug))
			}
		}
		around(s.Posts(), 1)
		for slug := range site.TermsOf(post.Tags) {
			if term := s.Topic(slug); term != nil {
				around(term.Posts, relatedReach)
			}
		}
	}
	near(t.old.snap, c.old)
	near(t.p.snap, c.new)
}

// translations adds the documents that name a document as their translation. The front page shows only one of them, and it
// may be another one now.
func (t *touch) translations(c site.Change) {
	for _, side := range []struct {
		snap *site.Snapshot
		doc  site.Document
	}{{t.old.snap, c.Old}, {t.p.snap, c.New}} {
		if m := site.MetaOf(side.doc); m != nil {
			for _, d := range side.snap.Translations(m.Group) {
				t.at(site.PathOf(d))
			}
		}
	}
}

func groupOf(p *site.Post) digest.Sum {
	if p == nil {
		return 0
	}
	return p.Group
}

func slugsOf(tags []string) []site.Slug {
	var out []site.Slug
	for slug := range site.TermsOf(tags) {
		out = append(out, slug)
	}
	return out
}

func authorSlugs(post *site.Post) []site.Slug {
	var out []site.Slug
	for slug := range site.AuthorTerms(post) {
		out = append(out, slug)
	}
	return out
}

// termSlugs returns the terms of all changed posts, before and after the changes.
func (t *touch) termSlugs(posts []postChange, of func(*site.Post) []site.Slug) []site.Slug {
	var out []site.Slug
	for _, c := range posts {
		if c.old != nil {
			out = append(out, of(c.old)...)
		}
		if c.new != nil {
			out = append(out, of(c.new)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// postLists plans the lists and feeds that show changed posts.
func (t *touch) postLists(posts []postChange) {
	if len(posts) == 0 {
		return
	}
	p, old := t.p, t.old
	t.cause, t.of = "posts changed", ""
	if len(posts) == 1 {
		c := site.Change{Old: docOrNil(posts[0].old), New: docOrNil(posts[0].new)}
		t.cause, t.of = causeOf(c), docOf(c).DocID()
	}
	was, is := old.snap.Posts(), p.snap.Posts()
	t.list(old.blogPager(was), p.blogPager(is), posts, p.blog)
	_, wasDepth := newestGroups(old.snap, old.layout.Lang)
	_, isDepth := newestGroups(p.snap, p.layout.Lang)
	for _, c := range posts {
		if c.card && (amongNewest(was, c.old, wasDepth) || amongNewest(is, c.new, isDepth) || groupOf(c.old) != 0 || groupOf(c.new) != 0) {
			t.add("/", p.home)
		}
		if amongNewest(was, c.old, feedPosts) || amongNewest(is, c.new, feedPosts) {
			t.feeds()
		}
		if c.card && (amongNewest(was, c.old, llmsPosts) || amongNewest(is, c.new, llmsPosts)) {
			t.at("/llms.txt")
		}
	}
	terms := func(of func(*site.Post) []site.Slug, before, after func(site.Slug) *site.Term, root func(site.Slug) site.Path,
		list func(context.Context, *site.Term, int) (*Page, error), feed bool) {
		for _, slug := range t.termSlugs(posts, of) {
			has := func(post *site.Post) *site.Post {
				if post != nil && slices.Contains(of(post), slug) {
					return post
				}
				return nil
			}
			var here []postChange
			for _, c := range posts {
				if n := (postChange{has(c.old), has(c.new), c.card, c.listed}); n.old != nil || n.new != nil {
					here = append(here, n)
				}
			}
			g := pager{root(slug), p.cfg.PerPage, site.Order[*site.Post]{}}
			gOld, gNew := g, g
			wasTerm, isTerm := before(slug), after(slug)
			if wasTerm != nil {
				gOld.posts = wasTerm.Posts
			}
			if isTerm != nil {
				gNew.posts = isTerm.Posts
			}
			plan := func(ctx context.Context, n int) (*Page, error) { return list(ctx, isTerm, n) }
			if wasTerm != nil && isTerm != nil && wasTerm.Name != isTerm.Name {
				t.pages(gNew, plan)
				if feed {
					t.topicFeed(slug)
				}
			}
			t.list(gOld, gNew, here, plan)
			for _, c := range here {
				if feed && c.listed && (amongNewest(gOld.posts, c.old, feedPosts) || amongNewest(gNew.posts, c.new, feedPosts)) {
					t.topicFeed(slug)
				}
			}
		}
	}
	terms(func(post *site.Post) []site.Slug { return slugsOf(post.Tags) }, old.snap.Topic, p.snap.Topic, site.TopicPath, p.topic, true)
	terms(authorSlugs, old.snap.Author, p.snap.Author, site.AuthorPath, p.author, false)
}

func docOrNil(p *site.Post) site.Document {
	if p == nil {
		return nil
	}
	return p
}

func amongNewest(posts site.Order[*site.Post], post *site.Post, n int) bool {
	if post == nil || posts.Len() == 0 {
		return false
	}
	return posts.Rank(post) >= posts.Len()-n
}

// list plans the pages of a list that changes to its posts touch: of a post that stays in its place the page that
// shows it, of one that comes, goes or moves its page and all newer ones.
func (t *touch) list(was, is pager, posts []postChange, list func(context.Context, int) (*Page, error)) {
	from := -1 // first rank whose post changed
	for _, c := range posts {
		switch {
		case c.old != nil && c.new != nil && c.old.Published.Equal(c.new.Published) && c.old.Slug == c.new.Slug:
			if c.card {
				t.listPage(is, is.of(is.posts.Rank(c.new)), list)
			}
		default:
			for _, side := range []struct {
				g    pager
				post *site.Post
			}{{was, c.old}, {is, c.new}} {
				if side.post != nil {
					if r := side.g.posts.Rank(side.post); from < 0 || r < from {
						from = r
					}
				}
			}
		}
	}
	if from < 0 {
		return
	}
	t.listPage(is, 0, list)
	last := max(was.numbered(), is.numbered())
	first := from/is.perPage + 1
	if was.numbered() != is.numbered() {
		first = min(first, max(min(was.numbered(), is.numbered()), 1)) // its link to a newer page changed
	}
	for n := first; n <= last; n++ {
		t.listPage(is, n, list)
	}
}

// urls plans the parts of the sitemap and the search index that hold the document's addresses, and reports whether
// their table must be looked at.
func (t *touch) urls(c site.Change) bool {
	var items []site.URLItem
	if c.Old != nil {
		items = append(items, site.URLsOf(c.Old)...)
	}
	if c.New != nil {
		items = append(items, site.URLsOf(c.New)...)
	}
	return t.keys(items) || (!t.p.indexed() && len(items) > 0)
}

func (t *touch) keys(items []site.URLItem) (table bool) {
	was, is := t.old.snap.URLs(), t.p.snap.URLs()
	for _, u := range items {
		before, after := leaf(was, u.Key), leaf(is, u.Key)
		if before == after {
			t.leaf(after)
			table = table || (before.len(was) == 0) != (after.len(is) == 0) || !t.p.indexed()
			continue
		}
		table = true
		wider := before
		if after.bits < before.bits {
			wider = after
		}
		for _, b := range append(leaves(was, wider), leaves(is, wider)...) {
			t.leaf(b)
		}
		t.leaf(wider)
	}
	return table
}
