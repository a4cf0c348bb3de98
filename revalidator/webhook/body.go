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
	smallBytes = 64 << 10 // first size of a body's buffer; most bodies fit
	// mostSmall and mostLarge limit the memory of all bodies in use: buffers of the first size, and larger ones. An
	// attacker without a secret can use up the memory for large bodies, but small bodies still have theirs.
	mostSmall = 16 << 20
	mostLarge = 64 << 20
	// largeTime is the time to receive a large body. Servers give other requests less.
	largeTime = 2 * time.Minute
)

// bodies limits the memory for the bodies of webhooks.
type bodies struct{ small, large room }

// A room counts the bytes in use of a limited number.
type room struct{ taken atomic.Int64 }

// take takes n bytes if at most most bytes are then in use.
func (r *room) take(n, most int64) bool {
	if r.taken.Add(n) > most {
		r.taken.Add(-n)
		return false
	}
	return true
}

// read reads the body of a request, at most most bytes, and passes each part to add. The caller calls release, also
// after an error, when the body is no longer used.
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
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(largeTime)) // a test's writer has no deadlines, which does no harm
	}
	body = make([]byte, 0, smallBytes)
	in := http.MaxBytesReader(w, r.Body, most)
	for {
		if len(body) == cap(body) {
			next := min(4*int64(cap(body)), most+1) // one byte more, to notice the end of the body
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
