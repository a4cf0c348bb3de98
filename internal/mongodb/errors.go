package mongodb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// ErrUnavailable says that MongoDB could not be asked: it is away, too slow, or the breaker is open. It says nothing
// about what is there.
var ErrUnavailable = errors.New("mongodb is unavailable")

// An Error is what went wrong with MongoDB in one line, with what to do about it. It holds no secret.
type Error struct {
	Message string // names the setting concerned
	Remedy  string
	err     error
}

// Error is the message and the remedy.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Remedy)
}

// Unwrap returns the cause: ErrUnavailable, an error of the driver, or nil.
func (e *Error) Unwrap() error { return e.err }

// Codes of servers. Their texts and names differ between servers, and are never looked at.
const (
	codeBadValue             = 2
	codeHostUnreachable      = 6
	codeHostNotFound         = 7
	codeUserNotFound         = 11
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeNamespaceNotFound    = 26
	codeIndexNotFound        = 27
	codeMaxTimeMSExpired     = 50
	codeCommandNotFound      = 59
	codeInvalidNamespace     = 73
	codeCannotCreateIndex    = 67
	codeIndexOptions         = 85
	codeIndexKeySpecs        = 86
	codeNetworkTimeout       = 89
	codeShutdownInProgress   = 91
	codeCommandNotSupported  = 115
	codePrimarySteppedDown   = 189
	codeNotImplemented       = 238
	codeExceededTimeLimit    = 262
	codeMechanismUnavailable = 334
	codeAtlas                = 8000 // Atlas refuses a sign-in
	codeSocketException      = 9001
	codeNotPrimary           = 10107
	codeDuplicateKey         = 11000
	codeInterruptedAtExit    = 11600
	codeInterruptedByChange  = 11602
	codeNotPrimaryNoFallback = 13435
	codeNotPrimaryOrAny      = 13436
)

// passing are the codes of a server that is going away or has handed its place to another: another try may succeed.
var passing = []int{
	codeHostUnreachable, codeHostNotFound, codeNetworkTimeout, codeShutdownInProgress, codePrimarySteppedDown,
	codeExceededTimeLimit, codeSocketException, codeNotPrimary, codeInterruptedAtExit, codeInterruptedByChange,
	codeNotPrimaryNoFallback, codeNotPrimaryOrAny,
}

// signIn are the codes of a server that refuses a user.
var signIn = []int{codeAuthenticationFailed, codeUserNotFound, codeAtlas, codeMechanismUnavailable}

// hasCode reports whether an error, or any that it wraps, is a server's with one of the codes.
func hasCode(err error, codes ...int) bool {
	switch e := err.(type) {
	case nil:
		return false
	case driver.Error: // as the pool's and the monitor's events have it
		if slices.Contains(codes, int(e.Code)) {
			return true
		}
	case mongo.ServerError:
		if slices.ContainsFunc(codes, e.HasErrorCode) {
			return true
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return hasCode(e.Unwrap(), codes...)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return hasCode(err, codes...) })
	}
	return false
}

// unwell reports whether an error says that the server is away or overloaded. That is what opens the breaker.
func unwell(err error) bool {
	_, isNet := errors.AsType[net.Error](err) // while connecting, the driver's error has no label that says so
	return err != nil && (isNet || mongo.IsTimeout(err) || mongo.IsNetworkError(err) || hasCode(err, passing...) ||
		poolCleared(err) && !hasCode(err, signIn...))
}

// again reports whether a read is worth a second try at once: the connection was cut, or the server changed its role.
// What took too long would take too long again.
func again(err error) bool {
	return err != nil && !mongo.IsTimeout(err) && (mongo.IsNetworkError(err) || hasCode(err, passing...) || poolCleared(err))
}

// poolCleared reports whether a command got no connection because another had failed.
func poolCleared(err error) bool {
	_, ok := errors.AsType[interface {
		error
		driver.RetryablePoolError
	}](err)
	return ok
}

// explain makes one clear line of a failure. what is what was being done.
func (db *DB) explain(what string, limit time.Duration, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, done := errors.AsType[*Error](err); done {
		return err
	}
	e := &Error{err: err}
	host := db.uri.hosts()
	switch {
	case hasCode(err, signIn...):
		e.Message = fmt.Sprintf("%s: MongoDB at %s refuses the user or password of mongo.uri (MONGODB_URI)", what, host)
		e.Remedy = "correct them, percent-encoded; authSource=… in the URI names the database that knows the user"
	case hasCode(err, codeUnauthorized) && !db.signedIn:
		e.Message = fmt.Sprintf("%s: MongoDB at %s wants a sign-in, and mongo.uri (MONGODB_URI) has no user", what, host)
		e.Remedy = "put the user into the URI: mongodb://user:password@host/database"
	case hasCode(err, codeUnauthorized):
		e.Message = fmt.Sprintf("%s: the user of mongo.uri (MONGODB_URI) has no permission for it", what)
		e.Remedy = "grant that user the role read on the database (readWrite for import and indexes), or name another with mongo.db (MONGODB_DB) or mongo.settingsDB"
	case hasCode(err, codeInvalidNamespace):
		e.Message = fmt.Sprintf("%s: %q is no name for a database (mongo.db, MONGODB_DB)", what, db.name)
		e.Remedy = "correct it"
	case unwell(err):
		e.err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		e.Message, e.Remedy = db.away(what, host, limit, err)
	default:
		e.Message = fmt.Sprintf("%s: MongoDB at %s refuses it", what, host)
		if text := err.Error(); !db.uri.taints(text) {
			e.Message += ": " + text
		}
	}
	return e
}

// away says why a server does not answer.
func (db *DB) away(what, host string, limit time.Duration, err error) (message, remedy string) {
	if hasCode(err, codeMaxTimeMSExpired) {
		return fmt.Sprintf("%s: MongoDB at %s took longer than %v", what, host, limit),
			"freshet indexes creates what is missing; mongo.blogTimeout, mongo.listTimeout and mongo.aggregateTimeout set the time"
	}
	// Looking for a server only times out. Why it was not found is what its last heartbeat said.
	cause := err
	failure := db.monitor.heartbeatFailure()
	if failure != nil && !hasCode(err, passing...) {
		cause, limit = failure, min(limit, selectTimeout)
	}
	_, isCert := errors.AsType[*tls.CertificateVerificationError](cause)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](cause)
	_, isRecord := errors.AsType[tls.RecordHeaderError](cause)
	_, isDNS := errors.AsType[*net.DNSError](cause)
	switch {
	case isDNS:
		return fmt.Sprintf("%s: there is no host of the name in mongo.uri (MONGODB_URI): %s", what, host), "correct the host"
	case errors.Is(cause, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s: nothing listens at %s (mongo.uri, MONGODB_URI): connection refused", what, host),
			"start MongoDB there, or correct host and port"
	case isCert, isAuthority, isRecord:
		return fmt.Sprintf("%s: there is no secure connection to MongoDB at %s (mongo.uri, MONGODB_URI): TLS fails", what, host),
			"tls=true, tlsCAFile=… in the URI say how; a server without TLS wants tls=false"
	case errors.Is(failure, io.EOF) || errors.Is(failure, syscall.ECONNRESET):
		return fmt.Sprintf("%s: MongoDB at %s (mongo.uri, MONGODB_URI) closes every connection", what, host),
			"see that it is MongoDB that listens there; one with TLS wants tls=true in the URI, one without tls=false"
	case hasCode(err, passing...):
		return fmt.Sprintf("%s: MongoDB at %s (mongo.uri) is shutting down or is not primary", what, host), "try again"
	case isSelection(err):
		return fmt.Sprintf("%s: no server of MongoDB at %s (mongo.uri, MONGODB_URI) is found within %v that reads can go to", what, host, selectTimeout),
			"see that it runs and can be reached from here; replicaSet=… in the URI is for replica sets only and must be their name, and mongo.readPreference must be one that they have; Atlas wants this address in its access list"
	case mongo.IsTimeout(err) && limit == db.limit(list):
		return fmt.Sprintf("%s: MongoDB at %s (mongo.uri, MONGODB_URI) does not answer within %v", what, host, limit),
			"see that it runs and can be reached from here; mongo.listTimeout sets the time, within which 1000 documents must come"
	case mongo.IsTimeout(err):
		return fmt.Sprintf("%s: MongoDB at %s (mongo.uri, MONGODB_URI) does not answer within %v", what, host, limit),
			"see that it runs and can be reached from here; Atlas wants this address in its access list"
	}
	return fmt.Sprintf("%s: MongoDB at %s (mongo.uri, MONGODB_URI) closed the connection", what, host), "see that it runs; try again"
}

// isSelection reports whether no server was found to send a command to.
func isSelection(err error) bool {
	_, ok := errors.AsType[topology.ServerSelectionError](err)
	return ok
}

// isView says that something is no collection of its own.
func (db *DB) isView(coll string) error {
	return &Error{Message: fmt.Sprintf("%s.%s (mongo.db, MONGODB_DB) is a view, not a collection", db.name, db.cfg.real(coll)),
		Remedy: "name the database that holds the collection itself with mongo.db; a view has no indexes"}
}

// noCollections says that a database is not the one meant.
func (db *DB) noCollections(others []string) error {
	e := &Error{Message: fmt.Sprintf("the database %s (mongo.db, MONGODB_DB) at %s has neither %s nor %s", db.name, db.uri.hosts(), db.cfg.real(blogs), db.cfg.real(courses)),
		Remedy: "name the collections that hold posts and courses with mongo.collections, such as {blogs: posts}, or the database that has them with mongo.db; or fill it with freshet import"}
	if len(others) > 0 {
		e.Message += ", but " + strings.Join(others[:min(len(others), 5)], ", ")
	}
	return e
}

// missing says that a collection is not there that was.
func (db *DB) missing(coll string) error {
	return &Error{Message: fmt.Sprintf("the database %s (mongo.db, MONGODB_DB) at %s has no collection %s, and the site has pages of it", db.name, db.uri.hosts(), db.cfg.real(coll)),
		Remedy: "see whether it was dropped or renamed; if its pages are to go, build with --allow-shrink"}
}

// noDocuments says that there is nothing to build, which is more likely a mistake than meant.
func (db *DB) noDocuments() error {
	return &Error{Message: fmt.Sprintf("the collections %s and %s of the database %s (mongo.db, MONGODB_DB) at %s are empty", db.cfg.real(blogs), db.cfg.real(courses), db.name, db.uri.hosts()),
		Remedy: "name the database that has documents with mongo.db, or fill it with freshet import; nothing was changed"}
}
