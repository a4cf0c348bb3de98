package pagestore

import "freshet/internal/site"

// WithSteps returns cfg with a function that is asked before every step that changes the disk.
func WithSteps(cfg Config, before func(step, name string) error) Config {
	cfg.before = before
	return cfg
}

// Abandon leaves the disk as it is and gives back the lock, as the end of a process does.
func Abandon(w *Writer) { _ = w.lock.Close() }

// Offset tells where the record of the entry at p is.
func Offset(g *Generation, p site.Path) int64 { return g.find(p).off }

// PutUnchecked is Put that takes any path.
func PutUnchecked(b *Batch, e site.Entry) {
	n, err := decodeEntry(encodeEntry(nil, &e, nil), 0, &b.w.names)
	if err != nil {
		panic(err)
	}
	b.puts[n.path()] = pending{node: n}
}

// Interned is how many strings and traits the writer shares between entries.
func Interned(w *Writer) int { return len(w.names.strings) + len(w.names.traits) }

const (
	ObjectHead  = objectHead
	HeaderSize  = headerSize
	BufferBytes = bufferBytes
)

var WorthCompacting = worthCompacting

// EncodeEntry is the payload of an entry's record.
func EncodeEntry(e *site.Entry, docs []site.DocRef) []byte { return encodeEntry(nil, e, docs) }

// DecodeEntry reads what EncodeEntry wrote.
func DecodeEntry(b []byte) (*site.Entry, []site.DocRef, error) {
	n, err := decodeEntry(b, 0, &interner{})
	if err != nil {
		return nil, nil, err
	}
	e := n.entry()
	docs, origin, err := decodeDocs(b)
	e.Origin = origin
	return e, docs, err
}

// ReencodeCommit reads a commit's payload at a place and writes it again.
func ReencodeCommit(b []byte, off int64) ([]byte, error) {
	h := header{site: "0123456789abcdef", salt: 42}
	s, err := decodeCommit(b, off, h)
	if err != nil {
		return nil, err
	}
	return encodeCommit(s, h.salt, h.site), nil
}

// EncodeCommit is the payload of a commit's record.
func EncodeCommit(c Commit, off int64) []byte {
	return encodeCommit(&span{start: headerSize, off: off, Commit: c}, 42, "0123456789abcdef")
}
