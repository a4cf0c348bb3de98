package guard

import (
	"strings"
	"sync"
	"time"

	"freshet/server/guard/bots"
)

const ringSize = 4096

// A Decision is a refusal, or a refusal that shadow mode prevented.
type Decision struct {
	ID     string
	At     time.Time
	Client string
	Method string
	Path   string
	Rule   string
	Class  string
	Status int // 0: not refused, because the rule is in shadow mode
	Bot    string
	Reason string
}

// A ring stores the last decisions in memory of a fixed size. Adding allocates nothing.
type ring struct {
	mu   sync.Mutex
	next int
	at   [ringSize]entry
}

type entry struct {
	when   time.Time
	key    ClientKey
	rule   Rule
	class  Class
	action Action
	bot    bots.Kind

	id, method, path, reason span // parts of text
	text                     [240]byte
}

// A span is a part of an entry's text.
type span struct{ from, to uint8 }

// Limits for the stored bytes of each text.
const (
	maxID     = 40
	maxMethod = 8
	maxPath   = 128
	maxReason = 64
)

func (e *entry) write(from uint8, s string, most int) span {
	if len(s) > most {
		s = s[:most]
	}
	return span{from, from + uint8(copy(e.text[from:], s))}
}

func (e *entry) read(s span) string {
	return strings.ToValidUTF8(string(e.text[s.from:s.to]), "\uFFFD")
}

func (e *entry) decision() Decision {
	return Decision{ID: e.read(e.id), At: e.when, Client: e.key.String(), Method: e.read(e.method), Path: e.read(e.path),
		Rule: e.rule.String(), Class: e.class.String(), Status: e.action.Status(), Bot: e.bot.String(), Reason: e.read(e.reason)}
}

func (r *ring) add(f *Facts, key ClientKey, v *Verdict) {
	rule := v.Rule
	if v.Action == Allow {
		rule = v.Shadow
	}
	r.mu.Lock()
	e := &r.at[r.next]
	r.next = (r.next + 1) % ringSize
	e.when, e.key = f.Now, key
	e.rule, e.class, e.action, e.bot = rule, v.Class, v.Action, v.Bot
	e.id = e.write(0, f.ID, maxID)
	e.method = e.write(e.id.to, f.Method, maxMethod)
	e.path = e.write(e.method.to, f.Path, maxPath)
	e.reason = e.write(e.path.to, v.Reason, maxReason)
	r.mu.Unlock()
}

// recent returns the newest decisions for which fits is true, at most most of them.
func (r *ring) recent(most int, fits func(*entry) bool) []Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Decision
	for i := 1; i <= ringSize && len(all) < most; i++ {
		if e := &r.at[(r.next-i+ringSize)%ringSize]; !e.when.IsZero() && fits(e) {
			all = append(all, e.decision())
		}
	}
	return all
}
