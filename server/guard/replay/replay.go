// Package replay applies a policy to the requests of an access log. It reports who would have been limited or banned,
// and which of these refusals may be mistakes.
package replay

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"freshet/server/guard"
	"freshet/server/guard/accesslog"
	"freshet/server/guard/bots"
)

const (
	maxLogLine    = 64 << 10
	maxUnordered  = 100_000 // requests that are sorted by time
	maxLogClients = 20_000  // clients that are reported one by one
	someBrowsers  = 3       // an address with this many different browsers is shared by people
)

// A Report describes what the policy would have done with the requests of a log.
type Report struct {
	Lines    int           `json:"lines"`
	Requests int           `json:"requests"`          // lines that are requests
	Skipped  int           `json:"skipped"`           // lines that cannot be parsed
	Problem  string        `json:"problem,omitempty"` // what is wrong with the first of them
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"`
	Refused  int           `json:"refused"`
	Counts   []guard.Count `json:"counts"`
	Kinds    []KindCount   `json:"kinds"`
	High     int           `json:"high_traffic"` // starts of high-traffic mode
	Clients  []Hit         `json:"clients"`      // clients with refusals, most refusals first
	More     int           `json:"more"`         // refusals of further clients, beyond the first 20,000
}

// A KindCount is the number of requests from a kind of sender.
type KindCount struct {
	Kind string `json:"kind"`
	N    uint64 `json:"n"`
}

// A Hit is a client that the policy would have refused.
type Hit struct {
	Client   string         `json:"client"`
	Refused  int            `json:"refused"`
	By       map[string]int `json:"by"`              // rule, or limit.<class> → refusals
	Banned   time.Time      `json:"banned,omitzero"` // first refusal by a ban; zero: never
	First    time.Time      `json:"first"`
	Last     time.Time      `json:"last"`
	Path     string         `json:"path"`            // of the first refusal
	Agent    string         `json:"user_agent"`      // of the first refusal
	Browsers int            `json:"browsers"`        // different user agents that look like browsers, at most 16
	False    []string       `json:"false,omitempty"` // why the refusals may be a mistake

	agents map[string]bool
	reads  int // refused page requests of a browser that the server had answered
}

// An OrderError reports that a log is not sorted enough to be replayed.
type OrderError struct {
	Line    int // the line that comes too late
	At, Was time.Time
}

// Error implements error.
func (e *OrderError) Error() string {
	return fmt.Sprintf("line %d is of %s, and what came before it goes on to %s: more than %d requests are out of order",
		e.Line, e.At.Format(time.RFC3339), e.Was.Format(time.RFC3339), maxUnordered)
}

// A request waits until it is replayed in order.
type request struct {
	accesslog.Record
	line int
}

// waiting is a heap of requests, the oldest first.
type waiting []request

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	return cmp.Or(w[i].Time.Compare(w[j].Time), cmp.Compare(w[i].line, w[j].line)) < 0
}
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any)   { *w = append(*w, x.(request)) }
func (w *waiting) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	(*w)[last] = request{}
	*w = (*w)[:last]
	return x
}

// plain decompresses gzip, which log rotation uses.
func plain(in *bufio.Reader) (*bufio.Reader, error) {
	if magic, _ := in.Peek(2); string(magic) != "\x1f\x8b" { // a read error comes again later
		return in, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return bufio.NewReaderSize(z, maxLogLine), nil
}

// Simulate replays an access log against a policy, with the log's times as the clock. The log may be compressed by
// gzip. Servers write a line when a request ends, and they buffer lines, so Simulate sorts within 100,000 requests. A
// line that comes later than that is an [OrderError]. client returns the client's address from the peer's address and
// X-Forwarded-For. Simulate uses neither DNS nor a ledger, and writes no file. Logs contain no accept headers, so bots
// are recognized by user agent only.
func Simulate(ctx context.Context, cfg guard.Config, r io.Reader, client func(peer netip.Addr, forwardedFor string) netip.Addr) (*Report, error) {
	cfg.File, cfg.Ledger, cfg.Resolver, cfg.Logger = "", nil, nil, nil
	rep := new(Report)
	hits := make(map[guard.ClientKey]*Hit)
	var g *guard.Guard
	in, err := plain(bufio.NewReaderSize(r, maxLogLine))
	if err != nil {
		return nil, err
	}
	var queue waiting
	var last time.Time // time of the last replayed request
	next := func() error {
		req := heap.Pop(&queue).(request)
		if g == nil {
			var err error
			if g, err = guard.NewAt(cfg, req.Time); err != nil {
				return err
			}
			if err := g.Open(req.Time); err != nil {
				return err
			}
			rep.From, rep.To = req.Time, req.Time
		}
		if req.Time.Before(last) {
			return &OrderError{Line: req.line, At: req.Time, Was: last}
		}
		last = req.Time
		rep.replay(g, &req.Record, hits)
		return nil
	}
	for ctx.Err() == nil {
		line, err := readLine(in)
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		rep.Lines++
		if err == nil && strings.TrimSpace(line) == "" {
			continue
		}
		var rec accesslog.Record
		if err == nil {
			rec, err = accesslog.Parse(line)
		} else {
			err = fmt.Errorf("the line has more than %d bytes", maxLogLine)
		}
		if errors.Is(err, accesslog.ErrOther) {
			continue // programs log more than requests
		}
		if err != nil {
			rep.Skipped++
			if rep.Problem == "" {
				rep.Problem = fmt.Sprintf("line %d: %v", rep.Lines, err)
			}
			continue
		}
		if client != nil {
			rec.Client = client(rec.Client, rec.Forwarded)
		}
		heap.Push(&queue, request{rec, rep.Lines})
		if len(queue) > maxUnordered {
			if err := next(); err != nil {
				return nil, err
			}
		}
	}
	for len(queue) > 0 && ctx.Err() == nil {
		if err := next(); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g != nil {
		rep.close(g, hits)
	}
	return rep, nil
}

// readLine reads a line. For a line that is too long it skips the line and returns bufio.ErrBufferFull.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err == io.EOF && len(line) > 0 {
		return string(line), nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return string(line), err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return "", err
	}
	return "", bufio.ErrBufferFull
}

func (rep *Report) replay(g *guard.Guard, rec *accesslog.Record, hits map[guard.ClientKey]*Hit) {
	rep.Requests++
	if rec.Time.Before(rep.From) {
		rep.From = rec.Time
	}
	if rec.Time.After(rep.To) {
		rep.To = rec.Time
	}
	f := guard.Facts{
		Now: rec.Time, ID: rec.ID, Client: rec.Client, Method: rec.Method, Path: rec.Path, UserAgent: rec.UserAgent,
		Referer: rec.Referer != "", Partial: true, SignedIn: rec.User != "",
	}
	class := guard.Classify(f.Method, f.Path)
	f.Built = (class == guard.Page || class == guard.Open) && (f.Method == "GET" || f.Method == "HEAD") && rec.Status != 404
	v := g.Decide(&f)
	if v.Allowed() {
		g.Answered(&f, &v, rec.Status)
		if class == guard.Auth && (rec.Status == 401 || rec.Status == 403) {
			g.SignedIn(&f, "", false)
		}
		return
	}
	rep.Refused++
	key := guard.KeyOf(f.Client)
	h := hits[key]
	if h == nil {
		if len(hits) >= maxLogClients {
			rep.More++
			return
		}
		h = &Hit{Client: key.String(), By: make(map[string]int), First: f.Now, Path: clipText(f.Path, 200), Agent: clipText(f.UserAgent, 200),
			agents: make(map[string]bool)}
		hits[key] = h
	}
	h.add(&f, &v, rec.Status)
}

func (h *Hit) add(f *guard.Facts, v *guard.Verdict, status int) {
	h.Refused++
	h.Last = f.Now
	h.By[v.Name()]++
	if v.Rule == guard.RuleBan && h.Banned.IsZero() {
		h.Banned = f.Now
	}
	if v.Claim == bots.Verified {
		h.because("a search engine, by its published addresses")
	}
	if f.SignedIn {
		h.because("somebody was signed in")
	}
	if v.Bot == bots.Person && strings.HasPrefix(f.UserAgent, "Mozilla/") {
		if len(h.agents) < 16 {
			h.agents[f.UserAgent] = true
		}
		if v.Class == guard.Page && status >= 200 && status < 400 {
			h.reads++
		}
	}
}

func (h *Hit) because(reason string) {
	if !slices.Contains(h.False, reason) {
		h.False = append(h.False, reason)
	}
}

func (rep *Report) close(g *guard.Guard, hits map[guard.ClientKey]*Hit) {
	for _, h := range hits {
		h.Browsers = len(h.agents)
		if h.Browsers >= someBrowsers {
			h.because(fmt.Sprintf("%d different browsers: people share the address", h.Browsers))
		}
		if h.reads > 0 && h.Browsers > 0 {
			h.because("a browser that read pages")
		}
		rep.Clients = append(rep.Clients, *h)
	}
	slices.SortFunc(rep.Clients, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Refused, a.Refused), cmp.Compare(a.Client, b.Client))
	})
	s := g.Stats(rep.To)
	rep.Counts = s.Decisions
	rep.High = int(s.Entered)
	for _, k := range bots.Kinds() {
		rep.Kinds = append(rep.Kinds, KindCount{k.String(), s.Kinds[k.String()]})
	}
}

func clipText(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
