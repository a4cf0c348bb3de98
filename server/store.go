package server

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"freshet/internal/encoding"
	"freshet/internal/site"
	"freshet/internal/web"
)

// A role is the purpose of a page.
type role uint8

const (
	asPage     role = iota
	asNotFound      // the 404 page as the answer for an unknown path
	asGone          // the 404 page as the answer for a page that was here
)

// A version is a page in one encoding, ready to be sent: headers and body. It is immutable.
type version struct {
	entry     *site.Entry
	encoding  encoding.Coding
	etag      string // strong, with its quotes
	modified  string // Last-Modified; empty: unknown
	full      *block
	brief     *block // of a 304
	body      []byte
	jitter    uint8
	immutable bool // a hashed asset
	pointless bool // the encoding does not make the body smaller: send encoding.Identity; there is no body here
	stream    bool // too big for memory; there is no body here
}

// versionKey names a version in the cache.
type versionKey struct {
	path     site.Path
	encoding encoding.Coding
	role     role
	forced   bool // encoded even if that is larger, because the client takes nothing else
}

// store holds versions in memory, bounded in bytes. It makes missing ones, each once however many requests wait for it. Only
// paths of the site are stored, so clients cannot make it grow.
type store struct {
	cache    *otter.Cache[versionKey, *version]
	flights  singleflight.Group
	encoders *encoders
	policy   string // Content-Security-Policy of HTML; empty: none
	most     int64  // bytes of the largest body that is kept or encoded
	metrics  *metrics

	unreadable func(e *site.Entry, err error) (body []byte, ok bool) // see Config; nil: nobody is told
}

// overheadBytes is what a version weighs besides its body.
const overheadBytes = 2 << 10

// streamBytes is the size from which a body is streamed where it can be.
const streamBytes = 8 << 20

func newStore(cacheBytes int64, policy string, m *metrics) (*store, error) {
	cache, err := otter.New(&otter.Options[versionKey, *version]{
		MaximumWeight: uint64(cacheBytes),
		Weigher: func(k versionKey, v *version) uint32 {
			return uint32(min(int64(len(v.body)+len(k.path)+overheadBytes), math.MaxUint32))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up page cache: %w", err)
	}
	enc, err := newEncoders()
	if err != nil {
		return nil, err
	}
	return &store{cache: cache, encoders: enc, policy: policy, most: cacheBytes / 8, metrics: m}, nil
}

// errNotAcceptable means that the client takes neither the plain form nor an encoded form that the server can make.
var errNotAcceptable = errors.New("no acceptable encoding")

// page returns e in the encoding that the client likes best. When e cannot be read, it returns the error and the last
// version of the page that could be, if memory has one: a page that was known does not fail.
func (s *store) page(gen Generation, e *site.Entry, acceptEncoding string, as role) (*version, error) {
	key, err := s.keyOf(e, acceptEncoding, as)
	if err != nil {
		return nil, err
	}
	v, err := s.get(gen, e, key)
	if err == nil && v.pointless {
		key.encoding = encoding.Identity
		v, err = s.get(gen, e, key)
	}
	return v, err
}

// keyOf is the key of e in the encoding that the client likes best.
func (s *store) keyOf(e *site.Entry, acceptEncoding string, as role) (versionKey, error) {
	key := versionKey{path: e.Path, role: as}
	if acceptEncoding == "" {
		return key, nil
	}
	a := parseAccept(acceptEncoding)
	if a.refusesIdentity() {
		key.encoding = a.encoded(preferred(e.Object.Size))
		if key.encoding == encoding.Identity {
			return key, errNotAcceptable
		}
		if e.Object.Size > s.most {
			key.encoding = encoding.Identity // disregarding the header, as a server may: that much is not encoded
		}
		key.forced = key.encoding != encoding.Identity
	} else if e.Object.Size >= encoding.LeastBytes && e.Object.Size <= s.most && encoding.Compressible(e.Type) {
		key.encoding = a.encoded(preferred(e.Object.Size))
	}
	return key, nil
}

func (s *store) get(gen Generation, e *site.Entry, key versionKey) (*version, error) {
	old, ok := s.cache.GetIfPresent(key)
	if ok && (old.entry == e || sameEntry(old.entry, e)) {
		s.metrics.inMemory.Inc()
		return old, nil
	}
	got, err, _ := s.flights.Do(flightName(e, key), func() (any, error) {
		if v, ok := s.cache.GetIfPresent(key); ok && sameEntry(v.entry, e) { // another flight has landed meanwhile
			return v, nil
		}
		return s.load(gen, e, key)
	})
	if err == nil {
		return got.(*version), nil
	}
	if ok && !old.pointless && !old.stream && !errors.Is(err, site.ErrChanged) {
		return old, err
	}
	return nil, err
}

// flightName names a load. Two generations may load different objects of the same path at the same time.
func flightName(e *site.Entry, key versionKey) string {
	var b strings.Builder
	b.WriteString(string(e.Path))
	b.Write([]byte{0, byte(key.encoding), byte(key.role)})
	if key.forced {
		b.WriteByte('!')
	}
	b.WriteString(e.Object.ID.String())
	b.WriteString(strconv.FormatUint(e.Generation, 36))
	return b.String()
}

// load makes a version and keeps it if it is not too big.
func (s *store) load(gen Generation, e *site.Entry, key versionKey) (*version, error) {
	s.metrics.loaded.Inc()
	if key.encoding != encoding.Identity {
		if key.forced {
			s.encoders.start()
		} else if !s.encoders.tryStart() {
			// So many others are being encoded that the reader is better off with the plain form.
			key.encoding = encoding.Identity
			return s.get(gen, e, key)
		}
		defer s.encoders.done()
	}
	v := &version{entry: e, encoding: key.encoding, jitter: jitter(e.Path), immutable: key.role == asPage && hashed(e.Path)}
	if _, ok := gen.(Opener); ok && e.Object.Size > streamBytes && key.encoding == encoding.Identity {
		v.stream = true
	} else {
		body, err := s.plain(gen, e, key)
		if err != nil {
			return nil, err
		}
		if v.body, err = s.encoders.Encode(key.encoding, body); err != nil {
			return nil, fmt.Errorf("encode %s as %s: %w", e.Path, key.encoding.Token(), err)
		}
		if key.encoding != encoding.Identity && !key.forced && len(v.body) >= len(body) {
			v.pointless, v.body = true, nil
		}
	}
	if !v.pointless {
		s.prepare(v, key)
	}
	if int64(len(v.body)) <= s.most {
		s.cache.Set(key, v)
	}
	return v, nil
}

// plain returns the bytes of e, from memory if it can.
func (s *store) plain(gen Generation, e *site.Entry, key versionKey) ([]byte, error) {
	if key.encoding != encoding.Identity {
		key.encoding, key.forced = encoding.Identity, false
		if v, ok := s.cache.GetIfPresent(key); ok && sameEntry(v.entry, e) && !v.stream {
			return v.body, nil
		}
	}
	body, err := gen.Object(e.Object)
	if err != nil && !errors.Is(err, site.ErrChanged) {
		body, err = gen.Object(e.Object) // what fails once, an interrupted read say, need not fail twice
	}
	if err == nil {
		return body, nil
	}
	if s.unreadable != nil && !errors.Is(err, site.ErrChanged) {
		if body, ok := s.unreadable(e, err); ok {
			return body, nil
		}
	}
	return nil, fmt.Errorf("read object %s of %s: %w", e.Object.ID, e.Path, err)
}

var (
	revalidated = []string{"public, max-age=0, must-revalidate"}
	forever     = []string{"public, max-age=31536000, immutable"}
	noStore     = []string{"no-store"}
	nosniff     = []string{"nosniff"}
	byEncoding  = []string{"Accept-Encoding"}
	byteRanges  = []string{"bytes"}
)

// prepare makes those header values of v that do not depend on time.
func (s *store) prepare(v *version, key versionKey) {
	e := v.entry
	size := e.Object.Size
	if !v.stream {
		size = int64(len(v.body))
	}
	v.etag = `"` + e.Object.ID.String() + tagSuffix(v.encoding) + `"`
	if !e.Changed.IsZero() {
		v.modified = e.Changed.UTC().Format(httpTime)
	}
	both := []field{{"Cache-Control", revalidated}}
	switch {
	case key.role == asNotFound:
		both[0].Values = noStore
	case v.immutable:
		both[0].Values = forever
	}
	if key.role == asPage {
		both = append(both, field{"Etag", value(v.etag)})
		if v.modified != "" {
			both = append(both, field{"Last-Modified", value(v.modified)})
		}
		both = append(both, tagFields(e)...)
	}
	both = append(both, field{"Vary", byEncoding}) // also of pictures: a client may refuse the plain form
	both = append(both, s.security(e.Type)...)
	v.brief = newBlock(both[:len(both):len(both)]...)
	full := append(v.brief.fields, field{"Content-Length", value(strconv.FormatInt(size, 10))})
	if e.Type != "" {
		full = append(full, field{"Content-Type", value(e.Type)})
	}
	if v.encoding != encoding.Identity {
		full = append(full, field{"Content-Encoding", value(v.encoding.Token())})
	}
	if key.role == asPage {
		full = append(full, field{"Accept-Ranges", byteRanges})
	}
	v.full = newBlock(full...)
}

// hashed reports whether a path names its content, as /assets/style.0123456789abcdef.css does: another content
// would have another path, so it may be kept for ever.
func hashed(p site.Path) bool {
	name, ok := strings.CutPrefix(string(p), "/assets/")
	if !ok {
		return false
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	sum := strings.TrimPrefix(path.Ext(stem), ".")
	if len(sum) < 16 {
		return false
	}
	for i := range len(sum) {
		if !isHex(sum[i]) {
			return false
		}
	}
	return true
}

// Most bytes of the headers that carry keys, by what CDNs take.
const (
	maxCacheTag     = 16 << 10
	maxSurrogateKey = 8 << 10
)

// tagFields makes the headers by which CDNs purge.
func tagFields(e *site.Entry) []field {
	keys := tagKeys(e)
	if len(keys) == 0 {
		return nil
	}
	return []field{
		{"Cache-Tag", value(web.JoinTags(keys, ",", maxCacheTag))},
		{"Surrogate-Key", value(web.JoinTags(keys, " ", maxSurrogateKey))},
	}
}

// tagKeys are the keys that an answer carries. Lists and feeds carry their list keys alone: their documents' keys
// would purge them with every view of every document.
func tagKeys(e *site.Entry) []string {
	if e.Kind != site.KindList && e.Kind != site.KindFeed {
		return e.Keys
	}
	keys := make([]string, 0, len(e.Keys))
	for _, k := range e.Keys {
		if strings.HasPrefix(k, "list:") {
			keys = append(keys, k)
		}
	}
	return keys
}
