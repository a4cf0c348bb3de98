package server

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"freshet/internal/encoding"
	"freshet/internal/site"
)

// This file holds what a page answer depends on and consists of as plain values: it knows nothing of net/http.

// A question is what the answer for a page depends on.
type question struct {
	Path    string // of the URL, decoded once
	RawPath string // as it was sent; may be empty when encoding Path gives it back
	Query   string // as it was sent, without "?"

	// Headers; several lines of one are joined by commas.
	AcceptEncoding, IfNoneMatch, IfModifiedSince string

	// Set by look.
	gen   Generation  // nil: there is none
	entry *site.Entry // at Path; nil: nothing is

	target  string   // as it was sent, without the query, where the answer is worth remembering; else empty
	version *version // that is the answer, see recall; nil: it is not known yet
}

// A field is a header of an answer: its canonical name and its values, both shared, so not to be changed.
type field struct {
	Name   string
	Values []string
}

// A block is headers that many answers share, as they are and as they are sent. It is not to be changed.
type block struct {
	fields []field
	sent   []byte
}

func newBlock(fields ...field) *block { return &block{fields, appendFields(nil, fields)} }

// An answer is a whole response but for its date and request id. What it points to is shared and not to be
// changed.
type answer struct {
	Status     int
	Fields     *block  // prepared with the page
	Moving     *block  // what depends on the moment
	Number     *block  // of the generation; nil: it has none
	Extra      []field // made for this request alone
	Body       []byte
	Stream     *site.Entry // not nil: the body is too big for memory, and Opener opens it
	Opener     Opener
	Outcome    string // HIT, STALE or MISS
	Encoding   encoding.Coding
	Generation uint64
	Modified   time.Time // zero: unknown
	Ranges     bool      // a 200 of which parts may be asked for

	// Of an answer that is no page: Fields and Body are empty.
	Message    string
	RetryAfter time.Duration

	Err error // for the log: why there is no page, or an older one
}

// pages answer for built pages.
type pages struct {
	site       Site
	fresh      *freshness
	store      *store
	hot        *hot
	generation atomic.Pointer[numbered]
}

// numbered is the header of the newest generation's number.
type numbered struct {
	n     uint64
	block *block
}

// attempts bounds how often an answer begins again because a plain folder's file changed under it.
const attempts = 4

// look asks the site for its generation, and that for what is at the path: all that answer says is of one generation.
func (p *pages) look(ask *question) {
	if ask.gen = p.site.Current(); ask.gen != nil {
		ask.again()
	}
}

// again asks the generation once more.
func (ask *question) again() {
	ask.entry = nil
	if len(ask.Path) <= maxPathBytes && !hasDots(ask.Path) {
		if e, ok := ask.gen.Lookup(site.Path(ask.Path)); ok {
			ask.entry = e
		}
	}
}

// answer answers ask, once looked for, at now.
func (p *pages) answer(ask *question, now time.Time) answer {
	gen := ask.gen
	if gen == nil {
		return answer{Status: 503, Message: "the site is being built", RetryAfter: 5 * time.Second, Outcome: miss[0]}
	}
	m := p.fresh.at(now)
	if m.expired {
		return answer{
			Status: 503, Message: "the site was not checked against its source for too long", RetryAfter: time.Minute,
			Outcome: miss[0], Generation: gen.Number(),
		}
	}
	if ask.version != nil {
		p.store.metrics.inMemory.Inc()
		a := p.send(gen, m, ask, ask.version)
		a.Generation = gen.Number()
		return a
	}
	if len(ask.Path) > maxPathBytes {
		return answer{Status: 414, Message: "this address is too long", Outcome: miss[0], Generation: gen.Number()}
	}
	if !vetPath(ask.Path, ask.RawPath) {
		return answer{Status: 400, Message: "this address is not well formed", Outcome: miss[0], Generation: gen.Number()}
	}
	var a answer
	for range attempts {
		a = p.find(gen, m, ask, now)
		if !errors.Is(a.Err, site.ErrChanged) {
			break
		}
		ask.again()
	}
	if a.Outcome == "" {
		a.Outcome = miss[0]
	}
	a.Generation = gen.Number()
	return a
}

func (p *pages) find(gen Generation, m *moment, ask *question, now time.Time) answer {
	e := ask.entry
	if e == nil {
		c, ok := canonical(gen, ask.Path)
		switch {
		case !ok:
			return p.notFound(gen, m, ask)
		case c.Status == 200:
			return p.redirect(gen, m, c, 308, c.Path.URL(), ask.Query)
		}
		e = c // what a former address answers, it answers in every spelling
	}
	switch {
	case e.Status == 200 && hiddenPath(e.Path):
		return p.notFound(gen, m, ask)
	case e.Status == 200:
		return p.page(gen, m, ask, e, now)
	case e.Status == 410:
		return p.gone(gen, m, ask, e)
	case e.Status >= 300 && e.Status < 400 && e.Location != "":
		return p.redirect(gen, m, e, e.Status, e.Location, ask.Query)
	}
	return answer{Status: 500, Err: fmt.Errorf("answer %s: an entry of status %d", e.Path, e.Status)}
}

// page answers with a built page, or tells that the client has it.
func (p *pages) page(gen Generation, m *moment, ask *question, e *site.Entry, now time.Time) answer {
	v, err := p.store.page(gen, e, ask.AcceptEncoding, asPage)
	if v == nil {
		return failed(err)
	}
	a := p.send(gen, m, ask, v)
	if err != nil { // v is the last one that could be read
		a.Outcome, a.Err = stale[0], err
		a.Moving = movingUnreadable
	}
	if v.stream && a.Status == 200 {
		a.Stream = e
		a.Opener, _ = gen.(Opener) // or there would be no such version
	}
	if err == nil && ask.target != "" && e == ask.entry && !v.stream {
		p.remember(ask, v, now)
	}
	return a
}

// hiddenPath reports whether a path is that of something that is no page of its own: the 404 page, and what tells other
// hosts how to serve the site.
func hiddenPath(path site.Path) bool {
	return path == notFoundPath || path == "/_redirects" || path == "/_headers"
}

// send answers with a version of a page, or tells that the client has it.
func (p *pages) send(gen Generation, m *moment, ask *question, v *version) answer {
	a := answer{
		Status: 200, Fields: v.full, Number: p.number(gen), Body: v.body, Encoding: v.encoding, Modified: v.entry.Changed, Ranges: true, Outcome: m.cache[0],
	}
	if v.immutable {
		a.Outcome = hit[0]
		a.Moving = movingForever
	} else {
		a.Moving = m.moving[v.jitter]
	}
	if v.unchanged(ask) {
		a.Status, a.Fields, a.Body, a.Ranges = 304, v.brief, nil, false
	}
	return a
}

// What answers say about the moment that does not depend on it.
var (
	movingForever    = newBlock(field{"Cache-Status", value("freshet; hit")}, field{"X-Cache", hit})
	movingUnreadable = newBlock(field{"Cdn-Cache-Control", value("max-age=1")}, field{"Cache-Status", value("freshet; hit; ttl=-1; detail=unreadable")}, field{"X-Cache", stale})
	movingUnknown    = newBlock(field{"Cache-Status", value("freshet; detail=unknown-path")}, field{"X-Cache", miss})
)

func (p *pages) number(gen Generation) *block {
	n := gen.Number()
	if n == 0 {
		return nil
	}
	v := p.generation.Load()
	if v == nil || v.n != n {
		v = &numbered{n, newBlock(field{"X-Freshet-Generation", value(strconv.FormatUint(n, 10))})}
		p.generation.Store(v)
	}
	return v.block
}

// notFound answers with the built 404 page. It is never cached: the path may have a page in the next generation.
func (p *pages) notFound(gen Generation, m *moment, ask *question) answer {
	a := answer{Status: 404, Message: "there is no such page", Outcome: miss[0]}
	if strings.HasPrefix(ask.Path, "/api/") {
		return a
	}
	if e, ok := gen.Lookup(notFoundPath); ok && e.Status == 200 {
		if v, err := p.store.page(gen, e, ask.AcceptEncoding, asNotFound); v != nil && !v.stream {
			a.Err = err
			a.Fields, a.Body, a.Encoding = v.full, v.body, v.encoding
			a.Moving, a.Number = movingUnknown, p.number(gen)
		}
	}
	return a
}

// gone answers for a page that was here, with the look of the 404 page. It is cacheable like a page.
func (p *pages) gone(gen Generation, m *moment, ask *question, e *site.Entry) answer {
	a := answer{Status: 410, Message: "this page is gone", Outcome: m.cache[0]}
	if nf, ok := gen.Lookup(notFoundPath); ok && nf.Status == 200 {
		if v, err := p.store.page(gen, nf, ask.AcceptEncoding, asGone); v != nil && !v.stream {
			a.Err = err
			a.Fields, a.Body, a.Encoding = v.full, v.body, v.encoding
			a.Moving, a.Number = m.moving[jitter(e.Path)], p.number(gen)
			a.Extra = tagFields(e)
		}
	}
	return a
}

// redirect answers with another address. It is cacheable like a page.
func (p *pages) redirect(gen Generation, m *moment, e *site.Entry, status int, target, query string) answer {
	a := answer{Status: status, Fields: redirectFields, Outcome: m.cache[0], Moving: m.moving[jitter(e.Path)], Number: p.number(gen)}
	a.Extra = append(tagFields(e), field{"Location", value(location(target, query))})
	return a
}

var redirectFields = newBlock(field{"Content-Length", value("0")}, field{"Cache-Control", revalidated}, field{"X-Content-Type-Options", nosniff})

func failed(err error) answer {
	if errors.Is(err, errNotAcceptable) {
		return answer{Status: 406, Message: "this page has no encoding that the client accepts"}
	}
	return answer{Status: 503, Message: "this page cannot be read just now", RetryAfter: 5 * time.Second, Err: err}
}

// unchanged evaluates If-None-Match, else If-Modified-Since (RFC 9110, 13.2.2).
func (v *version) unchanged(ask *question) bool {
	if ask.IfNoneMatch != "" {
		return matches(ask.IfNoneMatch, v.etag)
	}
	if ask.IfModifiedSince == "" || v.modified == "" {
		return false
	}
	if ask.IfModifiedSince == v.modified {
		return true
	}
	since, ok := parseTime(ask.IfModifiedSince)
	return ok && !v.entry.Changed.After(since)
}

// matches compares an If-None-Match list weakly with tag, which is a strong entity tag.
func matches(list, tag string) bool {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return false
		}
		if list[0] == '*' {
			return true
		}
		list = strings.TrimPrefix(list, "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == tag {
			return true
		}
		list = list[end+2:]
	}
}

// httpTime is IMF-fixdate (RFC 9110, 5.6.7).
const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"

// parseTime reads a date in the three forms of RFC 9110.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{httpTime, time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// sameEntry reports whether b is answered as a is. Where the object lies does not matter: compacting the page log
// moves objects and changes no page.
func sameEntry(a, b *site.Entry) bool {
	return a.Object.ID == b.Object.ID && a.Object.Size == b.Object.Size && a.Status == b.Status &&
		a.Changed.Equal(b.Changed) && a.Generation == b.Generation && a.Path == b.Path && a.Type == b.Type &&
		a.Kind == b.Kind && slices.Equal(a.Keys, b.Keys)
}
