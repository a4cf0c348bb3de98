package telemetry

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// A Record is the access log's record of a request. Texts from clients are cut to a bound.
type Record struct {
	Time      time.Time // when it came
	Duration  time.Duration
	ID        string
	Method    string
	Path      string // decoded, without the query, which may hold secrets
	UserAgent string
	Status    int          // 0: nothing was answered
	Bytes     int64        // of the answer's body
	Addr      netip.Addr   // of the client
	Client    netip.Prefix // that it is counted with
	Rule      string       // that refused it; empty: none did
	Shadow    string       // that would have refused it, were it not only watched; empty: none
	Look      uint64       // equal for requests that look alike, for a day; 0: nobody has looked
	Notes     []slog.Attr  // further facts: strings, numbers and truth values
}

// AccessConfig says how an AccessLog writes.
type AccessConfig struct {
	Writer io.Writer // required; is given whole lines
	Text   bool      // key=value as slog's text handler writes it; else JSON as its JSON handler does
}

// An AccessLog writes one line for each request. It collects them in memory and writes from [AccessLog.Run].
type AccessLog struct {
	w    io.Writer
	text bool
	wake chan struct{} // of one: much has been collected

	mu      sync.Mutex // protects what follows
	buf     []byte
	dropped uint64

	writing sync.Mutex // held by who writes, so that lines keep their order; never taken while mu is held
	spare   []byte     // protected by writing
}

const (
	flushEvery = 500 * time.Millisecond
	// flushBytes is the number of bytes from which lines are written at once.
	flushBytes = 64 << 10
	// mostBytes bounds the lines that wait while the log cannot be written.
	mostBytes = 4 << 20
)

// NewAccessLog makes an AccessLog.
func NewAccessLog(cfg AccessConfig) *AccessLog {
	return &AccessLog{w: cfg.Writer, text: cfg.Text, wake: make(chan struct{}, 1)}
}

// Log adds a record. It keeps no reference to it.
func (l *AccessLog) Log(r *Record) {
	l.mu.Lock()
	if len(l.buf) >= mostBytes {
		l.dropped++
		l.mu.Unlock()
		return
	}
	l.buf = appendRecord(l.buf, l.text, r)
	much := len(l.buf) >= flushBytes
	l.mu.Unlock()
	if much {
		select {
		case l.wake <- struct{}{}:
		default: // it was told
		}
	}
}

// Run writes what is logged until ctx ends, and then the rest.
func (l *AccessLog) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.wake:
		case <-ctx.Done():
			l.Flush()
			return
		}
		l.Flush()
	}
}

// Flush writes what was logged so far. Lines that cannot be written are lost, because there is no other place to report them.
func (l *AccessLog) Flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines := l.buf
	l.buf = l.spare[:0]
	l.mu.Unlock()
	if len(lines) > 0 {
		_, _ = l.w.Write(lines)
	}
	if cap(lines) > 2*flushBytes {
		lines = nil // one burst is not to be remembered for ever
	}
	l.spare = lines
}

// Register adds the count of lost records to the metrics.
func (l *AccessLog) Register(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "freshet_telemetry_access_records_dropped_total",
		Help: "Access records lost because the log could not be written to in time.",
	}, func() float64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return float64(l.dropped)
	}))
}

// What is kept of what clients write.
const (
	mostMethod = 16
	mostPath   = 512
	mostAgent  = 200
)

// appendRecord appends r as a line: JSON, or key=value.
func appendRecord(b []byte, text bool, r *Record) []byte {
	e := encoder{b: b, text: text}
	if text {
		e.b = append(e.b, "time="...)
		e.b = r.Time.AppendFormat(e.b, time.RFC3339Nano)
		e.b = append(e.b, " level=INFO msg=request part=server"...)
	} else {
		e.b = append(e.b, `{"time":"`...)
		e.b = r.Time.AppendFormat(e.b, time.RFC3339Nano)
		e.b = append(e.b, `","level":"INFO","msg":"request","part":"server"`...)
	}
	e.string("request_id", r.ID, mostPath)
	e.string("method", r.Method, mostMethod)
	e.string("path", r.Path, mostPath)
	e.int("status", int64(r.Status))
	e.int("bytes", r.Bytes)
	e.int("duration_us", r.Duration.Microseconds())
	if r.Addr.IsValid() {
		e.key("addr")
		e.quote()
		e.b = r.Addr.AppendTo(e.b)
		e.quote()
		e.key("client")
		e.quote()
		if r.Client.IsSingleIP() {
			e.b = r.Client.Addr().AppendTo(e.b)
		} else {
			e.b = r.Client.AppendTo(e.b)
		}
		e.quote()
	}
	if r.Rule != "" {
		e.string("rule", r.Rule, mostPath)
	}
	if r.Shadow != "" {
		e.string("shadow", r.Shadow, mostPath)
	}
	if r.Look != 0 {
		e.key("look")
		e.quote()
		e.b = strconv.AppendUint(e.b, r.Look, 36)
		e.quote()
	}
	for i := range r.Notes {
		e.note(&r.Notes[i])
	}
	if r.UserAgent != "" {
		e.string("user_agent", r.UserAgent, mostAgent)
	}
	if !text {
		e.b = append(e.b, '}')
	}
	return append(e.b, '\n')
}

// An encoder appends facts to a line.
type encoder struct {
	b    []byte
	text bool
}

func (e *encoder) key(name string) {
	if e.text {
		e.b = append(e.b, ' ')
		e.b = append(e.b, name...)
		e.b = append(e.b, '=')
		return
	}
	e.b = append(e.b, ',', '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

// quote appends a quote in JSON, and nothing in text.
func (e *encoder) quote() {
	if !e.text {
		e.b = append(e.b, '"')
	}
}

func (e *encoder) int(name string, n int64) {
	e.key(name)
	e.b = strconv.AppendInt(e.b, n, 10)
}

// string appends at most most bytes of s, and an ellipsis if s is longer.
func (e *encoder) string(name, s string, most int) {
	e.key(name)
	clipped := len(s) > most
	if clipped {
		s = s[:most]
	}
	if e.text && !clipped && bare(s) {
		e.b = append(e.b, s...)
		return
	}
	e.b = append(e.b, '"')
	e.b = appendEscaped(e.b, s)
	if clipped {
		e.b = append(e.b, "…"...)
	}
	e.b = append(e.b, '"')
}

// note appends a fact that a handler added.
func (e *encoder) note(a *slog.Attr) {
	switch a.Value.Kind() {
	case slog.KindInt64:
		e.int(a.Key, a.Value.Int64())
	case slog.KindUint64:
		e.key(a.Key)
		e.b = strconv.AppendUint(e.b, a.Value.Uint64(), 10)
	case slog.KindBool:
		e.key(a.Key)
		e.b = strconv.AppendBool(e.b, a.Value.Bool())
	default:
		e.string(a.Key, a.Value.String(), mostPath)
	}
}

// bare reports whether s needs no quotes in text.
func bare(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

// appendEscaped appends s with escapes that are valid between quotes in both JSON and Go.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError && r > 0x9f && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			b = append(b, s[from:i]...)
			if r == utf8.RuneError {
				b = append(b, "\uFFFD"...)
			} else {
				b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			}
			i += size
			from = i
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(b, s[from:]...)
}
