// Package redisdb keeps in Redis what the servers of a site share, and is the only package that speaks to it.
//
// A [DB] is one client of one Redis, or of what speaks like it: Valkey, Upstash. [DB.Ledger] holds limits, attempts to sign
// in, and the news of guards. Each of its calls is one command, a script that Redis runs as a whole; its keys, with what they
// hold and for how long, are in docs/formats/redis.md.
//
// Every call has a deadline, and none is tried again: what could not be said in time is for the caller to judge. A Redis
// that is away, hangs, refuses the sign-in, is a replica or is full is an [Error] that says so in one line; the next call
// finds out anew whether it is back. Nothing here logs. No error or value shows user and password of the URL.
//
// What Redis loses, by a restart without persistence or by eviction, is lost: counts begin again, and servers that have
// heard an event keep to it.
package redisdb

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says which Redis is asked. URL is required.
type Config struct {
	URL    URL
	Prefix string // of all keys; empty: freshet:
}

const (
	// callTimeout is the longest that a call takes, when the caller gives it more or nothing.
	callTimeout = 2 * time.Second
	// dialTimeout leaves a caller with a second of time enough of it to be told why.
	dialTimeout = 750 * time.Millisecond
	// connections are for the one call of every 100 ms, and for attempts to sign in, which wait for one when there are more.
	connections = 8
	// idle is below the time after which the providers of Redis, and what is between, close connections.
	idle = 45 * time.Second
)

// rightPrefix has no braces, which are for the hash tag, and nothing that a URL has.
var rightPrefix = regexp.MustCompile(`^[A-Za-z0-9:._-]{1,100}$`)

// A DB is a client of one Redis. Its methods may be called by several goroutines.
type DB struct {
	url    URL
	prefix string
	client *redis.Client
	dials  dials
}

// New makes the client. It asks the server nothing: that it is away is an error of the first call. Close gives the
// connections back.
func New(cfg Config) (*DB, error) {
	opts, err := cfg.URL.options()
	if err != nil {
		return nil, err
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "freshet:"
	}
	if err := CheckPrefix(cfg.Prefix); err != nil {
		return nil, err
	}
	db := &DB{url: cfg.URL, prefix: cfg.Prefix}
	db.dials.dial = redis.NewDialer(opts)
	db.dials.ctx, db.dials.stop = context.WithCancel(context.Background())
	opts.Dialer = db.dials.connect
	redis.SetLogger(silent{})
	db.client = redis.NewClient(opts)
	return db, nil
}

// Close closes all connections, and waits for those that are being made.
func (db *DB) Close() error {
	db.dials.end()
	return db.client.Close()
}

// CheckPrefix reports what is wrong with a prefix of keys.
func CheckPrefix(prefix string) error {
	if !rightPrefix.MatchString(prefix) {
		return &Error{Message: fmt.Sprintf("redis.prefix %.120q cannot begin keys", prefix),
			Remedy: "from 1 to 100 letters, digits and any of : . _ -, as freshet:"}
	}
	return nil
}

// Check reports what is wrong with a URL. It shows nothing of it that may be secret.
func (u URL) Check() error {
	_, err := u.options()
	return err
}

func (u URL) options() (*redis.Options, error) {
	const remedy = "such as redis://host:6379, or rediss:// for TLS; user:password@ stands before the host, and what is special in it is percent-encoded"
	if u == "" {
		return nil, &Error{Message: "redis.url (REDIS_URL) is not set", Remedy: remedy}
	}
	opts, err := redis.ParseURL(string(u))
	if err != nil || u.String() == hidden {
		return nil, &Error{Message: "redis.url (REDIS_URL) is no URL of a Redis", Remedy: remedy} // err quotes it
	}
	if strings.Contains(string(u), "?") {
		return nil, &Error{Message: "redis.url (REDIS_URL) has options after a question mark", Remedy: "remove them: freshet sets its own"}
	}
	opts.Protocol = 2 // every server has it, and nothing of the other is used
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// The driver takes no offence at a server that wants a password and got none. It is the first command's to tell, which a
	// big one is not: the server cuts it off.
	opts.OnConnect = func(ctx context.Context, cn *redis.Conn) error { return cn.Time(ctx).Err() }
	opts.MaxRetries = -1 // an attempt that may have been counted must not be counted again
	opts.DialerRetries = 1
	opts.DialTimeout = dialTimeout
	opts.ContextTimeoutEnabled = true
	opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = callTimeout, callTimeout, callTimeout
	opts.PoolSize, opts.MaxActiveConns, opts.PipelinePoolSize = connections, connections, -1
	opts.ConnMaxIdleTime = idle
	return opts, nil
}
