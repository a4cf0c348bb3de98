package redisdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// An Error is what went wrong with Redis in one line, with what to do about it. It holds no secret.
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
	{"ERR DB index", "Redis at %s has no database of the number in redis.url (REDIS_URL)", "leave the number away"},
}

// explain makes one clear line of a failure. what is what was being done.
func (db *DB) explain(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	host := db.url.host()
	e := &Error{err: err}
	if answer, ok := errors.AsType[redis.Error](err); ok {
		text := answer.Error()
		for _, a := range answers {
			// A script's error has the code of its command before or behind that of the script.
			if strings.HasPrefix(text, a.code) || strings.Contains(text, ": "+a.code) || strings.Contains(text, " -"+a.code) {
				e.Message, e.Remedy = what+": "+fmt.Sprintf(a.message, host), a.remedy
				return e
			}
		}
		e.Message = fmt.Sprintf("%s: Redis at %s refuses it", what, host)
		if !db.url.taints(text) {
			e.Message += ": " + text
		}
		return e
	}
	_, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case isDNS && dns.IsNotFound:
		e.Message, e.Remedy = fmt.Sprintf("%s: there is no host of the name in redis.url (REDIS_URL): %s", what, host), "correct the host"
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist):
		e.Message, e.Remedy = fmt.Sprintf("%s: nothing listens at %s (redis.url, REDIS_URL)", what, host), "start Redis there, or correct host and port"
	case isCert, isRecord:
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
	}
	return e
}

// silent is the driver's logger: what it has to say is in the errors of calls.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
