package pagestore

import (
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// A node is an entry in memory, packed: a site has some for each document, as long as the process lives. It does not
// change once it is in a generation.
type node struct {
	own         string  // the path, then its location, document and keys, each behind its length
	traits      *traits // shared with other nodes
	object      site.ObjectRef
	fingerprint digest.Sum
	source      digest.Sum
	off         int64 // of the entry's record
	pathBytes   uint16
}

// traits are what many entries have in common. Times are Unix seconds.
type traits struct {
	Type, Template, Cause string
	Generation            uint64
	Changed, Remembered   int64
	Status                int
	Kind                  site.Kind
}

func (n *node) path() site.Path { return site.Path(n.own[:n.pathBytes]) }

func (n *node) location() string {
	s, _ := cutString(n.own[n.pathBytes:])
	return s
}

// entry returns the entry that the node is.
func (n *node) entry() *site.Entry {
	e := &struct { // one allocation for most
		site.Entry
		keys [4]string
	}{}
	e.Keys = e.keys[:0]
	n.fill(&e.Entry)
	if e.Keys = e.Keys[:len(e.Keys):len(e.Keys)]; len(e.Keys) == 0 {
		e.Keys = nil
	}
	return &e.Entry
}

// fill makes e the entry that the node is, with its keys in the array of those that e has.
func (n *node) fill(e *site.Entry) {
	t := n.traits
	location, rest := cutString(n.own[n.pathBytes:])
	doc, rest := cutString(rest)
	keys := e.Keys[:0]
	for rest != "" {
		var k string
		k, rest = cutString(rest)
		keys = append(keys, k)
	}
	*e = site.Entry{
		Path: n.path(), Kind: t.Kind, Status: t.Status, Object: n.object, Type: t.Type, Location: location, Keys: keys,
		Template: t.Template, Fingerprint: n.fingerprint, Cause: t.Cause, Generation: t.Generation,
		Changed: time.Unix(t.Changed, 0).UTC(), Remembered: time.Unix(t.Remembered, 0).UTC(), Source: n.source, Doc: site.ID(doc),
	}
}

// cutString cuts off what appendString appended.
func cutString(s string) (first, rest string) {
	n, shift, i := 0, 0, 0
	for ; s[i] >= 0x80; i++ {
		n |= int(s[i]&0x7f) << shift
		shift += 7
	}
	n |= int(s[i]) << shift
	return s[i+1 : i+1+n], s[i+1+n:]
}

// equal compares all but the places of objects and records.
func (n *node) equal(o *node) bool {
	return n.own == o.own && n.pathBytes == o.pathBytes && *n.traits == *o.traits && n.object.ID == o.object.ID &&
		n.object.Size == o.object.Size && n.fingerprint == o.fingerprint && n.source == o.source
}

// sameResponse reports whether readers get the same for both.
func (n *node) sameResponse(o *node) bool {
	return n.traits.Status == o.traits.Status && n.object.ID == o.object.ID && n.object.Size == o.object.Size &&
		n.traits.Type == o.traits.Type && n.location() == o.location()
}
