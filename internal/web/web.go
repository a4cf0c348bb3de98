// Package web holds HTTP mechanics with no product in them: chains of middleware, request ids, client addresses,
// handlers that return errors, and the record of each request.
//
// Every request gets an id (one that a client sends is never trusted), which stands in the X-Request-Id header of the
// answer, in its access record and in the log line of whatever went wrong. It is counted for a client, which is the
// other end of the connection unless that is a trusted proxy. A handler's error becomes
// an answer in one place: what is not marked safe for readers is told to the log and becomes the status text for
// the reader, nothing more. Errors are never cached.
package web

import (
	"net/http"
	"slices"
)

// A Middleware wraps a handler in another.
type Middleware func(http.Handler) http.Handler

// Chain wraps h in the given middleware, listed in the order in which they run.
func Chain(h http.Handler, ms ...Middleware) http.Handler {
	for _, m := range slices.Backward(ms) {
		h = m(h)
	}
	return h
}
