package web

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// A Response is a ResponseWriter that knows its request's id and remembers what was sent. [Record] makes one for
// each request; handlers further in reach it by [ResponseOf].
type Response struct {
	http.ResponseWriter
	Status int   // sent; 0: nothing yet
	Bytes  int64 // of the body, sent
	Start  time.Time
	Client Client
	Rule   string // that refused the request, for the access record; empty: none did
	Shadow string // that would have, were it not only watched; empty: none
	Look   uint64 // equal for requests that look alike, for the access record; 0: nobody has looked
	Route  int    // that took it, in the server's own count

	id    [1]string // an array, so that the header can share it
	notes [maxNotes]slog.Attr
	n     int
	head  bool // a HEAD request: what is written is not sent
}

// maxNotes bounds the facts that handlers add to an access record.
const maxNotes = 4

// Begin makes w that of a request that has come now. id is what it says its id is; that is believed of trusted proxies.
func (w *Response) Begin(now time.Time, client Client, id string) {
	*w = Response{ResponseWriter: w.ResponseWriter, head: w.head, Start: now, Client: client}
	if client.Trusted && soundID(id) {
		w.id[0] = id
	} else {
		w.id[0] = newID()
	}
}

// ID is the request's id.
func (w *Response) ID() string { return w.id[0] }

// Note adds facts to the request's access record. Beyond four they are dropped.
func (w *Response) Note(attrs ...slog.Attr) {
	w.n += copy(w.notes[w.n:], attrs)
}

// Notes are the facts that handlers added.
func (w *Response) Notes() []slog.Attr { return w.notes[:w.n] }

// WriteHeader implements http.ResponseWriter.
func (w *Response) WriteHeader(status int) {
	if w.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *Response) Write(b []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	if !w.head {
		w.Bytes += int64(n)
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *Response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ResponseOf finds the Response in w or in what w wraps; nil when there is none.
func ResponseOf(w http.ResponseWriter) *Response {
	for {
		if r, ok := w.(*Response); ok {
			return r
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
}

// RequestID is the id of the request that w answers; empty outside of [Record].
func RequestID(w http.ResponseWriter) string {
	if r := ResponseOf(w); r != nil {
		return r.ID()
	}
	return ""
}

// soundID reports whether an id that a proxy sends can stand in headers, logs and pages as it is.
func soundID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// newID makes a request id: 100 random bits in 20 characters. Ids are for finding log lines, not secrets.
func newID() string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	var b [20]byte
	lo, hi := rand.Uint64(), rand.Uint64()
	for i := range 10 {
		b[i] = digits[lo>>(5*i)&31]
		b[10+i] = digits[hi>>(5*i)&31]
	}
	return string(b[:])
}
