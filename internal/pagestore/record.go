package pagestore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// What stands in a segment: see docs/formats/page-log.md. All numbers are little-endian.
const (
	segmentMagic  = "freshetP"
	segmentFormat = 1
	headerSize    = 64

	headSize = 9 // of a record: payload length u32, type u8, checksum u32

	typeObject  = 1
	typeEntry   = 2
	typeRemoval = 3
	typeCommit  = 4

	objectHead  = headSize + 8 // of an object's record: its bytes begin here
	entryFixed  = 67           // of an entry's payload: strings begin here
	commitFixed = 8*5 + 4*2 + 8*2 + 16 + 12*2 + 8*2 + 8*5 + 4
	commitTail  = 8

	commitMark = 0x74696d6d6f43_5046 // begins a commit's payload
	tailMark   = 0x646e6543          // ends it

	maxObjectBytes  = 1 << 30
	maxPayloadBytes = maxObjectBytes + 8
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordSum is the checksum of a record: of its length, type and payload, beginning with the segment's salt, so that
// what is left of another segment never looks like a record of this one.
func recordSum(salt uint64, head []byte, payload ...[]byte) uint32 {
	sum := crc32.Update(uint32(salt), castagnoli, head[:5])
	for _, p := range payload {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// appendHead appends a record's head for a payload given in parts.
func appendHead(b []byte, salt uint64, kind byte, payload ...[]byte) []byte {
	at, n := len(b), 0
	for _, p := range payload {
		n += len(p)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = append(b, kind)
	return binary.LittleEndian.AppendUint32(b, recordSum(salt, b[at:], payload...))
}

func parseHead(b []byte) (n int64, kind byte, sum uint32) {
	return int64(binary.LittleEndian.Uint32(b)), b[4], binary.LittleEndian.Uint32(b[5:])
}

// header is the beginning of a segment.
type header struct {
	site string // 16 characters
	seq  uint64
	salt uint64
	made int64 // Unix seconds
}

func (h header) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, segmentFormat)
	b = binary.LittleEndian.AppendUint32(b, headerSize)
	b = append(b, h.site...)
	b = binary.LittleEndian.AppendUint64(b, h.seq)
	b = binary.LittleEndian.AppendUint64(b, h.salt)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.made))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHeader(b []byte) (header, error) {
	if len(b) < headerSize || string(b[:8]) != segmentMagic {
		return header{}, errors.New("it is not a page log")
	}
	if binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return header{}, errors.New("its header is damaged")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != segmentFormat || binary.LittleEndian.Uint32(b[12:]) != headerSize {
		return header{}, errors.New("it was written by another version of freshet")
	}
	return header{
		site: string(b[16:32]),
		seq:  binary.LittleEndian.Uint64(b[32:]),
		salt: binary.LittleEndian.Uint64(b[40:]),
		made: int64(binary.LittleEndian.Uint64(b[48:])),
	}, nil
}

// errMalformed means that a payload has the right checksum but cannot be read.
var errMalformed = errors.New("malformed record")

// encodeEntry appends an entry's payload to b. Times are kept in whole seconds.
func encodeEntry(b []byte, e *site.Entry, docs []site.DocRef) []byte {
	n := entryFixed + len(e.Path) + len(e.Type) + len(e.Location) + len(e.Template) + len(e.Cause) + len(e.Doc) + len(e.Origin) + 18
	for _, k := range e.Keys {
		n += len(k) + 2
	}
	for _, d := range docs {
		n += len(d.ID) + 10
	}
	b = slices.Grow(b, n)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Object.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Object.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Object.ID))
	b = binary.LittleEndian.AppendUint64(b, e.Generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Changed.Unix()))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Remembered.Unix()))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Fingerprint))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Source))
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Status))
	b = append(b, byte(e.Kind))
	for _, s := range [...]string{string(e.Path), e.Type, e.Location, e.Template, e.Cause, string(e.Doc)} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Keys)))
	for _, k := range e.Keys {
		b = appendString(b, k)
	}
	b = binary.AppendUvarint(b, uint64(len(docs)))
	for _, d := range docs {
		b = appendString(b, string(d.ID))
		b = binary.LittleEndian.AppendUint64(b, uint64(d.Revision))
	}
	return appendString(b, e.Origin)
}

// setObjectOffset changes in an entry's payload where its object is.
func setObjectOffset(payload []byte, off int64) { binary.LittleEndian.PutUint64(payload, uint64(off)) }

// objectOf is the object in an entry's payload.
func objectOf(payload []byte) (ref site.ObjectRef, status int) {
	return site.ObjectRef{
		Offset: int64(binary.LittleEndian.Uint64(payload)),
		Size:   int64(binary.LittleEndian.Uint64(payload[8:])),
		ID:     digest.Sum(binary.LittleEndian.Uint64(payload[16:])),
	}, int(binary.LittleEndian.Uint16(payload[64:]))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// A reader of bytes that remembers that there were too few.
type bytesReader struct {
	b   []byte
	bad bool
}

func (r *bytesReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *bytesReader) bytes() []byte { return r.take(r.uvarint()) }

func (r *bytesReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// count reads the length of a list whose items have at least min bytes each.
func (r *bytesReader) count(min int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/min) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(n)
}

// decodeEntry reads an entry's payload, apart from its documents and origin.
func decodeEntry(payload []byte, off int64, names *interner) (*node, error) {
	if len(payload) < entryFixed {
		return nil, errMalformed
	}
	ref, status := objectOf(payload)
	r := bytesReader{b: payload[entryFixed:]}
	path, typ, location := r.bytes(), r.bytes(), r.bytes()
	template, cause, doc := r.bytes(), r.bytes(), r.bytes()
	keys := r.count(1)

	names.Lock()
	defer names.Unlock()
	own := append(names.own[:0], path...)
	own = appendBytes(appendBytes(own, location), doc)
	for range keys {
		own = appendBytes(own, r.bytes())
	}
	names.own = own
	if r.bad || len(path) > maxPathBytes {
		return nil, errMalformed
	}
	return &node{
		own:         string(own),
		pathBytes:   uint16(len(path)),
		object:      ref,
		fingerprint: digest.Sum(binary.LittleEndian.Uint64(payload[48:])),
		source:      digest.Sum(binary.LittleEndian.Uint64(payload[56:])),
		off:         off,
		traits: names.share(traits{
			Type: names.get(typ), Template: names.get(template), Cause: names.get(cause),
			Generation: binary.LittleEndian.Uint64(payload[24:]),
			Changed:    int64(binary.LittleEndian.Uint64(payload[32:])),
			Remembered: int64(binary.LittleEndian.Uint64(payload[40:])),
			Status:     status,
			Kind:       site.Kind(payload[66]),
		}),
	}, nil
}

// decodeDocs reads the documents and the origin at the end of an entry's payload.
func decodeDocs(payload []byte) (docs []site.DocRef, origin string, err error) {
	if len(payload) < entryFixed {
		return nil, "", errMalformed
	}
	r := bytesReader{b: payload[entryFixed:]}
	for range 6 {
		r.bytes()
	}
	for range r.count(1) {
		r.bytes()
	}
	n := r.count(9)
	docs = make([]site.DocRef, 0, n)
	for range n {
		id, rev := string(r.bytes()), r.take(8)
		if r.bad {
			return nil, "", errMalformed
		}
		docs = append(docs, site.DocRef{ID: site.ID(id), Revision: digest.Sum(binary.LittleEndian.Uint64(rev))})
	}
	if len(r.b) > 0 { // earlier versions wrote no origin
		origin = string(r.bytes())
	}
	if r.bad {
		return nil, "", errMalformed
	}
	return docs, origin, nil
}

// span is a commit and where it stands: its entries and removals are at [start, off), its record at [off, end).
type span struct {
	start, off, end int64
	prev            int64 // the commit before; 0: none
	records         int   // entries and removals
	entries         int   // of the generation
	dead            int64 // bytes of the segment that the generation does not need any more
	sum             uint32
	Commit
}

// encodeCommit returns a commit's payload. It says where the record stands, so that a copy elsewhere is none.
func encodeCommit(s *span, salt uint64, siteID string) []byte {
	n := commitFixed + len(s.Cause) + commitTail
	b := make([]byte, 0, n)
	b = binary.LittleEndian.AppendUint64(b, commitMark)
	b = binary.LittleEndian.AppendUint64(b, salt)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.off))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.prev))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.start))
	b = binary.LittleEndian.AppendUint32(b, uint32(s.records))
	var flags uint32
	if s.Pinned {
		flags |= 1
	}
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, s.Generation)
	b = binary.LittleEndian.AppendUint64(b, s.Epoch)
	b = append(b, siteID...)
	for _, t := range [...]time.Time{s.Time, s.Now} {
		b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(s.entries))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.dead))
	for _, v := range [...]int{s.Pages, s.Rendered, s.Changed, s.Removed, s.Documents} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Cause)))
	b = append(b, s.Cause...)
	b = binary.LittleEndian.AppendUint32(b, uint32(headSize+n))
	return binary.LittleEndian.AppendUint32(b, tailMark)
}

// decodeCommit reads the payload of the commit record at off.
func decodeCommit(b []byte, off int64, h header) (*span, error) {
	if len(b) < commitFixed+commitTail || len(b) > commitFixed+commitTail+maxCauseBytes {
		return nil, errMalformed
	}
	u64 := func() uint64 { v := binary.LittleEndian.Uint64(b); b = b[8:]; return v }
	u32 := func() uint32 { v := binary.LittleEndian.Uint32(b); b = b[4:]; return v }
	s := &span{off: off, end: off + headSize + int64(len(b))}
	if u64() != commitMark || u64() != h.salt || int64(u64()) != off {
		return nil, errMalformed
	}
	s.prev, s.start = int64(u64()), int64(u64())
	s.records = int(u32())
	s.Pinned = u32()&1 != 0
	s.Generation, s.Epoch = u64(), u64()
	if string(b[:16]) != h.site {
		return nil, errMalformed
	}
	b = b[16:]
	for _, t := range [...]*time.Time{&s.Time, &s.Now} {
		sec, nsec := int64(u64()), int64(u32())
		*t = time.Unix(sec, nsec).UTC()
	}
	s.entries, s.dead = int(u64()), int64(u64())
	for _, v := range [...]*int{&s.Pages, &s.Rendered, &s.Changed, &s.Removed, &s.Documents} {
		*v = int(u64())
	}
	n := int64(u32())
	if n != int64(len(b)-commitTail) {
		return nil, errMalformed
	}
	s.Cause = string(b[:n])
	b = b[n:]
	if int64(u32()) != s.end-s.off || u32() != tailMark {
		return nil, errMalformed
	}
	if s.start < headerSize || s.start > s.off || s.prev < 0 || s.prev >= s.start || s.dead < 0 || s.entries < 0 {
		return nil, errMalformed
	}
	return s, nil
}

// Bounds of a commit's cause, and of what each entry says of who asked.
const (
	maxCauseBytes  = 1 << 16
	maxOriginBytes = 500
)

// clip cuts a text that is too long, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
