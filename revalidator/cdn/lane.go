package cdn

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

const (
	// samplePages is the number of pages read back after a large purge. If reading back is limited, it is fewer, but at
	// least leastPages.
	samplePages = 20
	leastPages  = 3
	// looks is how often a page that is still old is read back before it is purged again, because a purge takes a
	// moment to reach the whole CDN. The first look comes after firstLook, each further one after four times as long.
	looks     = 3
	firstLook = 200 * time.Millisecond

	// together is how long reading back waits for further requests of a large purge, so that one sample covers all.
	together = 2 * time.Second

	retryMin = time.Second
	retryMax = 5 * time.Minute
)

// backoff returns the pause after the nth consecutive failure, with 20 % jitter.
func backoff(n int) time.Duration {
	d := retryMin << min(max(n-1, 0), 9)
	d = min(d, retryMax)
	return d - d/5 + rand.N(2*d/5)
}

// An item is a page, or everything, that must be purged.
type item struct {
	pending
	state  state
	due    time.Time // when to send it or to read it back
	tries  int       // purges after which the page was still old
	looked int       // reads since it was sent
	blind  int       // consecutive reads without a result
	alone  bool      // sent in a request of its own, because a request with several pages was refused
	alarm  bool
}

type state uint8

const (
	waiting state = iota
	flying        // in a request that is being sent
	sent          // waits to be read back
)

func (i *item) since() time.Time { return time.UnixMilli(i.At) }

// A lane purges one CDN. One goroutine sends, another reads back.
type lane struct {
	cdn    CDN
	p      *Purger
	log    *slog.Logger
	client *http.Client // for the CDN's API
	reader *http.Client // for pages
	send   chan struct{}
	look   chan struct{}

	mu       sync.Mutex // protects the following fields
	items    map[site.Path]*item
	pause    time.Time // nothing is sent before this time
	failures int       // consecutive failed requests
	last     *refusal  // why the CDN lacks pages; nil: it has all
	alarmed  bool      // the log has reported the alarm
	began    time.Time // start of Run; nothing is late before began + AlarmAfter
	buckets  [3]*bucket
	stats    CDNStats
}

func newLane(p *Purger, c CDN, a *account) *lane {
	l := &lane{
		cdn: c, p: p, log: p.log.With("cdn", c.name),
		client: &http.Client{Transport: p.cfg.Transport, CheckRedirect: stay},
		reader: c.readClient(p.cfg.Transport),
		send:   make(chan struct{}, 1), look: make(chan struct{}, 1),
		items: map[site.Path]*item{},
		stats: CDNStats{Name: c.name, Trusted: a != nil && a.Verified},
	}
	l.buckets[byKey] = newBucket(c.keys.rate, c.keys.burst)
	l.buckets[byURL] = newBucket(c.urls.rate, c.urls.burst)
	l.buckets[byAll] = l.buckets[byKey]
	if c.keys.batch == 0 {
		l.buckets[byAll] = l.buckets[byURL]
	}
	if a != nil {
		for path, p := range a.Pending {
			p.Path = path
			l.items[path] = &item{pending: p}
		}
	}
	return l
}

// weight counts the keys and URLs that name the pages. Pages with the same key count once.
func (c *CDN) weight(pages []Page) int {
	if c.byURLs {
		return len(pages)
	}
	n, keys := 0, map[string]struct{}{}
	for i := range pages {
		if pages[i].Key == "" {
			n++
		} else {
			keys[pages[i].Key] = struct{}{}
		}
	}
	return n + len(keys)
}

// mostPages limits the pages that are remembered one by one for a CDN, whatever their weight.
const mostPages = 20_000

// tooMany reports whether purging everything is better than naming these pages as well.
func (c *CDN) tooMany(a *account, pages []Page) bool {
	if !c.all {
		return false
	}
	if c.keys.batch > 0 && c.urls.batch == 0 && slices.ContainsFunc(pages, func(p Page) bool { return p.Key == "" }) {
		return true // without a key such pages cannot be named
	}
	all := slices.Clone(pages)
	for path, p := range a.Pending {
		if path != everything {
			all = append(all, p.Page)
		}
	}
	return len(all) > mostPages || c.most > 0 && c.weight(all) > c.most
}

// add queues a purge that is already in the outbox.
func (l *lane) add(r *purgeRecord, now time.Time, settle time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	put := func(p pending) {
		old := l.items[p.Path]
		due := now.Add(settle)
		if old != nil {
			p.At = min(p.At, old.At)
			// Continuous edits must not postpone a page for ever.
			due = earliest(due, old.since().Add(4*settle))
		}
		it := &item{pending: p, due: due}
		if old != nil {
			it.alarm = old.alarm
		}
		l.items[p.Path] = it
	}
	if slices.Contains(r.All, l.cdn.name) {
		p := pending{Generation: r.Generation, Seq: r.Seq, At: r.At, Sample: r.Sample}
		alarm := false
		for _, old := range l.items {
			p.At = min(p.At, old.At)
			alarm = alarm || old.alarm
		}
		clear(l.items)
		put(p)
		l.items[everything].alarm = alarm
		l.stats.Everything++
	} else if all := l.items[everything]; all != nil && all.state == waiting && len(r.Pages) > 0 {
		// The waiting purge of everything includes these pages.
		all.Generation, all.Seq = r.Generation, r.Seq
		all.Sample = spread(merge(r.Pages, all.Sample), samplePages)
		all.due = earliest(now.Add(settle), all.since().Add(4*settle))
	} else {
		for _, page := range r.Pages {
			put(pending{Page: page, Generation: r.Generation, Seq: r.Seq, At: r.At})
		}
	}
	nudge(l.send)
}

// merge returns newer, and the pages of older that are not in newer.
func merge(newer, older []Page) []Page {
	out := slices.Clone(newer)
	for _, p := range older {
		if !slices.ContainsFunc(newer, func(n Page) bool { return n.Path == p.Path }) {
			out = append(out, p)
		}
	}
	return out
}

// spread picks n elements at even distances, including the first.
func spread[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// never is a wait without a deadline: a nudge ends it.
const never = time.Hour

// await waits for a nudge or for d. It reports false if ctx has ended.
func await(ctx context.Context, c chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// runSend sends until ctx ends.
func (l *lane) runSend(ctx context.Context) {
	for {
		o, items, wait := l.next(time.Now())
		if o == nil {
			if !await(ctx, l.send, wait) {
				return
			}
			continue
		}
		err := l.cdn.send(ctx, l.client, o)
		if ctx.Err() != nil {
			return // the outbox holds the purge, and the next start sends it again
		}
		l.settle(items, err, time.Now())
	}
}

// next returns the next request, or how long to wait for one.
func (l *lane) next(now time.Time) (*order, []*item, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.late(now)
	if d := l.pause.Sub(now); d > 0 {
		return nil, nil, min(wait, d)
	}
	var due []*item
	for _, it := range l.items {
		if it.state != waiting {
			continue
		}
		if d := it.due.Sub(now); d > 0 {
			wait = min(wait, d)
		} else {
			due = append(due, it)
		}
	}
	if len(due) == 0 {
		return nil, nil, wait
	}
	slices.SortFunc(due, func(a, b *item) int {
		switch {
		case (a.Path == everything) != (b.Path == everything):
			if a.Path == everything {
				return -1
			}
			return 1
		case a.Seq != b.Seq:
			if a.Seq < b.Seq {
				return -1
			}
			return 1
		case a.Path < b.Path:
			return -1
		}
		return 1
	})
	o, items := l.order(due)
	lim := l.cdn.keys
	if o.form == byURL {
		lim = l.cdn.urls
	}
	n := 1
	if o.form != byAll {
		n = max(len(o.keys), len(o.paths))
	}
	if d := l.buckets[o.form].take(now, lim.cost(n)); d > 0 {
		return nil, nil, min(wait, d)
	}
	for _, it := range items {
		it.state = flying
	}
	l.stats.Requests++
	return o, items, 0
}

// order builds a request from the due items: the first one, and all that fit into the same request.
func (l *lane) order(due []*item) (*order, []*item) {
	first := due[0]
	if first.Path == everything {
		return &order{form: byAll}, due[:1]
	}
	o := &order{form: l.form(first)}
	lim := l.cdn.keys
	if o.form == byURL {
		lim = l.cdn.urls
	}
	var items []*item
	size := 0
	if o.form == byKey && !first.alone && lim.batch > 1 {
		// Pages with too many keys for one header carry this key instead.
		o.keys = append(o.keys, web.OverflowTag)
	}
	named := map[string]bool{}
	for _, it := range due {
		if l.form(it) != o.form || it.alone != first.alone {
			continue
		}
		name := web.EncodeTag(it.Key)
		if o.form == byURL {
			name = it.Path.URL()
		}
		if !named[name] {
			n := max(len(o.keys), len(o.paths))
			if len(items) > 0 && (n >= lim.batch || lim.bytes > 0 && size+len(name) > lim.bytes || first.alone) {
				if o.form == byURL {
					break
				}
				continue // later items with a key of this request still join it
			}
			named[name] = true
			size += len(name) + 1
			if o.form == byURL {
				o.paths = append(o.paths, it.Path)
			} else {
				o.keys = append(o.keys, name)
			}
		}
		items = append(items, it)
	}
	return o, items
}

// form decides how to purge a page. After a purge by key without effect the next try is by URL, and so on in turn,
// because an old copy may lack the key.
func (l *lane) form(it *item) form {
	switch {
	case l.cdn.urls.batch == 0:
		return byKey
	case l.cdn.byURLs || it.Key == "" || l.cdn.keys.batch == 0 || it.tries%2 == 1:
		return byURL
	}
	return byKey
}

// settle records the result of a request.
func (l *lane) settle(items []*item, err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer nudge(l.look)
	items = slices.DeleteFunc(items, func(it *item) bool { return l.items[it.Path] != it }) // a newer purge has replaced some items
	if err == nil {
		if l.failures > 0 {
			l.failures, l.last = 0, nil
		}
		l.stats.Sent += uint64(len(items))
		for _, it := range items {
			it.state, it.looked, it.blind, it.due = sent, 0, 0, now.Add(firstLook)
		}
		return
	}
	r := asRefusal(err)
	l.stats.Refused++
	for _, it := range items {
		it.state = waiting
	}
	if r.trouble == wrong && len(items) > 1 {
		for _, it := range items {
			it.alone = true
		}
		l.log.Warn("the CDN refuses a purge, trying page by page", "error", r.message, "pages", len(items))
		return
	}
	if r.trouble == wrong {
		for _, it := range items {
			it.tries++
			it.due = now.Add(max(backoff(it.tries), r.after))
			l.raise(it, r)
		}
		return
	}
	l.failures++
	l.pause = now.Add(max(backoff(l.failures), r.after))
	l.last = r
	if r.trouble == denied {
		for _, it := range items {
			l.raise(it, r)
		}
	}
	l.log.Debug("the CDN did not take a purge", "error", r.message, "retry_in", l.pause.Sub(now))
	l.late(now)
}

func asRefusal(err error) *refusal {
	if r, ok := err.(*refusal); ok {
		return r
	}
	return &refusal{message: err.Error()}
}

// late raises the alarm for items that are late. It returns the time until the next one may be late.
func (l *lane) late(now time.Time) time.Duration {
	wait := never
	for _, it := range l.items {
		if it.alarm {
			continue
		}
		start := it.since()
		if l.began.After(start) {
			start = l.began
		}
		if d := start.Add(l.p.cfg.AlarmAfter).Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		r := l.last
		switch {
		case r != nil:
		case it.state == sent:
			r = &refusal{message: "too many pages wait to be read back", remedy: "see why so many pages change at a time"}
		default:
			r = &refusal{message: "the purge waits for the CDN's limits", remedy: "set cdn.plan or cdn.rate to what the CDN allows"}
		}
		l.raise(it, r)
	}
	return wait
}

// raise marks an item as alarmed. The log gets one alarm until the CDN has all pages again.
func (l *lane) raise(it *item, r *refusal) {
	l.last = r
	if !it.alarm {
		it.alarm = true
		l.stats.Alarms++
	}
	if l.alarmed {
		return
	}
	l.alarmed = true
	path := it.Path.URL()
	if it.Path == everything {
		path = "everything"
	}
	l.log.Error("the CDN does not have the newest pages", "error", r.message, "page", path, "generation", it.Generation,
		"waiting", len(l.items), "remedy", r.remedy)
}

// runLook reads pages back until ctx ends.
func (l *lane) runLook(ctx context.Context) {
	for {
		group, wait := l.group(time.Now())
		if len(group) == 0 {
			if !await(ctx, l.look, wait) {
				return
			}
			continue
		}
		looks := sampleOf(group, l.p.maySample())
		for i := range looks {
			k := &looks[i]
			if !l.p.mayRead(ctx, k.page.Path) {
				return
			}
			k.verdict, k.why = l.cdn.readBack(ctx, l.reader, k.page, k.item.Generation, l.p.newest)
			if ctx.Err() != nil {
				return
			}
		}
		l.judge(group, looks, time.Now())
	}
}

// A glance is one page to read back, with its result.
type glance struct {
	item    *item
	page    Page
	verdict verdict
	why     *refusal
}

// group returns the items to read back now, or how long to wait.
func (l *lane) group(now time.Time) ([]*item, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var group []*item
	wait := never
	sending := false
	overdue := time.Duration(0)
	for _, it := range l.items {
		d := it.due.Sub(now)
		switch {
		case it.state == flying || it.state == waiting && d <= 0 && !l.pause.After(now):
			sending = true
		case it.state != sent:
		case d > 0:
			wait = min(wait, d)
		default:
			group = append(group, it)
			overdue = max(overdue, -d)
		}
	}
	if sending && len(group) > 0 && overdue < together {
		return nil, together - overdue // wait, so that one sample covers more pages
	}
	slices.SortFunc(group, func(a, b *item) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return group, wait
}

// sampleOf chooses the pages to read back.
func sampleOf(group []*item, most int) []glance {
	var all []glance
	for _, it := range group {
		if it.Path != everything {
			all = append(all, glance{item: it, page: it.Page})
			continue
		}
		for _, p := range it.Sample {
			all = append(all, glance{item: it, page: p})
		}
		if len(it.Sample) == 0 {
			all = append(all, glance{item: it, page: Page{Path: "/"}})
		}
	}
	if len(all) > samplePages {
		all = spread(all, most)
	}
	return all
}

// judge applies the results of reading back to the whole group.
func (l *lane) judge(group []*item, seen []glance, now time.Time) {
	var olds, unknowns *refusal
	worst := map[*item]verdict{}
	for _, g := range seen {
		worst[g.item] = worse(worst[g.item], g.verdict)
		switch {
		case g.verdict == old && olds == nil:
			olds = g.why
		case g.verdict == unknown && unknowns == nil:
			unknowns = g.why
		}
	}
	l.mu.Lock()
	var done []*item
	for _, it := range group {
		if l.items[it.Path] != it {
			continue // a newer purge has replaced it
		}
		v, ok := worst[it]
		switch {
		case ok:
		case olds != nil:
			v = old
		case unknowns != nil:
			v = unknown
		}
		switch v {
		case current:
			done = append(done, it)
			delete(l.items, it.Path)
		case old:
			it.blind = 0
			it.looked++
			if it.looked < looks {
				it.due = now.Add(firstLook << (2 * it.looked))
				break
			}
			it.state = waiting
			it.tries++
			it.due = now.Add(backoff(it.tries))
			l.stats.Repeated++
			l.last = olds
		case unknown:
			it.blind++
			it.due = now.Add(max(backoff(it.blind), unknowns.after))
			if l.last == nil || l.failures == 0 {
				l.last = unknowns
			}
		}
	}
	l.stats.Verified += uint64(len(done))
	l.late(now)
	if len(done) > 0 {
		l.stats.Trusted = true
	}
	over := l.alarmed && !slices.ContainsFunc(mapValues(l.items), func(it *item) bool { return it.alarm })
	if over {
		l.alarmed = false
	}
	if len(l.items) == 0 {
		l.last = nil
	}
	l.mu.Unlock()
	nudge(l.send)
	if over {
		l.log.Info("the CDN has the newest pages again")
	}
	if len(done) > 0 {
		generation, since := uint64(0), now
		for _, it := range done {
			generation, since = max(generation, it.Generation), earliest(since, it.since())
		}
		l.log.Info("purged and verified", "pages", len(done), "read_back", len(seen), "generation", generation, "took", now.Sub(since).Round(time.Millisecond))
	}
	l.note(done)
}

func worse(a, b verdict) verdict {
	if a == old || b == old {
		return old
	}
	return max(a, b)
}

func mapValues(m map[site.Path]*item) []*item {
	out := make([]*item, 0, len(m))
	for _, it := range m {
		out = append(out, it)
	}
	return out
}

// note records verified pages in the outbox. If a line is lost, the purge is repeated.
func (l *lane) note(done []*item) {
	bySeq := map[uint64][]site.Path{}
	for _, it := range done {
		bySeq[it.Seq] = append(bySeq[it.Seq], it.Path)
	}
	for seq, paths := range bySeq {
		if err := l.p.outbox.append(&record{Done: &doneRecord{CDN: l.cdn.name, Seq: seq, Paths: paths}}, false); err != nil {
			l.log.Warn("cannot note in the outbox what was purged; it is purged again at the next start", "error", err)
			return
		}
	}
}

// snapshot returns the numbers for Stats.
func (l *lane) snapshot() CDNStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Pending = len(l.items)
	for _, it := range mapValues(l.items) {
		if s.Oldest.IsZero() || it.since().Before(s.Oldest) {
			s.Oldest = it.since()
		}
		if it.alarm {
			s.Alarmed++
			if len(s.Late) < shownPages || it.Path < s.Late[len(s.Late)-1] {
				s.Late = append(s.Late, it.Path)
				slices.Sort(s.Late)
				s.Late = s.Late[:min(len(s.Late), shownPages)]
			}
		}
	}
	if l.last != nil && len(l.items) > 0 {
		s.Problem, s.Remedy = l.last.message, l.last.remedy
	}
	return s
}
