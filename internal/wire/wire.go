// Package wire holds listeners that see connections before net/http does: they read PROXY headers, shake hands for
// TLS, and vet the requests of HTTP/1.
//
// Vetting keeps us and whatever stands in front of us, a CDN or a balancer, in step: where two programs could differ
// about where a request ends or whom it is for, it is refused and the connection ends, however harmless it would have
// been. net/http reads some of these generously (Content-Length beside Transfer-Encoding, folded headers, lines that
// end in a bare line feed, chunk extensions), and by the time a handler runs nothing of it shows.
//
// A refused request reaches the handler as a request with the method [RefusedMethod], in its place among those before
// it on the connection, so that it is answered, counted and logged like every other; [RefusedFor] tells why. Of what
// followed it nothing is read.
//
// Plain requests may be answered here, see [Limits]: reading them into net/http's maps and writing headers out of such costs
// more than a page does.
//
// Not promised: limits on the number of connections, or on time beyond the heads of requests, which are net/http's.
package wire

import "net/http"

// RefusedMethod is the method of requests that stand for refused ones. A client may send it as well: it gets the
// same answer.
const RefusedMethod = "REFUSED"

// A Reason is why a request was refused. The set is closed, so reasons may be metric labels.
type Reason string

// Reasons.
const (
	BadRequestLine Reason = "request-line" // not METHOD SP TARGET SP HTTP/1.x
	BadTarget      Reason = "target"       // a form or byte that no address has
	BadHost        Reason = "host"         // none, several, or none that there could be
	BadHeader      Reason = "header"       // not NAME: VALUE, a control character, or an expectation nobody fulfils
	BareLF         Reason = "bare-lf"      // a line that ends without CR, or a CR that ends none
	ObsFold        Reason = "obs-fold"     // a header that goes on in the next line
	BadFraming     Reason = "framing"      // lengths that contradict each other or are none
	TargetTooLong  Reason = "too-long"     // more bytes of a request line than Limits allows for the whole head
	TooLarge       Reason = "too-large"    // more bytes of headers than Limits allows
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{BadRequestLine, BadTarget, BadHost, BadHeader, BareLF, ObsFold, BadFraming, TargetTooLong, TooLarge}
}

// RefusedFor reports whether r stands for a refused request, and why that was refused.
func RefusedFor(r *http.Request) (Reason, bool) {
	if r.Method != RefusedMethod {
		return "", false
	}
	if len(r.URL.Path) > 1 {
		for _, known := range Reasons() {
			if r.URL.Path[1:] == string(known) {
				return known, true
			}
		}
	}
	return BadRequestLine, true
}

// Status is the HTTP status that tells of the reason.
func (r Reason) Status() int {
	switch r {
	case TargetTooLong:
		return http.StatusRequestURITooLong
	case TooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return http.StatusBadRequest
}
