package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"freshet/internal/web"
)

const (
	smallBytes = 64 << 10 // a body begins with so much room, which is all that most need
	// mostSmall and mostLarge bound the memory of all bodies that are being read or looked at, of those with the first room and
	// of those with more. Who cannot sign may fill the one with large bodies; the other still has room for what is small.
	mostSmall = 16 << 20
	mostLarge = 64 << 20
	// largeTime is what a body may take to come. Servers give less to requests that are not known to need it.
	largeTime = 2 * time.Minute
)

// bodies bounds the memory that bodies of webhooks take.
type bodies struct{ small, large room }

// A room is how many bytes are taken of a bounded number.
type room struct{ taken atomic.Int64 }

// take takes n bytes, if there are so many of most.
func (r *room) take(n, most int64) bool {
	if r.taken.Add(n) > most {
		r.taken.Add(-n)
		return false
	}
	return true
}

// read reads the body of a request, of most bytes at most, and hands its parts to add as they come. The caller calls release, also
// after an error, when nobody looks at the body any more.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, most int64, add func(part []byte)) (body []byte, release func(), err error) {
	small, large := int64(0), int64(0)
	release = func() {
		b.small.taken.Add(-small)
		b.large.taken.Add(-large)
	}
	tooLarge := &web.Error{Status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes", most)}
	full := &web.Error{Status: http.StatusServiceUnavailable, Message: "too many webhooks are being received: send it again", RetryAfter: 5 * time.Second}
	if r.ContentLength > most {
		return nil, release, tooLarge
	}
	if !b.small.take(smallBytes, mostSmall) {
		return nil, release, full
	}
	small = smallBytes
	if r.ContentLength < 0 || r.ContentLength > smallBytes {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(largeTime)) // without deadlines, as in tests, it has time
	}
	body = make([]byte, 0, smallBytes)
	in := http.MaxBytesReader(w, r.Body, most)
	for {
		if len(body) == cap(body) {
			next := min(4*int64(cap(body)), most+1) // one more, to see that it ends
			if r.ContentLength > 0 {
				next = min(next, r.ContentLength+1)
			}
			if !b.large.take(next, mostLarge) {
				return nil, release, full
			}
			body = append(make([]byte, 0, next), body...)
			b.large.taken.Add(-large)
			large = next
		}
		n, err := in.Read(body[len(body):cap(body)])
		add(body[len(body) : len(body)+n])
		body = body[:len(body)+n]
		switch _, over := errors.AsType[*http.MaxBytesError](err); {
		case over:
			return nil, release, tooLarge
		case err == io.EOF:
			return body, release, nil
		case err != nil:
			return nil, release, &web.Error{Status: http.StatusBadRequest, Message: "the body did not come whole"}
		}
	}
}
