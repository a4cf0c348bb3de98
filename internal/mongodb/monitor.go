package mongodb

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Stats is what has gone over the wire so far, and the pool at one moment.
type Stats struct {
	Pool     Pool
	Breaker  Breaker
	Commands []Command // by name and outcome
}

// A Pool is the state of the connection pools of all servers together.
type Pool struct {
	Size     int    // connections
	InUse    int    // of these, those that a command has
	Max      int    // mongo.maxPool, of each server
	Timeouts uint64 // commands that found no free connection in time
	Cleared  uint64 // how often a pool was emptied because its server failed
}

// A Command counts the commands of one name that ended in one way. Both are of small closed sets.
type Command struct {
	Name    string // find, getMore …, await for a getMore that waits for events, or other
	Outcome string // ok, timeout, network, cancelled or refused
	Count   uint64
	Total   time.Duration
	Max     time.Duration
}

// commandNames are those that are counted by their own name.
var commandNames = []string{
	"aggregate", "await", "bulkWrite", "count", "create", "createIndexes", "delete", "distinct", "endSessions", "find", "findAndModify",
	"getMore", "insert", "killCursors", "listCollections", "listIndexes", "ping", "saslContinue", "saslStart", "update",
}

// A monitor counts what the driver tells of its pools, servers and commands.
type monitor struct {
	log               *slog.Logger
	answers           func(again bool) // a server answers a heartbeat; again: it had not before, or not for long. It is set before the first event
	size, inUse       atomic.Int64
	timeouts, cleared atomic.Uint64

	mu        sync.Mutex // protects what follows
	commands  map[commandKey]*Command
	heartbeat error // of the last heartbeat; nil: it succeeded
	pool      error // why a pool was last cleared
}

type commandKey struct{ name, outcome string }

func newMonitor(log *slog.Logger) *monitor {
	return &monitor{log: log, commands: map[commandKey]*Command{}}
}

func (m *monitor) pools() *event.PoolMonitor {
	return &event.PoolMonitor{Event: func(e *event.PoolEvent) {
		switch e.Type {
		case event.ConnectionCreated:
			m.size.Add(1)
		case event.ConnectionClosed:
			m.size.Add(-1)
		case event.ConnectionCheckedOut:
			m.inUse.Add(1)
		case event.ConnectionCheckedIn:
			m.inUse.Add(-1)
		case event.ConnectionCheckOutFailed:
			if e.Reason == event.ReasonTimedOut {
				m.timeouts.Add(1)
			}
		case event.ConnectionPoolCleared:
			m.cleared.Add(1)
			m.mu.Lock()
			m.pool = e.Error
			m.mu.Unlock()
			m.log.Info("mongodb connection pool cleared", "server", e.Address)
		}
	}}
}

func (m *monitor) servers() *event.ServerMonitor {
	return &event.ServerMonitor{
		ServerHeartbeatFailed: func(e *event.ServerHeartbeatFailedEvent) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.heartbeat = e.Failure
		},
		ServerHeartbeatSucceeded: func(e *event.ServerHeartbeatSucceededEvent) {
			m.mu.Lock()
			failed := m.heartbeat != nil
			m.heartbeat = nil
			m.mu.Unlock()
			m.answers(failed || e.Duration > heartbeatMax)
		},
		ServerDescriptionChanged: func(e *event.ServerDescriptionChangedEvent) {
			if e.PreviousDescription.Kind != e.NewDescription.Kind {
				m.log.Info("mongodb server changed", "server", e.Address.String(), "from", e.PreviousDescription.Kind, "to", e.NewDescription.Kind)
			}
		},
	}
}

// heartbeatFailure is why a server could not be reached, if none has answered since.
func (m *monitor) heartbeatFailure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heartbeat
}

// poolFailure is why a pool was last cleared.
func (m *monitor) poolFailure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pool
}

func (m *monitor) command() *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
			m.count(nameOf(ctx, e.CommandName), "ok", e.Duration)
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			m.count(nameOf(ctx, e.CommandName), outcome(e.Failure), e.Duration)
		},
	}
}

// awaiting marks the context of what waits at the server for an event.
type awaiting struct{}

// nameOf is the name that a command is counted by. How long one waits for events says nothing about how long reads take.
func nameOf(ctx context.Context, name string) string {
	if name == "getMore" && ctx.Value(awaiting{}) != nil {
		return "await"
	}
	return name
}

// outcome is how a command failed, as metrics have it.
func outcome(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case mongo.IsTimeout(err):
		return "timeout"
	case unwell(err):
		return "network"
	}
	return "refused"
}

func (m *monitor) count(name, outcome string, took time.Duration) {
	if !slices.Contains(commandNames, name) {
		name = "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := commandKey{name, outcome}
	c := m.commands[key]
	if c == nil {
		c = &Command{Name: name, Outcome: outcome}
		m.commands[key] = c
	}
	c.Count++
	c.Total += took
	c.Max = max(c.Max, took)
}

func (m *monitor) stats() Stats {
	s := Stats{Pool: Pool{Size: int(m.size.Load()), InUse: int(m.inUse.Load()), Timeouts: m.timeouts.Load(), Cleared: m.cleared.Load()}}
	m.mu.Lock()
	for _, c := range m.commands {
		s.Commands = append(s.Commands, *c)
	}
	m.mu.Unlock()
	slices.SortFunc(s.Commands, func(a, b Command) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Outcome, b.Outcome)) })
	return s
}
