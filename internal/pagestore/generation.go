package pagestore

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// CommitInfo describes a generation. The generator fills it.
type CommitInfo struct {
	Cause     string    // what made it: "full build", "blog/rivers.md changed"
	Now       time.Time // the time it was built for
	Pages     int       // in the generation
	Rendered  int       // for it
	Changed   int       // pages whose bytes are others than before, and new ones
	Removed   int
	Documents int
	Pinned    bool // rolled back to: to stay until it is released
}

// A Commit is a generation's record in the page log.
type Commit struct {
	Generation uint64
	Epoch      uint64    // of its writer: grows with every writer that commits
	Time       time.Time // when it was committed
	CommitInfo
}

const (
	shardBits  = 12
	shardCount = 1 << shardBits
)

// A Generation is one consistent map of paths to entries. It is immutable, and so are the entries it returns.
// Generations share what did not change between them.
type Generation struct {
	ID     uint64
	Commit Commit

	seg    *segment
	shards *shardTable
	n      int
}

// shardTable holds the entries by the digest of their paths: its first bits are the number of a shard.
type shardTable [shardCount]shard

// A shard is immutable, and ordered by key.
type shard []item

type item struct {
	key  uint32 // further bits of the path's digest
	node *node
}

// find returns the node at p, whose digest goes on with key; nil when there is none.
func (s shard) find(p site.Path, key uint32) *node {
	// Keys are spread evenly, so the place is near where the key's size puts it.
	i := int(uint64(key) * uint64(len(s)) >> 32)
	for i > 0 && s[i-1].key >= key {
		i--
	}
	for i < len(s) && s[i].key < key {
		i++
	}
	for ; i < len(s) && s[i].key == key; i++ {
		if s[i].node.path() == p {
			return s[i].node
		}
	}
	return nil
}

// is reports whether two shards are the same in memory.
func (s shard) is(o shard) bool {
	return len(s) == len(o) && (len(s) == 0 || &s[0] == &o[0])
}

func splitHash(h digest.Sum) (index int, key uint32) {
	return int(h >> (64 - shardBits)), uint32(h >> (32 - shardBits))
}

// Number is the generation's ID.
func (g *Generation) Number() uint64 { return g.ID }

// Pinned reports whether the site was rolled back to this generation and is to stay at it.
func (g *Generation) Pinned() bool { return g.Commit.Pinned }

// Len is the number of entries.
func (g *Generation) Len() int { return g.n }

// Lookup returns the entry at p.
func (g *Generation) Lookup(p site.Path) (*site.Entry, bool) {
	n := g.find(p)
	if n == nil {
		return nil, false
	}
	return n.entry(), true
}

func (g *Generation) find(p site.Path) *node {
	index, key := splitHash(digest.String(string(p)))
	return g.shards[index].find(p, key)
}

// All returns the entries in no particular order, which is the same for the same paths.
func (g *Generation) All() iter.Seq[*site.Entry] {
	return func(yield func(*site.Entry) bool) {
		for n := range g.nodes() {
			if !yield(n.entry()) {
				return
			}
		}
	}
}

func (g *Generation) nodes() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for i := range g.shards {
			for _, it := range g.shards[i] {
				if !yield(it.node) {
					return
				}
			}
		}
	}
}

// Sorted returns the entries by path.
func (g *Generation) Sorted() []*site.Entry {
	all := slices.AppendSeq(make([]*site.Entry, 0, g.n), g.All())
	slices.SortFunc(all, func(a, b *site.Entry) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return all
}

// Object returns the bytes of an object of this generation, which are the caller's. Where the log does not have
// them unharmed the error says in which file and where.
func (g *Generation) Object(ref site.ObjectRef) ([]byte, error) {
	return g.seg.object(ref, nil)
}

// ObjectInto is Object that uses the memory of buf if that is large enough.
func (g *Generation) ObjectInto(buf []byte, ref site.ObjectRef) ([]byte, error) {
	return g.seg.object(ref, buf)
}

// Docs returns the documents that made the page of an entry of this generation.
func (g *Generation) Docs(e *site.Entry) ([]site.DocRef, error) {
	docs, _, err := g.rest(e)
	return docs, err
}

// Origin returns who asked for the page in its present form.
func (g *Generation) Origin(e *site.Entry) (string, error) {
	_, origin, err := g.rest(e)
	return origin, err
}

// rest is the part of an entry that only the log holds.
func (g *Generation) rest(e *site.Entry) ([]site.DocRef, string, error) {
	n := g.find(e.Path)
	if n == nil || n.traits.Generation != e.Generation || n.object.ID != e.Object.ID {
		return nil, "", site.ErrNotFound
	}
	payload, _, err := g.seg.record(n.off, typeEntry)
	if err != nil {
		return nil, "", err
	}
	return decodeDocs(payload)
}

// Diff returns what is different from old: pairs of the entry that was at a path and the one that is, nil where there
// was or is none. It takes time proportional to the difference where one generation was made from the other in
// this process, else to their size. Where an object lies in the log is no difference.
func (g *Generation) Diff(old *Generation) iter.Seq2[*site.Entry, *site.Entry] {
	return func(yield func(was, is *site.Entry) bool) {
		entry := func(n *node) *site.Entry {
			if n == nil {
				return nil
			}
			return n.entry()
		}
		for was, is := range g.diff(old) {
			if !yield(entry(was), entry(is)) {
				return
			}
		}
	}
}

func (g *Generation) diff(old *Generation) iter.Seq2[*node, *node] {
	return func(yield func(was, is *node) bool) {
		for i := range g.shards {
			if a, b := old.shards[i], g.shards[i]; !a.is(b) && !diffShards(a, b, yield) {
				return
			}
		}
	}
}

func diffShards(a, b shard, yield func(was, is *node) bool) bool {
	for _, it := range a {
		n := it.node
		other := b.find(n.path(), it.key)
		if other != n && (other == nil || !n.equal(other)) && !yield(n, other) {
			return false
		}
	}
	for _, it := range b {
		if a.find(it.node.path(), it.key) == nil && !yield(nil, it.node) {
			return false
		}
	}
	return true
}

// change is a commit's change at one path. node is nil for a removal.
type change struct {
	hash digest.Sum
	path site.Path
	node *node
}

// apply makes the changes in t by replacing its shards, and returns by how many entries it has grown. Of several
// changes of one path the last counts.
func (t *shardTable) apply(changes []change) int {
	changes = byHash(changes)
	grown := 0
	for len(changes) > 0 {
		index, _ := splitHash(changes[0].hash)
		n := 1
		for n < len(changes) {
			if i, _ := splitHash(changes[n].hash); i != index {
				break
			}
			n++
		}
		was := t[index]
		t[index] = was.with(changes[:n])
		grown += len(t[index]) - len(was)
		changes = changes[n:]
	}
	return grown
}

// with returns a shard with the changes made, which are in the order of their digests.
func (s shard) with(changes []change) shard {
	out := make(shard, 0, len(s)+len(changes))
	i := 0
	for len(changes) > 0 {
		_, key := splitHash(changes[0].hash)
		n := 1 // changes with this key
		for n < len(changes) {
			if _, k := splitHash(changes[n].hash); k != key {
				break
			}
			n++
		}
		for ; i < len(s) && s[i].key < key; i++ {
			out = append(out, s[i])
		}
		for ; i < len(s) && s[i].key == key; i++ {
			if !slices.ContainsFunc(changes[:n], func(c change) bool { return c.path == s[i].node.path() }) {
				out = append(out, s[i])
			}
		}
		for j, c := range changes[:n] {
			later := slices.ContainsFunc(changes[j+1:n], func(d change) bool { return d.path == c.path })
			if c.node != nil && !later {
				out = append(out, item{key, c.node})
			}
		}
		changes = changes[n:]
	}
	return slices.Clip(append(out, s[i:]...))
}

// byHash returns changes in the order of their digests; those of one path stay in their order.
func byHash(changes []change) []change {
	if len(changes) > shardCount {
		// Of many changes it is faster to bring each to its shard first.
		var ends [shardCount]int
		for i := range changes {
			index, _ := splitHash(changes[i].hash)
			ends[index]++
		}
		sum := 0
		for i, n := range ends {
			ends[i] = sum
			sum += n
		}
		sorted := make([]change, len(changes))
		for i := range changes {
			index, _ := splitHash(changes[i].hash)
			sorted[ends[index]] = changes[i]
			ends[index]++
		}
		start := 0
		for _, end := range ends {
			slices.SortStableFunc(sorted[start:end], compareHash)
			start = end
		}
		return sorted
	}
	slices.SortStableFunc(changes, compareHash)
	return changes
}

func compareHash(a, b change) int { return cmp.Compare(a.hash, b.hash) }
