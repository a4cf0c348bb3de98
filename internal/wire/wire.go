// Package wire owns connections from accept to close: it reads PROXY headers, shakes hands for TLS, reads and vets the requests of
// HTTP/1, and has them answered.
//
// The loop of a connection reads the head of one request, vets it, and offers it to [Config].Answer as a plain value. When that
// answers, the loop goes on with the next request; a request is never looked at while the one before it is unanswered. What Answer
// does not take, and what it is not asked for (bodies, ranges, other methods, HTTP/1.0, absolute targets), net/http gets with all
// that was read, and the rest of the connection with it. Connections of HTTP/2, whose framing leaves no doubt, are net/http's from the beginning.
//
// For example: a browser asks for a page and a style sheet, which the loop answers, and then for part of a film. That request and all
// that follow it on the connection are net/http's.
//
// Vetting keeps us and whatever stands in front of us, a CDN or a balancer, in step: where two programs could differ
// about where a request ends or whom it is for, it is refused and the connection ends, however harmless it would have
// been. net/http reads some of these generously (Content-Length beside Transfer-Encoding, folded headers, lines that
// end in a bare line feed, chunk extensions), and by the time a handler runs nothing of it shows. So requests for net/http are vetted
// as well. There a refused one reaches the handler as a request with the method [RefusedMethod], in its place among those before
// it; [RefusedFor] tells why. Of what follows a refused request nothing is read.
//
// Not promised: limits on the number of connections, and time limits of the connections that net/http has, which are its own.
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
