package mongodb_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A responder speaks enough of the wire protocol to put the real driver through faults: it answers hello, find,
// getMore and what lists and makes indexes, from documents in memory, and fails when it is told to. It is no database.
type responder struct {
	ln   net.Listener
	done chan struct{} // closed at the end: what hangs goes on then

	mu       sync.Mutex // protects what follows
	docs     map[string][]bson.Raw
	types    map[string]string // of collections: "view"; else they are collections
	indexes  map[string][]bson.Raw
	fault    func(name string, n int) fault // n counts the commands of that name from 1
	counts   map[string]int
	commands []bson.Raw
	cursors  map[int64][]bson.Raw
	hidden   map[string]int // how many documents whole scans of a collection find, when not all
	conns    map[net.Conn]bool
	miscount int        // by how much counts are wrong
	budget   int        // so many documents a cursor gives within its time; 0: any number
	changes  *changeLog // answers change streams; nil: there are none
}

// A fault is what happens to a command instead of, or before, its answer.
type fault struct {
	code int           // an error with that code
	slow time.Duration // the answer comes late
	hang bool          // it never comes
	held chan struct{} // it comes when this is closed
	cut  bool          // the connection is closed instead
	half bool          // it is closed in the middle of the answer
}

func newResponder(t testing.TB) *responder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &responder{ln: ln, done: make(chan struct{}), docs: map[string][]bson.Raw{}, types: map[string]string{}, indexes: map[string][]bson.Raw{},
		counts: map[string]int{}, cursors: map[int64][]bson.Raw{}, hidden: map[string]int{}, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns[c] = true
			r.mu.Unlock()
			serving.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() {
		close(r.done)
		ln.Close()
		r.mu.Lock()
		for c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		serving.Wait()
	})
	return r
}

// fill makes n posts, the first of them numbered from.
func (r *responder) fill(from, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range n {
		r.docs["blogs"] = append(r.docs["blogs"], raw(postDoc(from+i, "text")))
	}
}

// wholeFinds is how many reads of a whole collection were asked for.
func (r *responder) wholeFinds(coll string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, cmd := range r.commands {
		name, isFind := cmd.Lookup("find").StringValueOK()
		if filter, ok := cmd.Lookup("filter").DocumentOK(); isFind && name == coll && ok && len(filter) <= 5 {
			n++
		}
	}
	return n
}

// set makes what fails. It counts commands anew.
func (r *responder) set(f func(name string, n int) fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
	clear(r.counts)
}

// hide makes scans of a collection end early, but not a census of its ids or queries by them.
func (r *responder) hide(coll string, found int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden[coll] = found
}

// sent is how many commands of that name have come since set.
func (r *responder) sent(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[name]
}

func (r *responder) serve(c net.Conn) {
	defer c.Close()
	for {
		id, cmd, err := readMessage(c)
		if err != nil {
			return
		}
		elems, err := cmd.Elements()
		if err != nil || len(elems) == 0 {
			return
		}
		name := elems[0].Key()
		r.mu.Lock()
		r.counts[name]++
		if name != "hello" && name != "endSessions" {
			r.commands = append(r.commands, cmd)
		}
		var f fault
		if r.fault != nil {
			f = r.fault(name, r.counts[name])
		}
		reply := r.answer(name, cmd)
		changes := r.changes
		r.mu.Unlock()
		if changes != nil && f == (fault{}) {
			if d := changes.answer(name, cmd); d != nil {
				reply = d
			}
		}
		if f.code != 0 {
			reply = bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(f.code)}, {Key: "codeName", Value: "Code"}, {Key: "errmsg", Value: "fault"}}
		}
		if f.hang {
			<-r.done
			return
		}
		if f.held != nil {
			select {
			case <-f.held:
			case <-r.done:
				return
			}
		}
		if f.slow > 0 {
			timer := time.NewTimer(f.slow)
			select {
			case <-timer.C:
			case <-r.done:
				timer.Stop()
				return
			}
		}
		if f.cut {
			return
		}
		out := message(id, reply)
		if f.half {
			_, _ = c.Write(out[:len(out)/2])
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// tooLong is the answer to what exceeds its maxTimeMS.
var tooLong = bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(50)}, {Key: "errmsg", Value: "operation exceeded time limit"}}

// kindOf is the place of a value's type in the order of _id, as far as tests have such types.
func kindOf(v bson.RawValue) int {
	return slices.Index([]bson.Type{bson.TypeInt32, bson.TypeString, bson.TypeEmbeddedDocument, bson.TypeObjectID, bson.TypeBoolean}, v.Type)
}

func compareIDs(a, b bson.RawValue) int {
	if a.Type == bson.TypeInt32 && b.Type == bson.TypeInt32 {
		return cmp.Compare(a.Int32(), b.Int32())
	}
	return cmp.Or(cmp.Compare(kindOf(a), kindOf(b)), bytes.Compare(a.Value, b.Value))
}

// answer is the reply to a command. The caller holds the lock.
func (r *responder) answer(name string, cmd bson.Raw) bson.D {
	db, _ := cmd.Lookup("$db").StringValueOK()
	ok := bson.E{Key: "ok", Value: 1.0}
	switch name {
	case "hello":
		return bson.D{{Key: "isWritablePrimary", Value: true}, {Key: "helloOk", Value: true}, {Key: "maxBsonObjectSize", Value: int32(16 << 20)},
			{Key: "maxMessageSizeBytes", Value: int32(48_000_000)}, {Key: "maxWriteBatchSize", Value: int32(100_000)},
			{Key: "minWireVersion", Value: int32(0)}, {Key: "maxWireVersion", Value: int32(21)}, {Key: "logicalSessionTimeoutMinutes", Value: int32(30)}, ok}
	case "find":
		coll := cmd.Lookup("find").StringValue()
		filter := cmd.Lookup("filter").Document()
		found := slices.DeleteFunc(slices.Clone(r.docs[coll]), func(d bson.Raw) bool { return !matches(d, filter) })
		whole := len(filter) <= 5
		if n, hides := r.hidden[coll]; hides && whole && cmd.Lookup("hint").IsZero() {
			found = found[:n]
		}
		batch, has := cmd.Lookup("batchSize").AsInt64OK()
		if !has {
			batch = 101
		}
		if !cmd.Lookup("sort").IsZero() {
			slices.SortStableFunc(found, func(a, b bson.Raw) int { return compareIDs(a.Lookup("_id"), b.Lookup("_id")) })
		}
		if limit, limited := cmd.Lookup("limit").AsInt64OK(); limited {
			found = found[:min(int(limit), len(found))]
		}
		if r.budget > 0 && min(int(batch), len(found)) > r.budget {
			return tooLong
		}
		return bson.D{{Key: "cursor", Value: r.batch("firstBatch", db+"."+coll, found, int(batch), 0)}, ok}
	case "getMore":
		id := cmd.Lookup("getMore").AsInt64()
		batch, has := cmd.Lookup("batchSize").AsInt64OK()
		rest, there := r.cursors[id]
		if r.budget > 0 {
			return tooLong
		}
		if !there {
			return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(43)}, {Key: "errmsg", Value: "cursor not found"}}
		}
		if !has {
			batch = int64(len(rest))
		}
		return bson.D{{Key: "cursor", Value: r.batch("nextBatch", db+"."+cmd.Lookup("collection").StringValue(), rest, int(batch), id)}, ok}
	case "count":
		return bson.D{{Key: "n", Value: int32(len(r.docs[cmd.Lookup("count").StringValue()]) + r.miscount)}, ok}
	case "listCollections":
		var list []bson.Raw
		for coll := range r.docs {
			kind := r.types[coll]
			if kind == "" {
				kind = "collection"
			}
			list = append(list, raw(bson.D{{Key: "name", Value: coll}, {Key: "type", Value: kind}}))
		}
		return bson.D{{Key: "cursor", Value: r.batch("firstBatch", db+".$cmd.listCollections", list, len(list), 0)}, ok}
	case "update":
		updates, _ := cmd.Lookup("updates").Array().Values()
		return bson.D{{Key: "n", Value: int32(len(updates))}, {Key: "nModified", Value: int32(len(updates))}, ok}
	case "listIndexes":
		list := r.indexes[cmd.Lookup("listIndexes").StringValue()]
		return bson.D{{Key: "cursor", Value: r.batch("firstBatch", db+".$cmd.listIndexes", list, len(list), 0)}, ok}
	}
	return bson.D{ok}
}

// batch takes a batch off documents and keeps the rest for getMore.
func (r *responder) batch(field, ns string, docs []bson.Raw, n int, id int64) bson.D {
	if id == 0 {
		id = int64(len(r.cursors) + 1)
	}
	n = min(n, len(docs))
	r.cursors[id] = docs[n:]
	if n == len(docs) {
		delete(r.cursors, id)
		id = 0
	}
	return bson.D{{Key: "id", Value: id}, {Key: "ns", Value: ns}, {Key: field, Value: append([]bson.Raw{}, docs[:n]...)}}
}

// matches knows equality, $in and ranges of times of top-level fields.
func matches(d, filter bson.Raw) bool {
	elems, _ := filter.Elements()
	for _, e := range elems {
		have := d.Lookup(e.Key())
		if upper, ranged := e.Value().DocumentOK(); ranged && !upper.Lookup("$lte").IsZero() {
			at, isTime := have.TimeOK()
			if !isTime || !inRange(at, upper) {
				return false
			}
			continue
		}
		if gt := subvalue(e.Value(), "$gt"); !gt.IsZero() {
			if kindOf(gt) != kindOf(have) || compareIDs(have, gt) <= 0 {
				return false
			}
			continue
		}
		if kinds := subvalue(e.Value(), "$type"); !kinds.IsZero() {
			list, _ := kinds.Array().Values()
			if !slices.ContainsFunc(list, func(k bson.RawValue) bool { return bson.Type(k.Int32()) == have.Type }) {
				return false
			}
			continue
		}
		in, isIn := e.Value().DocumentOK()
		if !isIn && !have.Equal(e.Value()) || isIn && !bytes.Contains(in, have.Value) {
			return false
		}
	}
	return true
}

// subvalue is a field of a value that is a document; zero: it has none.
func subvalue(v bson.RawValue, name string) bson.RawValue {
	d, ok := v.DocumentOK()
	if !ok {
		return bson.RawValue{}
	}
	return d.Lookup(name)
}

func inRange(at time.Time, limits bson.Raw) bool {
	from, orAt := limits.Lookup("$gte").TimeOK()
	if !orAt {
		from = limits.Lookup("$gt").Time().Add(time.Millisecond)
	}
	return !at.Before(from) && !at.After(limits.Lookup("$lte").Time())
}

// raw is a document as it goes over the wire.
func raw(d bson.D) bson.Raw {
	b, err := bson.Marshal(d)
	if err != nil {
		panic(err) // a mistake of the test
	}
	return b
}

const opMsg = 2013

func readMessage(r io.Reader) (id uint32, cmd bson.Raw, err error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	size := binary.LittleEndian.Uint32(head)
	if op := binary.LittleEndian.Uint32(head[12:]); op != opMsg || size < 26 || size > 48_000_000 {
		return 0, nil, fmt.Errorf("a message of %d bytes with op code %d", size, op)
	}
	body := make([]byte, size-16)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	// Flags, then sections: the command, and what its arrays hold, which becomes a part of it here.
	var d bson.D
	for body = body[4:]; len(body) > 4; {
		kind, size := body[0], int(binary.LittleEndian.Uint32(body[1:]))
		section := body[1 : 1+size]
		body = body[1+size:]
		if kind == 0 {
			if err := bson.Unmarshal(section, &d); err != nil {
				return 0, nil, err
			}
			continue
		}
		name, docs, _ := bytes.Cut(section[4:], []byte{0})
		list := bson.A{}
		for len(docs) > 4 {
			n := binary.LittleEndian.Uint32(docs)
			list = append(list, bson.Raw(docs[:n]))
			docs = docs[n:]
		}
		d = append(d, bson.E{Key: string(name), Value: list})
	}
	return binary.LittleEndian.Uint32(head[4:]), raw(d), nil
}

func message(to uint32, reply bson.D) []byte {
	doc := raw(reply)
	var b bytes.Buffer
	for _, v := range []uint32{uint32(16 + 5 + len(doc)), 1, to, opMsg, 0} {
		_ = binary.Write(&b, binary.LittleEndian, v) // never fails
	}
	b.WriteByte(0)
	b.Write(doc)
	return b.Bytes()
}
