package generator

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"freshet/generator/markup"
	"freshet/generator/plan"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// Content that leaves one address and is at another one has moved. The old address then redirects, and the move does
// not count as a loss. A move often arrives as two changes: git writes the new file and then deletes the old one, and
// the watcher gives a deleted file a second to return. Therefore a text that left is compared with all texts of the
// site, and with texts that appeared or left shortly before.
const (
	movingFor = 10 * time.Minute // edited content is recognized as moved within this time
	alike     = 0.5              // lowest similarity of moved content: see similar
	maxMoving = 2000             // largest number of texts on either side that are compared sentence by sentence
	maxRecent = 10_000           // largest number of remembered addresses
)

// A shift is the difference between the current texts of the site and those of the newest generation.
type shift struct {
	was, is map[site.Path]*plan.Text  // texts before and now, for every address that differs; nil: none
	docs    map[site.ID]site.Document // changed documents before the change; nil: absent
}

func (s *shift) reset() { *s = shift{} }

// add adds changes to the shift.
func (s *shift) add(p *plan.Planner, changes []site.Change) {
	if s.was == nil {
		s.was, s.is, s.docs = map[site.Path]*plan.Text{}, map[site.Path]*plan.Text{}, map[site.ID]site.Document{}
	}
	note := func(d site.Document, old bool) {
		if d == nil {
			return
		}
		was := d
		if !old {
			was = nil
		}
		if _, known := s.docs[d.DocID()]; !known {
			s.docs[d.DocID()] = was
		}
		for _, t := range p.Texts(d) {
			before, now := &t, (*plan.Text)(nil)
			if !old {
				before, now = nil, &t
			}
			if _, known := s.was[t.Path]; !known {
				s.was[t.Path] = before
			}
			s.is[t.Path] = now
		}
	}
	for _, c := range changes {
		note(c.Old, true)
	}
	for _, c := range changes {
		note(c.New, false)
	}
}

// went lists the texts whose address has no text any more.
func (s *shift) went() (out []*plan.Text) {
	for _, p := range slices.Sorted(maps.Keys(s.was)) {
		if s.was[p] != nil && s.is[p] == nil {
			out = append(out, s.was[p])
		}
	}
	return out
}

// came lists the texts at an address that had no text, or another document's text.
func (s *shift) came() (out []*plan.Text) {
	for _, p := range slices.Sorted(maps.Keys(s.is)) {
		if now := s.is[p]; now != nil && (s.was[p] == nil || s.was[p].ID != now.ID) {
			out = append(out, now)
		}
	}
	return out
}

// A recent is a text that appeared or left recently.
type recent struct {
	text plan.Text
	at   time.Time
}

// rememberMoves stores which texts the committed generation added and removed, and forgets old ones.
func (g *Generator) rememberMoves(now time.Time) {
	old := func(_ site.Path, r recent) bool { return now.Sub(r.at).Abs() > movingFor }
	maps.DeleteFunc(g.arrived, old)
	maps.DeleteFunc(g.departed, old)
	if !g.known { // the first build: every text is new
		return
	}
	for _, t := range g.shift.came() {
		delete(g.departed, t.Path)
		if len(g.arrived) < maxRecent {
			g.arrived[t.Path] = recent{*t, now}
		}
	}
	for _, t := range g.shift.went() {
		delete(g.arrived, t.Path)
		if g.moves[t.Path] == "" && len(g.departed) < maxRecent {
			g.departed[t.Path] = recent{*t, now}
		}
	}
}

// follow finds the new addresses of texts that left. A new address may have appeared in this build or shortly before,
// or may have existed for long. follow also looks for texts that left shortly before.
func (g *Generator) follow(ctx context.Context, p *plan.Planner, left []*plan.Text, now time.Time) map[site.Path]site.Path {
	came := g.shift.came()
	var late []*plan.Text
	if len(came) > 0 {
		for _, at := range slices.Sorted(maps.Keys(g.departed)) {
			if r := g.departed[at]; now.Sub(r.at).Abs() <= movingFor && g.shift.is[at] == nil {
				late = append(late, &r.text)
			}
		}
	}
	to := came
	for _, at := range slices.Sorted(maps.Keys(g.arrived)) {
		r := g.arrived[at]
		if _, changed := g.shift.was[at]; changed || now.Sub(r.at).Abs() > movingFor || g.snap.Visible(r.text.Doc.DocID()) == nil {
			continue
		}
		for _, t := range p.Texts(g.snap.Doc(r.text.Doc.DocID())) {
			if t.Path == at {
				to = append(to, &t)
			}
		}
	}
	m := matcher{moves: map[site.Path]site.Path{}, taken: map[site.Path]bool{}}
	left = slices.Concat(left, late)
	m.equal(left, to, func(t *plan.Text) digest.Sum { return digest.String(string(t.ID)) })
	m.equal(left, to, func(t *plan.Text) digest.Sum { return t.Sum })
	m.equal(left, to, func(t *plan.Text) digest.Sum { return t.Body.Ref.Hash })
	g.similar(ctx, &m, left, to)
	g.elsewhere(p, &m, left)
	return m.moves
}

// A matcher pairs texts that left with texts that came.
type matcher struct {
	moves map[site.Path]site.Path
	taken map[site.Path]bool // addresses that are already paired
}

func (m *matcher) pair(from, to site.Path) { m.moves[from], m.taken[to] = to, true }

// open returns the texts without a partner.
func (m *matcher) open(left []*plan.Text) []*plan.Text {
	return slices.DeleteFunc(slices.Clone(left), func(t *plan.Text) bool { return m.moves[t.Path] != "" })
}

func (m *matcher) free(to []*plan.Text) []*plan.Text {
	return slices.DeleteFunc(slices.Clone(to), func(t *plan.Text) bool { return m.taken[t.Path] })
}

// equal pairs texts with equal keys. If several texts have the same key, it first pairs those whose addresses have the
// same last element.
func (m *matcher) equal(left, to []*plan.Text, key func(*plan.Text) digest.Sum) {
	by := map[digest.Sum][]*plan.Text{}
	for _, t := range m.free(to) {
		if k := key(t); k != 0 {
			by[k] = append(by[k], t)
		}
	}
	take := func(t *plan.Text, ok func(site.Path) bool) {
		for _, c := range by[key(t)] {
			if !m.taken[c.Path] && c.Path != t.Path && m.moves[t.Path] == "" && ok(c.Path) {
				m.pair(t.Path, c.Path)
			}
		}
	}
	for _, t := range left {
		take(t, func(p site.Path) bool { return path.Base(string(p)) == path.Base(string(t.Path)) })
	}
	for _, t := range left {
		take(t, func(site.Path) bool { return true })
	}
}

// elsewhere finds texts that the site also has at another address, however old.
func (g *Generator) elsewhere(p *plan.Planner, m *matcher, left []*plan.Text) {
	wanted := map[digest.Sum]site.Path{} // hashes of the bodies, so that few documents must be compared
	for _, t := range m.open(left) {
		if t.Sum != 0 {
			wanted[t.Body.Ref.Hash] = ""
		}
	}
	if len(wanted) == 0 {
		return
	}
	has := map[digest.Sum]site.Path{}
	look := func(d site.Document) {
		for _, t := range p.Texts(d) {
			if at := has[t.Sum]; t.Sum != 0 && (at == "" || t.Path < at) {
				has[t.Sum] = t.Path
			}
		}
	}
	wants := func(ref site.BodyRef) bool { _, is := wanted[ref.Hash]; return is }
	for d := range g.snap.Posts().All() {
		if wants(d.Body) {
			look(d)
		}
	}
	for d := range g.snap.Pages().All() {
		if wants(d.Body) {
			look(d)
		}
	}
	for d := range g.snap.Courses().All() {
		found := wants(d.Body)
		for l := range d.OpenLessons() {
			found = found || wants(l.Body)
		}
		if found {
			look(d)
		}
	}
	for _, t := range m.open(left) {
		if to := has[t.Sum]; t.Sum != 0 && to != "" && to != t.Path {
			m.moves[t.Path] = to
		}
	}
}

// similar pairs texts that have enough in common, most similar first.
func (g *Generator) similar(ctx context.Context, m *matcher, left, to []*plan.Text) {
	left, to = m.open(left), m.free(to)
	if len(left) == 0 || len(to) == 0 || len(left) > maxMoving || len(to) > maxMoving {
		return
	}
	bodies := &bodies{g.cfg.Source, g.cfg.Markup}
	var olds []saying
	for _, t := range left {
		if doc := bodies.cached(t.Body); doc != nil {
			olds = append(olds, sayingOf(t, doc))
		}
	}
	if len(olds) == 0 {
		return
	}
	where := map[digest.Sum][]int{} // sentence → texts that came and contain it
	news := make([]saying, len(to))
	for i, t := range to {
		doc, err := bodies.Body(ctx, t.Body)
		if err != nil || doc == nil {
			continue // the page itself reports the error
		}
		news[i] = sayingOf(t, doc)
		for s := range news[i].sentences {
			where[s] = append(where[s], i)
		}
	}
	type couple struct {
		from, to site.Path
		score    float64
	}
	var couples []couple
	for _, o := range olds {
		common := map[int]amount{}
		for s, n := range o.sentences {
			for _, i := range where[s] {
				common[i] = common[i].plus(n.least(news[i].sentences[s]))
			}
		}
		for i, n := range common {
			score := max(share(n.sentences, o.all.sentences+news[i].all.sentences), share(n.words, o.all.words+news[i].all.words))
			if score >= alike && to[i].Path != o.path {
				couples = append(couples, couple{o.path, to[i].Path, score})
			}
		}
	}
	slices.SortFunc(couples, func(a, b couple) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for _, c := range couples {
		if m.moves[c.from] == "" && !m.taken[c.to] {
			m.pair(c.from, c.to)
		}
	}
}

// A saying holds the sentences of a text, including its title. The similarity of two texts is the share of equal
// sentences, or the share of words in equal sentences, whichever is larger.
type saying struct {
	path      site.Path
	sentences map[digest.Sum]amount
	all       amount
}

// An amount counts sentences and words.
type amount struct{ sentences, words int }

func (a amount) plus(b amount) amount { return amount{a.sentences + b.sentences, a.words + b.words} }

func (a amount) least(b amount) amount {
	return amount{min(a.sentences, b.sentences), min(a.words, b.words)}
}

// share returns the common part of two texts, from 0 to 1.
func share(common, both int) float64 { return 2 * float64(common) / float64(both) }

func sayingOf(t *plan.Text, doc *markup.Doc) saying {
	s := saying{path: t.Path, sentences: map[digest.Sum]amount{}}
	note := func(text string) {
		one := amount{1, 1 + strings.Count(text, " ")}
		key := digest.String(text)
		s.sentences[key] = s.sentences[key].plus(one)
		s.all = s.all.plus(one)
	}
	note(t.Body.Title)
	markup.Sentences(doc.HTML, note)
	return s
}
