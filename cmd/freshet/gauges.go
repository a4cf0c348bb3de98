package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/mongodb"
	"freshet/revalidator"
)

// gauges tell Prometheus how the parts are that keep no metrics of their own. Labels are names of settings and of small
// closed sets.
type gauges struct {
	mongo  *mongodb.DB // nil: the source is another
	purges *purges     // nil: there are no CDNs
	daemon *revalidator.Revalidator
}

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_"+name, help, labels, nil)
}

var (
	poolConnections = metric("mongodb_pool_connections", "Connections to MongoDB by state: in_use, idle.", "state")
	poolMax         = metric("mongodb_pool_max_connections", "Connections that there may be to each server.")
	poolTimeouts    = metric("mongodb_pool_timeouts_total", "Commands that found no free connection in time.")
	poolCleared     = metric("mongodb_pool_cleared_total", "Times that a pool was emptied because its server failed.")
	commands        = metric("mongodb_commands_total", "Commands sent to MongoDB by how they ended.", "command", "outcome")
	commandSeconds  = metric("mongodb_command_seconds_total", "Time that commands took.", "command", "outcome")
	breakerState    = metric("mongodb_breaker_state", "1 for the state that the circuit breaker is in: closed, open, half-open.", "state")
	breakerChanges  = metric("mongodb_breaker_transitions_total", "Times that the circuit breaker changed into a state.", "to")
	breakerRefused  = metric("mongodb_breaker_refused_total", "Commands that the open circuit breaker refused.")
	jobs            = metric("revalidator_jobs", "Jobs by state: waiting, parked.", "state")
	sourceAway      = metric("revalidator_source_away", "1 while the source cannot be asked.")
	feedBroken      = metric("revalidator_feed_broken", "1 while the feed of changes is broken.")
	cdnPending      = metric("cdn_pending_pages", "Pages that a CDN was not seen to have purged.", "cdn")
	cdnAlarmed      = metric("cdn_alarmed_pages", "Pages that a CDN refused to purge, or kept for too long.", "cdn")
	cdnRequests     = metric("cdn_requests_total", "Purge requests to a CDN.", "cdn")
	cdnRefused      = metric("cdn_refused_total", "Purge requests that a CDN did not accept.", "cdn")
	cdnVerified     = metric("cdn_verified_pages_total", "Pages that were seen to be purged.", "cdn")
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		poolConnections, poolMax, poolTimeouts, poolCleared, commands, commandSeconds, breakerState, breakerChanges, breakerRefused,
		jobs, sourceAway, feedBroken, cdnPending, cdnAlarmed, cdnRequests, cdnRefused, cdnVerified,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	st := g.daemon.Status()
	gauge(jobs, float64(st.Waiting), "waiting")
	gauge(jobs, float64(st.Parked), "parked")
	gauge(sourceAway, flag(st.Source != ""))
	gauge(feedBroken, flag(st.Feed != ""))
	if g.mongo != nil {
		s := g.mongo.Stats()
		gauge(poolConnections, float64(s.Pool.InUse), "in_use")
		gauge(poolConnections, float64(max(s.Pool.Size-s.Pool.InUse, 0)), "idle")
		gauge(poolMax, float64(s.Pool.Max))
		counter(poolTimeouts, float64(s.Pool.Timeouts))
		counter(poolCleared, float64(s.Pool.Cleared))
		for _, c := range s.Commands {
			counter(commands, float64(c.Count), c.Name, c.Outcome)
			counter(commandSeconds, c.Total.Seconds(), c.Name, c.Outcome)
		}
		for _, state := range []string{"closed", "open", "half-open"} {
			gauge(breakerState, flag(s.Breaker.State == state), state)
		}
		counter(breakerChanges, float64(s.Breaker.Opened), "open")
		counter(breakerChanges, float64(s.Breaker.HalfOpen), "half-open")
		counter(breakerChanges, float64(s.Breaker.Closed), "closed")
		counter(breakerRefused, float64(s.Breaker.Refused))
	}
	if g.purges != nil {
		for _, c := range g.purges.purger.Stats().CDNs {
			gauge(cdnPending, float64(c.Pending), c.Name)
			gauge(cdnAlarmed, float64(c.Alarmed), c.Name)
			counter(cdnRequests, float64(c.Requests), c.Name)
			counter(cdnRefused, float64(c.Refused), c.Name)
			counter(cdnVerified, float64(c.Verified), c.Name)
		}
	}
}
