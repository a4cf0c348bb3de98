package redisdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// An Error describes a problem with Redis in one line, and what to do about it. It holds no secret.
type Error struct {
	Message string // names the setting concerned
	Remedy  string
	err     error
}

// Error returns the message and the remedy.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Remedy)
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.err }

// answers are the errors of servers, by how they begin. %s is where the server is.
var answers = []struct{ code, message, remedy string }{
	{"WRONGPASS", "Redis at %s refuses the user or password of redis.url (REDIS_URL)", "correct them, percent-encoded"},
	{"ERR AUTH", "Redis at %s refuses the user or password of redis.url (REDIS_URL)", "a Redis without a password wants a URL without one"},
	{"ERR invalid password", "Redis at %s refuses the password of redis.url (REDIS_URL)", "correct it, percent-encoded"},
	{"NOAUTH", "Redis at %s wants a sign-in, and redis.url (REDIS_URL) has no password", "put it into the URL: redis://user:password@host"},
	{"NOPERM", "the user of redis.url (REDIS_URL) may not do it at %s", "grant it ~<redis.prefix>* and +hello +select +evalsha +eval +time +get +mget +set +expire +pexpire +lrange +lrem +rpush +xadd +xread +zadd +zrange +zrangebyscore +zremrangebyscore +zrem +zcard +hget +hmget +hset +hdel"},
	{"READONLY", "Redis at %s is a replica", "name the primary in redis.url (REDIS_URL)"},
	{"OOM", "Redis at %s has no memory left", "raise its maxmemory, or see what else fills it: freshet's keys expire"},
	{"MISCONF", "Redis at %s takes no writes, for it cannot save", "see its log and its disk"},
	{"LOADING", "Redis at %s is still loading its data", "it will be back by itself"},
	{"MASTERDOWN", "Redis at %s is a replica without its primary", "name the primary in redis.url (REDIS_URL)"},
	{"MOVED", "Redis at %s is one node of a cluster", "name an endpoint in redis.url (REDIS_URL) that stands for the whole of it, or a Redis of its own"},
	{"CLUSTERDOWN", "the cluster of Redis at %s is down", "see its log"},
	{"WRONGTYPE", "a key below redis.prefix at %s holds something that is not freshet's", "remove it, or set another redis.prefix"},
	{"ERR max number of clients", "Redis at %s has no connection left", "raise its maxclients, or see who holds them"},
	{"ERR invalid DB index", "Redis at %s has no database of the number in redis.url (REDIS_URL)", "leave the number away"},
	{"ERR SELECT is not allowed in cluster mode", "Redis at %s is a cluster, which has no database of the number in redis.url (REDIS_URL)", "leave the number away"},
	{"ERR DB index", "Redis at %s has no database of the number in redis.url (REDIS_URL)", "leave the number away"},
}

// sentinelRemedy is for a URL that names a Sentinel instead of the Redis that it watches.
const sentinelRemedy = "name the primary, or a proxy or service that leads to it, with its own port, mostly 6379; SENTINEL GET-MASTER-ADDR-BY-NAME tells where it is"

// errSentinel is what greet finds out.
var errSentinel = errors.New("redisdb: a Sentinel")

// unknownCommand matches the beginning of a server's error for an unknown command, and the quotes around the command's name. Servers
// repeat the name as it was sent.
var unknownCommand = regexp.MustCompile("^ERR unknown command ['`]?([A-Za-z.]+)")

// lacking explains the lack of a command.
func lacking(host, text string) (message, remedy string, ok bool) {
	name := ""
	if m := unknownCommand.FindStringSubmatch(text); m != nil {
		name = strings.ToUpper(m[1])
	}
	switch {
	case name == "EVAL" || name == "EVALSHA":
		return fmt.Sprintf("Redis at %s does not have the command %s, by which freshet runs scripts", host, name),
			"take its rename-command out of redis.conf, or name a Redis that runs scripts in redis.url (REDIS_URL)", true
	case name != "":
		return fmt.Sprintf("Redis at %s does not have the command %s", host, name),
			"take its rename-command out of redis.conf, or name a Redis of 6.2 or later in redis.url (REDIS_URL)", true
	case strings.Contains(text, "nknown Redis command called from"), strings.Contains(text, "nknown command called from script"):
		return fmt.Sprintf("Redis at %s does not have a command that freshet's scripts call", host),
			"take the lines rename-command out of redis.conf, or name a Redis of 6.2 or later in redis.url (REDIS_URL); docs/formats/redis.md lists the commands", true
	}
	return "", "", false
}

// untrusted explains why a certificate was refused. Names in a certificate are text from others.
func untrusted(host string, err *tls.CertificateVerificationError) (message, remedy string) {
	name := "a certificate"
	self := false
	if len(err.UnverifiedCertificates) > 0 {
		c := err.UnverifiedCertificates[0]
		subject, issuer := c.Subject.String(), c.Issuer.String()
		self = subject == issuer
		if c.Subject.CommonName == "" && len(c.DNSNames) > 0 {
			subject = c.DNSNames[0]
		}
		name = fmt.Sprintf("the certificate %.200q, issued by %.200q,", subject, issuer)
		if self {
			name = fmt.Sprintf("the certificate %.200q, issued by itself,", subject)
		}
	}
	message = fmt.Sprintf("Redis at %s (redis.url, REDIS_URL) shows %s which is not trusted here: %.300q", host, name, err.Err.Error())
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err.Err); is && invalid.Reason == x509.Expired {
		return message, "renew it, or see that the clocks of both machines are right"
	}
	if _, is := errors.AsType[x509.HostnameError](err.Err); is {
		return message, "name the host in redis.url as the certificate does, or have it made for this name"
	}
	if self {
		return message, "set redis.ca (FRESHET_REDIS_CA) to a file that holds this certificate in PEM"
	}
	return message, "set redis.ca (FRESHET_REDIS_CA) to the file of its issuer's certificate in PEM, or see that Redis sends the whole chain"
}

// explain describes a failure in one line. what names the action that failed.
func (db *DB) explain(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Message: what + ": " + e.Message, Remedy: e.Remedy, err: err}
	}
	host := db.url.host()
	e := &Error{err: err}
	if errors.Is(err, errSentinel) {
		e.Message, e.Remedy = fmt.Sprintf("%s: a Sentinel answers at %s (redis.url, REDIS_URL), not Redis", what, host), sentinelRemedy
		return e
	}
	if answer, ok := errors.AsType[redis.Error](err); ok {
		text := answer.Error()
		for _, a := range answers {
			// A script's error has the code of its command before or behind that of the script.
			if strings.HasPrefix(text, a.code) || strings.Contains(text, ": "+a.code) || strings.Contains(text, " -"+a.code) {
				e.Message, e.Remedy = what+": "+fmt.Sprintf(a.message, host), a.remedy
				return e
			}
		}
		if message, remedy, ok := lacking(host, text); ok {
			e.Message, e.Remedy = what+": "+message, remedy
			return e
		}
		e.Message = fmt.Sprintf("%s: Redis at %s refuses it", what, host)
		if !db.url.taints(text) {
			e.Message += ": " + text
		}
		return e
	}
	cert, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case isDNS && dns.IsNotFound:
		e.Message, e.Remedy = fmt.Sprintf("%s: there is no host of the name in redis.url (REDIS_URL): %s", what, host), "correct the host"
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist):
		e.Message, e.Remedy = fmt.Sprintf("%s: nothing listens at %s (redis.url, REDIS_URL)", what, host), "start Redis there, or correct host and port"
	case isCert:
		message, remedy := untrusted(host, cert)
		e.Message, e.Remedy = what+": "+message, remedy
	case strings.Contains(err.Error(), "tls: certificate required"), isOp && op.Op == "remote error" && strings.Contains(op.Err.Error(), "bad certificate"): // TLS 1.3, 1.2
		e.Message = fmt.Sprintf("%s: Redis at %s (redis.url, REDIS_URL) asks for a certificate of its clients, and freshet has none", what, host)
		e.Remedy = "set tls-auth-clients to no or optional in redis.conf; a password keeps others out"
	case isRecord, isOp && op.Op == "remote error":
		e.Message = fmt.Sprintf("%s: there is no secure connection to Redis at %s (redis.url, REDIS_URL): TLS fails", what, host)
		e.Remedy = "rediss:// is for a Redis with TLS and a certificate that is trusted here, redis:// for one without"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout), isNet && netErr.Timeout():
		e.Message = fmt.Sprintf("%s: Redis at %s (redis.url, REDIS_URL) does not answer in time", what, host)
		e.Remedy = "see that it runs and can be reached from here"
		if strings.HasPrefix(string(db.url), "rediss:") {
			e.Remedy += ", and that it speaks TLS"
		}
	case errors.Is(err, redis.ErrClosed), errors.Is(err, net.ErrClosed):
		e.Message = fmt.Sprintf("%s: the connection to Redis was closed here", what)
	default:
		e.Message = fmt.Sprintf("%s: Redis at %s (redis.url, REDIS_URL) closed the connection", what, host)
		e.Remedy = "see that it runs; one with TLS wants rediss://"
		if strings.HasPrefix(string(db.url), "rediss:") {
			e.Remedy = "see that it runs, and that it asks for no certificate of its clients: tls-auth-clients no in redis.conf"
		}
	}
	return e
}

// silent is the driver's logger. It drops all messages, because the errors of calls hold the same facts.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
