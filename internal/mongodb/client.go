package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// Config says which MongoDB is asked, and how. URI is required; zero values mean the defaults.
type Config struct {
	URI              URI
	DB               string            // of the content; empty: the one in the URI's path
	SettingsDB       string            // of the settings documents; empty: DB
	MinPool          int               // connections kept; 0: 5, or MaxPool where that is less
	MaxPool          int               // 0: 20
	Idle             time.Duration     // how long an unused connection is kept; 0: 45 s
	BlogTimeout      time.Duration     // of a query for single documents; 0: 3 s
	ListTimeout      time.Duration     // of a query for many, each batch of it; 0: 5 s
	AggregateTimeout time.Duration     // of an aggregate; 0: 10 s
	Zone             *time.Location    // that days are shown in; nil: UTC
	Collections      map[string]string // what the database calls blogs and courses
	Fields           map[string]string // what the database calls freshet's fields, dotted
	Refs             map[string]Ref    // fields that refer to documents of other collections
	NoStatus         string            // what posts are that say nothing of it: draft or published; empty: draft
	ReadPreference   string            // primary, primaryPreferred, secondary, secondaryPreferred, nearest; empty: as the URI says
	Breaker          BreakerConfig
	Logger           *slog.Logger // nil: nothing is logged
}

func (c Config) withDefaults() Config {
	if c.MaxPool <= 0 {
		c.MaxPool = 20
	}
	if c.MinPool <= 0 {
		c.MinPool = min(5, c.MaxPool)
	}
	if c.Idle <= 0 {
		c.Idle = 45 * time.Second
	}
	if c.BlogTimeout <= 0 {
		c.BlogTimeout = 3 * time.Second
	}
	if c.ListTimeout <= 0 {
		c.ListTimeout = 5 * time.Second
	}
	if c.AggregateTimeout <= 0 {
		c.AggregateTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// selectTimeout is how long a command waits for a server to be found. The driver's own 30 s would make every command
// wait that long while MongoDB is away.
const selectTimeout = 3 * time.Second

// heartbeat is how often a server is looked after. The driver's own 10 s would be too late for readers to have new pages
// within five seconds of the end of an outage.
const heartbeat = 2 * time.Second

// heartbeatMax is how long the answer to a heartbeat may take. The server may wait for news as long as it is until the
// next one; what takes longer has hung.
const heartbeatMax = heartbeat * 3 / 2

// A DB is a client of one MongoDB. Its methods may be called by several goroutines.
type DB struct {
	cfg      Config
	uri      URI
	name     string // of the content's database
	settings string // of the settings' database
	signedIn bool   // the URI names a user
	client   *mongo.Client
	pref     *readpref.ReadPref // nil: primary
	breaker  *breaker
	monitor  *monitor
	log      *slog.Logger
	slow     sync.Map // slowScan → struct{}: collections that are read in parts
}

// Open makes the client. It asks the server nothing: that it is away is an error of the first command. Close gives the
// connections back.
func Open(_ context.Context, cfg Config) (*DB, error) {
	db, opts, err := prepare(cfg, true)
	if err != nil {
		return nil, err
	}
	opts.SetMonitor(db.monitor.command()).SetPoolMonitor(db.monitor.pools()).SetServerMonitor(db.monitor.servers())
	if db.client, err = mongo.Connect(opts); err != nil {
		return nil, db.badURI(err)
	}
	return db, nil
}

// Check says what is wrong with a Config, as far as that can be told without asking anybody: where a mongodb+srv URI
// leads, only the DNS knows.
func (c Config) Check() error {
	_, _, err := prepare(c, false)
	return err
}

// prepare makes a DB without its client, and the client's options. lookUp says that the DNS may be asked.
func prepare(cfg Config, lookUp bool) (*DB, *options.ClientOptions, error) {
	cfg = cfg.withDefaults()
	log := cfg.Logger.With("part", "mongodb")
	db := &DB{cfg: cfg, uri: cfg.URI, log: log, breaker: newBreaker(cfg.Breaker, log), monitor: newMonitor(log)}
	db.monitor.answers = db.breaker.answers
	fail := func(err error) (*DB, *options.ClientOptions, error) { return nil, nil, err }
	if cfg.URI == "" {
		return fail(&Error{Message: "mongo.uri (MONGODB_URI) is not set", Remedy: "set it to " + uriRemedy})
	}
	scheme, _, ok := strings.Cut(string(cfg.URI), "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return fail(&Error{Message: "mongo.uri (MONGODB_URI) is no MongoDB URI: it begins with neither mongodb:// nor mongodb+srv://", Remedy: uriRemedy})
	}
	if cfg.MinPool > cfg.MaxPool {
		return fail(&Error{Message: fmt.Sprintf("mongo.minPool is %d, more than mongo.maxPool, which is %d", cfg.MinPool, cfg.MaxPool), Remedy: "lower the one or raise the other"})
	}
	opts := options.Client()
	if lookUp || scheme == "mongodb" {
		if err := opts.ApplyURI(string(cfg.URI)).Validate(); err != nil {
			return fail(db.badURI(err))
		}
	}
	if err := db.nameDatabases(); err != nil {
		return fail(err)
	}
	if err := cfg.checkSchema(); err != nil {
		return fail(err)
	}
	opts.SetAppName("freshet").
		SetMinPoolSize(uint64(cfg.MinPool)).SetMaxPoolSize(uint64(cfg.MaxPool)).SetMaxConnIdleTime(cfg.Idle).
		SetServerSelectionTimeout(selectTimeout).SetHeartbeatInterval(heartbeat).SetRetryReads(true).
		// Not strict: text indexes are in no version of the Stable API, and compatible servers refuse what is strict.
		SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1))
	db.pref = opts.ReadPreference
	if cfg.ReadPreference != "" {
		mode, err := readpref.ModeFromString(cfg.ReadPreference)
		if err == nil {
			db.pref, err = readpref.New(mode)
		}
		if err != nil {
			return fail(&Error{Message: fmt.Sprintf("mongo.readPreference: there is no %q", cfg.ReadPreference),
				Remedy: "primary, primaryPreferred, secondary, secondaryPreferred or nearest"})
		}
		opts.SetReadPreference(db.pref)
	}
	db.signedIn = opts.Auth != nil
	return db, opts, nil
}

// Close ends what runs and gives the connections back.
func (db *DB) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), selectTimeout)
	defer cancel()
	return db.client.Disconnect(ctx)
}

// Format prints the DB by its URI's hosts, whatever the verb: its fields hold the password.
func (db *DB) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "mongodb.DB(%s)", db.uri) }

// Name is the database of the content.
func (db *DB) Name() string { return db.name }

// Called is what the database calls a collection of the content.
func (db *DB) Called(coll string) string { return db.cfg.real(coll) }

// Reads reports whether builds read a collection, by freshet's name for it or by the database's own.
func (db *DB) Reads(coll string) bool {
	ours := db.cfg.ours(db.cfg.real(coll))
	return ours == blogs || ours == courses || coll == settings || slices.Contains(db.cfg.referred(), coll)
}

// Stats counts what has been asked so far.
func (db *DB) Stats() Stats {
	s := db.monitor.stats()
	s.Pool.Max, s.Breaker = db.cfg.MaxPool, db.breaker.snapshot()
	return s
}

// Resting reports whether the circuit breaker is open: MongoDB is not asked for a while.
func (db *DB) Resting() bool { return db.breaker.snapshot().State == "open" }

// uriRemedy shows what a URI is like.
const uriRemedy = "mongodb://user:password@host:27017/database or mongodb+srv://…; special characters of user and password percent-encoded"

// nameDatabases finds the databases of the content and of the settings. The URI is one that the driver understands.
func (db *DB) nameDatabases() error {
	_, rest, _ := strings.Cut(string(db.uri), "://")
	_, rest = cutLast(rest, "@")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	db.name = db.cfg.DB
	if inPath, err := url.PathUnescape(path); err == nil && db.name == "" {
		db.name = inPath
	}
	db.settings = cmp.Or(db.cfg.SettingsDB, db.name)
	if db.name == "" {
		return &Error{Message: "no database is named: mongo.db (MONGODB_DB) is not set, and mongo.uri has none after its host",
			Remedy: "set mongo.db, or write mongodb://host/database"}
	}
	for _, d := range []struct{ setting, name string }{{"mongo.db (MONGODB_DB)", db.name}, {"mongo.settingsDB", db.settings}} {
		if !DatabaseName(d.name) {
			return &Error{Message: fmt.Sprintf("%s: %q is no name for a database", d.setting, d.name), Remedy: "correct it"}
		}
	}
	return nil
}

// DatabaseName reports whether a database can have a name.
func DatabaseName(name string) bool {
	return !strings.ContainsAny(name, "/\\. \"$*<>:|?\x00") && len(name) <= 63
}

// badURI says that the driver does not understand the URI. Its own text may quote any part of it, so it is asked again
// about the URI without user and password, and shown only where it holds nothing of what may be secret.
func (db *DB) badURI(err error) error {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return &Error{Message: fmt.Sprintf("there is no MongoDB cluster of the name in mongo.uri (MONGODB_URI): %s", db.uri.hosts()), Remedy: "correct the host"}
	}
	message := "mongo.uri (MONGODB_URI) cannot be understood"
	scheme, rest, _ := strings.Cut(string(db.uri), "://")
	user, rest := cutLast(rest, "@")
	if user != "" {
		if err = options.Client().ApplyURI(scheme + "://" + rest).Validate(); err == nil {
			message += ": its user or password is not percent-encoded"
		}
	}
	if err != nil && !db.uri.taints(err.Error()) {
		message += ": " + err.Error()
	}
	return &Error{Message: message, Remedy: uriRemedy}
}

// A class is a kind of command, by how long it may take.
type class uint8

const (
	blog      class = iota // single documents
	list                   // many documents, or a batch of them
	aggregate              // computed by the server
	building               // of indexes: as long as it takes, within reason
)

func (db *DB) limit(c class) time.Duration {
	switch c {
	case blog:
		return db.cfg.BlogTimeout
	case list:
		return db.cfg.ListTimeout
	case aggregate:
		return db.cfg.AggregateTimeout
	}
	return time.Hour // a million documents take minutes; the user is waiting and can interrupt it
}

// answerShare is which part of a limit a server has to say that it was reached, before the server counts as hung.
const answerShare = 10

// run is the gate: whatever goes to MongoDB goes through it. what says what is being done, for messages. f must send
// its commands with the context it is given, and return their errors as they are.
func (db *DB) run(ctx context.Context, c class, what string, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ok, trial := db.breaker.enter()
	if !ok {
		return db.refuse(what)
	}
	limit := db.limit(c)
	asked := ctx
	if trial {
		// A trial without an outcome would keep the breaker half-open for ever, and a caller that goes away says
		// nothing about MongoDB.
		asked = context.WithoutCancel(ctx)
	}
	asked, cancel := context.WithTimeout(asked, limit+limit/answerShare)
	defer cancel()
	err := f(asked)
	if !trial && err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	err = limited(asked, err)
	if failure := db.monitor.poolFailure(); failure != nil && poolCleared(err) {
		err = fmt.Errorf("%w: %w", err, failure)
	}
	db.breaker.record(err)
	return db.explain(what, limit, err)
}

// limited says of an undated context's end that it was the limit of asked: nobody else has cancelled it.
func limited(asked context.Context, err error) error {
	if errors.Is(err, context.Canceled) && asked.Err() != nil {
		return fmt.Errorf("%w: %v", context.DeadlineExceeded, err)
	}
	return err
}

// refuse says that the breaker lets nothing go.
func (db *DB) refuse(what string) error {
	b := db.breaker.snapshot()
	return &Error{Message: fmt.Sprintf("%s: MongoDB at %s is left alone for another %v after %d failures", what, db.uri.hosts(), b.RetryIn.Round(time.Second), b.Failures),
		Remedy: "see the errors before; breaker.open sets the time", err: ErrUnavailable}
}

// retrying calls f once more if that promises something. The driver does so for its own reads, but not for commands
// that are run as such. That a command got no connection, because another had failed, is no try of its own: the pool
// opens again with the next heartbeat, half a second later, unless the server refuses whoever connects.
func retrying(ctx context.Context, f func() error) error {
	err := f()
	for wait := 10 * time.Millisecond; poolCleared(err) && wait < time.Second; wait *= 2 {
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
		err = f()
	}
	if again(err) && ctx.Err() == nil {
		err = f()
	}
	return err
}

// A query is a find. Every one must be served from an index, or be the scan of a whole collection.
type query struct {
	db, coll   string
	class      class
	filter     bson.D
	projection bson.D
	hint       string // name of an index; empty: as the server likes
	limit      int    // all in one batch; 0: none
	batch      int    // documents of a batch; 0: as the server likes
	batches    bool   // there may be many: what takes too long as one cursor is read in parts
	sort       bool   // by _id
}

// batchSize is how many documents of a scan come at a time.
const batchSize = 1000

// find calls each with the documents found, which are valid until it returns. Whatever stops the cursor before its end
// is an error. Of a query with many batches each may get a document twice.
func (db *DB) find(ctx context.Context, q query, each func(bson.Raw) error) error {
	if q.db == db.name {
		q.coll = db.cfg.real(q.coll)
	}
	if q.batches {
		return db.scan(ctx, q, each)
	}
	return db.findOnce(ctx, q, each)
}

// findOnce is find with one cursor.
func (db *DB) findOnce(ctx context.Context, q query, each func(bson.Raw) error) error {
	what := fmt.Sprintf("read %s.%s", q.db, q.coll)
	cmd := bson.D{{Key: "find", Value: q.coll}, {Key: "filter", Value: orEmpty(q.filter)}}
	if len(q.projection) > 0 {
		cmd = append(cmd, bson.E{Key: "projection", Value: q.projection})
	}
	if q.hint != "" {
		cmd = append(cmd, bson.E{Key: "hint", Value: q.hint})
	}
	if q.limit > 0 {
		cmd = append(cmd, bson.E{Key: "limit", Value: int64(q.limit)}, bson.E{Key: "singleBatch", Value: true})
	}
	if q.batch > 0 {
		cmd = append(cmd, bson.E{Key: "batchSize", Value: int32(q.batch)})
	}
	if q.sort {
		cmd = append(cmd, bson.E{Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}})
	}
	cmd = append(cmd, bson.E{Key: "maxTimeMS", Value: db.limit(q.class).Milliseconds()})
	cur, err := db.cursor(ctx, q.class, what, q.db, cmd)
	if err != nil {
		return err
	}
	cur.SetBatchSize(int32(q.batch))
	return db.drain(ctx, q.class, what, cur, each)
}

// An undated context ends as its parent does, but says neither when nor that its time is over. The driver adds a
// maxTimeMS of its own to commands whose context has a deadline, and a server refuses what has two; and of a context
// without one it ends what waits for the server only when it is cancelled.
type undated struct{ context.Context }

// Deadline says that there is none.
func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

// Err says that the context was cancelled, if it has ended.
func (c undated) Err() error {
	if c.Context.Err() == nil {
		return nil
	}
	return context.Canceled
}

// cursor runs a command that answers with a cursor and has a maxTimeMS.
func (db *DB) cursor(ctx context.Context, c class, what, name string, cmd bson.D) (*mongo.Cursor, error) {
	var cur *mongo.Cursor
	err := db.run(ctx, c, what, func(ctx context.Context) error {
		return retrying(ctx, func() (err error) {
			cur, err = db.client.Database(name).RunCommandCursor(undated{ctx}, cmd, options.RunCmd().SetReadPreference(db.pref))
			return err
		})
	})
	return cur, err
}

// drain reads a cursor to its end. Each batch has the whole time of its class.
func (db *DB) drain(ctx context.Context, c class, what string, cur *mongo.Cursor, each func(bson.Raw) error) (err error) {
	defer func() {
		if err == nil {
			return // at its end the server has closed it
		}
		// The server forgets a cursor by itself after some minutes; where it is unwell it is not asked to.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if errors.Is(err, ErrUnavailable) {
			cancel()
		}
		defer cancel()
		_ = cur.Close(closing) // err says what matters
	}()
	for {
		more := false
		if cur.RemainingBatchLength() > 0 {
			more = cur.Next(ctx)
			err = cur.Err()
		} else if cur.ID() != 0 {
			err = db.run(ctx, c, what, func(ctx context.Context) error {
				more = cur.Next(ctx)
				return cur.Err()
			})
		}
		if err != nil || !more {
			return err
		}
		if err = each(cur.Current); err != nil {
			return err
		}
	}
}

func orEmpty(d bson.D) bson.D {
	if d == nil {
		return bson.D{}
	}
	return d
}

// count is how many documents a collection of the content has by the server's own books, which are right unless it has
// crashed.
func (db *DB) count(ctx context.Context, coll string) (int, error) {
	coll = db.cfg.real(coll)
	cmd := bson.D{{Key: "count", Value: coll}, {Key: "maxTimeMS", Value: db.limit(list).Milliseconds()}}
	var reply struct {
		N int `bson:"n"`
	}
	err := db.run(ctx, list, fmt.Sprintf("count %s.%s", db.name, coll), func(ctx context.Context) error {
		return retrying(ctx, func() error {
			return db.client.Database(db.name).RunCommand(undated{ctx}, cmd, options.RunCmd().SetReadPreference(db.pref)).Decode(&reply)
		})
	})
	return reply.N, err
}

// mayRead reports whether the user may read a collection, which need not be there.
func (db *DB) mayRead(ctx context.Context, name, coll string) error {
	q := query{db: name, coll: coll, class: blog, projection: bson.D{{Key: "_id", Value: 1}}, limit: 1}
	return db.find(ctx, q, func(bson.Raw) error { return nil })
}

// collections returns the types of those named that the database has: "collection", "view" …, and the names of some
// others.
func (db *DB) collections(ctx context.Context, name string, wanted ...string) (types map[string]string, others []string, err error) {
	what := "list the collections of " + name
	cmd := bson.D{{Key: "listCollections", Value: 1}, {Key: "nameOnly", Value: true}, {Key: "authorizedCollections", Value: true},
		{Key: "maxTimeMS", Value: db.limit(list).Milliseconds()}}
	cur, err := db.cursor(ctx, list, what, name, cmd)
	if err != nil {
		return nil, nil, err
	}
	types = map[string]string{}
	err = db.drain(ctx, list, what, cur, func(raw bson.Raw) error {
		there, _ := raw.Lookup("name").StringValueOK()
		coll := there
		if name == db.name {
			coll = db.cfg.ours(there)
		}
		kind, _ := raw.Lookup("type").StringValueOK()
		if slices.Contains(wanted, coll) {
			types[coll] = kind
		} else if !strings.HasPrefix(there, "system.") {
			others = append(others, there)
		}
		return nil
	})
	slices.Sort(others)
	return types, others, err
}
