// Package redisdb keeps in Redis what the servers of a site share, and is the only package that speaks to it.
//
// A [DB] is one client of one Redis, or of what speaks like it: Valkey, Upstash. [DB.Ledger] holds limits, attempts to sign
// in, and the news of guards. Each of its calls is one command, a script that Redis runs as a whole; its keys, with what they
// hold and for how long, are in docs/formats/redis.md.
//
// Every call has a deadline, and no call is repeated: the caller decides what to do after a failure. If Redis is away, hangs,
// refuses the sign-in, is a replica or is full, the call returns an [Error] that says so in one line. The next call tries
// again. This package logs nothing. No error or value shows the user and password of the URL.
//
// What Redis loses, by a restart without persistence or by eviction, is lost: counts begin again. Servers keep the events that
// they have received.
package redisdb

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says which Redis is asked. URL is required.
type Config struct {
	URL    URL
	Prefix string // of all keys; empty: freshet:
	CA     string // file of the certificates that TLS trusts instead of the system's, in PEM; empty: the system's
}

const (
	// callTimeout bounds a call, also if the caller's context has a later deadline or none.
	callTimeout = 5 * time.Second
	// connectTimeout bounds the time until a connection is signed in, which takes up to seven round trips. Callers wait only as
	// long as their own deadlines allow. The attempt continues without them, and a later call uses its connection.
	connectTimeout = 10 * time.Second
	// connections bounds the pool. It serves one call every 100 ms, and sign-in attempts, which wait for a free connection.
	connections = 8
	// idle is shorter than the time after which providers of Redis, and proxies before them, close connections.
	idle = 45 * time.Second
)

// rightPrefix matches a valid prefix: without braces, which mark the hash tag, and without characters of a URL.
var rightPrefix = regexp.MustCompile(`^[A-Za-z0-9:._-]{1,100}$`)

// A DB is a client of one Redis. Its methods may be called by several goroutines.
type DB struct {
	url    URL
	prefix string
	client *redis.Client
	dials  dials

	mu         sync.Mutex // protects what follows
	connected  bool       // the last call had an answer
	connecting *attempt   // nil: none is under way
	closed     bool
	under      sync.WaitGroup // attempts under way; none is added once closed
}

// An attempt is one attempt to reach the server, on behalf of all callers who wait for it.
type attempt struct {
	done chan struct{}
	err  error // when done is closed
}

// New makes the client. It does not contact the server: if that is away, the first call returns the error. Close releases the
// connections.
func New(cfg Config) (*DB, error) {
	opts, err := cfg.URL.options()
	if err != nil {
		return nil, err
	}
	if cfg.CA != "" && opts.TLSConfig == nil {
		return nil, &Error{Message: "redis.ca is set, and redis.url (REDIS_URL) does not use TLS", Remedy: "begin the URL with rediss://, or unset redis.ca"}
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "freshet:"
	}
	if err := CheckPrefix(cfg.Prefix); err != nil {
		return nil, err
	}
	db := &DB{url: cfg.URL, prefix: cfg.Prefix}
	db.dials.tls, db.dials.ca = opts.TLSConfig, cfg.CA
	if _, err := db.dials.roots(); err != nil {
		return nil, err
	}
	// The number of the database is for OnConnect: a server that has no databases cannot say what it is once SELECT has failed.
	number := opts.DB
	opts.DB = 0
	opts.OnConnect = func(ctx context.Context, cn *redis.Conn) error { return db.greet(ctx, cn, number) }
	db.dials.ctx, db.dials.stop = context.WithCancel(context.Background())
	opts.Dialer = db.dials.connect
	redis.SetLogger(silent{})
	db.client = redis.NewClient(opts)
	return db, nil
}

// Close closes all connections, and waits for those that are being made.
func (db *DB) Close() error {
	db.mu.Lock()
	db.closed = true
	db.mu.Unlock()
	db.dials.end()
	err := db.client.Close() // ends the commands of attempts
	db.under.Wait()
	return err
}

// connect waits until a connection is signed in, or until ctx ends. The attempt continues without it.
func (db *DB) connect(ctx context.Context) error {
	db.mu.Lock()
	switch {
	case db.closed:
		db.mu.Unlock()
		return redis.ErrClosed
	case db.connected:
		db.mu.Unlock()
		return nil
	}
	if db.connecting == nil {
		a := &attempt{done: make(chan struct{})}
		db.connecting = a
		db.under.Go(func() {
			ctx, cancel := context.WithTimeout(db.dials.ctx, connectTimeout)
			defer cancel()
			a.err = db.client.Time(ctx).Err()
			db.mu.Lock()
			db.connecting, db.connected = nil, a.err == nil
			db.mu.Unlock()
			close(a.done)
		})
	}
	a := db.connecting
	db.mu.Unlock()
	begin := time.Now()
	select {
	case <-a.done:
		if deadline, ok := ctx.Deadline(); ok && a.err == nil && time.Until(deadline) < time.Since(begin) {
			// A call that ends for want of time ends its connection too, and the next one would begin anew. It has one now.
			return context.DeadlineExceeded
		}
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost records that a call had no answer. The next call first checks whether the server can be reached.
func (db *DB) lost() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.connected = false
}

// greet sends the smallest command that shows what is at the other end of a new connection, and selects the database. The driver
// ignores a server that wants a password and got none, so the first command meets that error. A large first command would not:
// the server cuts it off.
func (db *DB) greet(ctx context.Context, cn *redis.Conn, number int) error {
	err := cn.Time(ctx).Err()
	if err != nil {
		if info, asked := cn.Info(ctx, "server").Result(); asked == nil && strings.Contains(info, "redis_mode:sentinel") {
			return errSentinel
		}
		return err
	}
	if number != 0 {
		return cn.Select(ctx, number).Err()
	}
	return nil
}

// CheckPrefix returns an error if a prefix of keys is not valid.
func CheckPrefix(prefix string) error {
	if !rightPrefix.MatchString(prefix) {
		return &Error{Message: fmt.Sprintf("redis.prefix %.120q cannot begin keys", prefix),
			Remedy: "from 1 to 100 letters, digits and any of : . _ -, as freshet:"}
	}
	return nil
}

// Check returns an error if a URL is not valid. The error shows no part of it that may be secret.
func (u URL) Check() error {
	_, err := u.options()
	return err
}

func (u URL) options() (*redis.Options, error) {
	const remedy = "such as redis://host:6379, or rediss:// for TLS; user:password@ stands before the host, and what is special in it is percent-encoded"
	switch scheme, _, _ := strings.Cut(strings.ToLower(string(u)), "://"); scheme {
	case "http", "https":
		return nil, &Error{Message: "redis.url (REDIS_URL) is an " + scheme + " address, which is that of a REST API, such as Upstash's",
			Remedy: "take the address of the same database that begins with rediss://, such as rediss://user:password@name.upstash.io:6379"}
	case "redis+sentinel", "redis-sentinel", "rediss+sentinel", "sentinel":
		return nil, &Error{Message: "redis.url (REDIS_URL) names Sentinels, which freshet does not ask", Remedy: sentinelRemedy}
	}
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
	opts.MaxRetries = -1 // an attempt that may have been counted must not be counted again
	opts.DialerRetries = 1
	opts.DialTimeout = connectTimeout
	opts.ContextTimeoutEnabled = true
	opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = callTimeout, callTimeout, callTimeout
	opts.PoolSize, opts.MaxActiveConns, opts.PipelinePoolSize = connections, connections, -1
	opts.ConnMaxIdleTime = idle
	return opts, nil
}
