package server

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/internal/wire"
)

// codes are the statuses with a label of their own. All others are "other".
var codes = []int{
	200, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 416, 421, 422, 429, 431,
	500, 501, 502, 503, 504,
}

// buckets of response times, in seconds: pages take tens of microseconds; 0.5 and 1 are the targets for P95 and P99.
var buckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// metrics are the server's counters. They are looked up once, so counting a request is a few additions. No label comes
// from a request.
type metrics struct {
	routes     []routeMetrics // by number
	outcomes   map[string]prometheus.Counter
	refusals   map[string]prometheus.Counter
	aborted    prometheus.Counter
	inMemory   prometheus.Counter
	loaded     prometheus.Counter
	inFlight   atomic.Int64
	open       atomic.Int64 // connections
	clients    *telemetry.Distinct
	unreadable prometheus.Counter
}

// routeMetrics are those of one route.
type routeMetrics struct {
	codes [600]prometheus.Counter
	other prometheus.Counter
	bytes prometheus.Counter
	took  prometheus.Observer
}

// newMetrics registers the metrics for routes, by number.
func newMetrics(reg prometheus.Registerer, routes []string) (*metrics, error) {
	if reg == nil {
		reg = prometheus.NewRegistry() // counted for nobody
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_server_requests_total", Help: "Requests answered, by route and status.",
	}, []string{"route", "code"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "freshet_server_request_duration_seconds", Help: "Time from the head of a request to the end of its answer.", Buckets: buckets,
	}, []string{"route"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_server_response_bytes_total", Help: "Bytes of bodies sent.",
	}, []string{"route"})
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_server_page_outcomes_total",
		Help: "Requests for pages: hit, a fresh built page; stale, one due to be verified; miss, no built page.",
	}, []string{"outcome"})
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_server_refused_requests_total", Help: "Requests refused before the guard: malformed, or for another host.",
	}, []string{"reason"})
	objects := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "freshet_server_object_reads_total", Help: "Prepared pages taken from memory, and made from the page log.",
	}, []string{"from"})
	m := &metrics{
		clients: telemetry.NewDistinct(),
		aborted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "freshet_server_aborted_requests_total", Help: "Requests cut off before an answer was sent.",
		}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "freshet_server_unreadable_pages_total", Help: "Requests for pages whose bytes could not be read.",
		}),
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		requests, took, bytes, outcomes, refusals, objects, m.aborted, m.unreadable,
		gauge("freshet_server_requests_in_flight", "Requests being answered.", func() float64 { return float64(m.inFlight.Load()) }),
		gauge("freshet_server_connections", "Connections that are open.", func() float64 { return float64(m.open.Load()) }),
		gauge("freshet_server_clients", "Different clients in the last minute, estimated.", func() float64 { return m.clients.Count(time.Now()) }),
	} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	m.routes = make([]routeMetrics, len(routes))
	for i, route := range routes {
		rm := &m.routes[i]
		for _, code := range codes {
			rm.codes[code] = requests.WithLabelValues(route, strconv.Itoa(code))
		}
		rm.other = requests.WithLabelValues(route, "other")
		rm.bytes, rm.took = bytes.WithLabelValues(route), took.WithLabelValues(route)
	}
	m.outcomes = make(map[string]prometheus.Counter)
	for outcome, label := range map[string]string{hit[0]: "hit", stale[0]: "stale", miss[0]: "miss"} {
		m.outcomes[outcome] = outcomes.WithLabelValues(label)
	}
	m.refusals = map[string]prometheus.Counter{misdirected: refusals.WithLabelValues(misdirected)}
	for _, r := range wire.Reasons() {
		m.refusals[vetRule(r)] = refusals.WithLabelValues(string(r))
	}
	m.inMemory, m.loaded = objects.WithLabelValues("memory"), objects.WithLabelValues("log")
	return m, nil
}

// misdirected is the rule of requests for other hosts.
const misdirected = "misdirected"

// refused counts a refusal by its rule, as in the access record.
func (m *metrics) refused(rule string) { m.refusals[rule].Inc() }

// vetRule is the rule of a request that was refused before net/http read it.
func vetRule(r wire.Reason) string { return "malformed:" + string(r) }

// done counts a request that is over.
func (m *metrics) done(res *web.Response, took time.Duration) {
	rm := &m.routes[res.Route]
	switch {
	case res.Status == 0:
		m.aborted.Inc()
	case res.Status < len(rm.codes) && rm.codes[res.Status] != nil:
		rm.codes[res.Status].Inc()
	default:
		rm.other.Inc()
	}
	if res.Bytes > 0 {
		rm.bytes.Add(float64(res.Bytes))
	}
	rm.took.Observe(took.Seconds())
	if key := res.Client.Key(); key.IsValid() {
		m.clients.Add(key, res.Start)
	}
}

// register adds what is known of the site.
func (s *Server) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("freshet_server_generation", "Number of the generation that is served; 0: none yet.", func() float64 {
			if gen := s.cfg.Site.Current(); gen != nil {
				return float64(gen.Number())
			}
			return 0
		}),
		gauge("freshet_server_site_age_seconds", "Time since the site was verified against its source; negative: it is not known.", func() float64 {
			m := s.pages.fresh.at(time.Now())
			if m.verified.IsZero() {
				return -1
			}
			return time.Since(m.verified).Seconds()
		}),
		gauge("freshet_server_site_fresh", "1 while the site was verified less than isr.revalidate ago.", func() float64 {
			return oneIf(s.pages.fresh.at(time.Now()).fresh)
		}),
		gauge("freshet_server_draining", "1 once the server was told to stop.", func() float64 { return oneIf(s.draining.Load()) }),
		gauge("freshet_server_page_memory_bytes", "Memory of prepared pages.", func() float64 { return float64(s.pages.store.cache.WeightedSize()) }),
		gauge("freshet_server_page_memory_limit_bytes", "What it may grow to: cache.memory.", func() float64 { return float64(s.cfg.CacheBytes) }),
	} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// done counts and logs every request, once, when it is over.
func (s *Server) done(res *web.Response, method, path, agent string) {
	took := time.Since(res.Start)
	defer s.metrics.inFlight.Add(-1)
	s.metrics.done(res, took)
	if res.Client.Undeclared && s.undeclared.worth(res.Start, time.Hour) {
		s.log.Warn("requests come through a proxy that is not trusted, so all of its readers count as one", "addr", res.Client.Addr,
			"remedy", "name it in guard.trustedProxies if it is yours")
	}
	if s.cfg.Access == nil {
		return
	}
	s.cfg.Access.Log(&telemetry.Record{
		Time: res.Start, Duration: took, ID: res.ID(), Method: method, Path: path, UserAgent: agent,
		Status: res.Status, Bytes: res.Bytes, Addr: res.Client.Addr, Client: res.Client.Key(), Rule: res.Rule, Shadow: res.Shadow, Look: res.Look,
		Notes: res.Notes(),
	})
}
