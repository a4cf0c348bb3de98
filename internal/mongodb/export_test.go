package mongodb

import (
	"context"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"freshet/internal/extjson"
)

// NewGate returns a DB that has a gate and nothing behind it.
func NewGate(cfg Config) *DB {
	cfg = cfg.withDefaults()
	log := slog.New(slog.DiscardHandler)
	if cfg.Logger != nil {
		log = cfg.Logger
	}
	return &DB{cfg: cfg, uri: "mongodb://host/db", name: "db", breaker: newBreaker(cfg.Breaker, log), monitor: newMonitor(log), log: log}
}

// Run puts a command that takes up to the time of single documents through the gate.
func (db *DB) Run(ctx context.Context, f func(context.Context) error) error {
	return db.run(ctx, blog, "test", f)
}

// Heartbeat is what the driver's monitor reports: a server has answered, and again says that it had not before.
func (db *DB) Heartbeat(again bool) { db.breaker.answers(again) }

// HeartbeatMax is how long the answer to a heartbeat may take.
const HeartbeatMax time.Duration = heartbeatMax

// Client is the driver's, to make what is to be read.
func (db *DB) Client() *mongo.Client { return db.client }

// SelectTimeout is how long a command waits for a server to be found.
const SelectTimeout time.Duration = selectTimeout

// Projection is what is not read of a post.
func Projection() bson.D { return (&Config{}).projection() }

// ToBSON and FromBSON are what a Library stores and reads.
func ToBSON(d extjson.Doc) (bson.Raw, error) { return toBSON(d) }

func FromBSON(raw bson.Raw) (extjson.Doc, error) { return fromBSON(raw) }

// SetIdle sets how often streams without events say how far they have come.
func (f *Feed) SetIdle(every time.Duration) { f.idle = every }

// BodyBatch is how many documents are asked for at once when bodies are read.
const BodyBatch = bodyBatch
