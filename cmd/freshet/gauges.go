package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/mongodb"
	"freshet/revalidator"
	"freshet/server/guard"
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

var (
	guardDecisions   = metric("guard_decisions_total", "Requests by the rule that decided, the class and what came of it: passed, refused, shadow for what would have been refused.", "rule", "class", "outcome")
	guardSenders     = metric("guard_requests_total", "Requests by what sent them: person, tool, crawler, ai, bot, and unjudged where something else decided before.", "sender")
	guardViolations  = metric("guard_violations_total", "Episodes that a limit's first refusal began, by class.", "class")
	guardBansMade    = metric("guard_bans_total", "Bans that the guard made.")
	guardBans        = metric("guard_bans", "Bans in force.")
	guardListed      = metric("guard_listed_prefixes", "Prefixes in guard.allow and guard.block.", "list")
	guardClients     = metric("guard_client_cells", "Cells of the table of clients that were ever used. It does not grow beyond guard.clients.")
	guardOffenders   = metric("guard_offender_cells", "Cells of the table of misdeeds that were ever used.")
	guardHoneypot    = metric("guard_honeypot_total", "Requests for the link that nobody sees.")
	guardImpostors   = metric("guard_impostors_total", "False claims to be a search engine.")
	guardKilled      = metric("guard_killed", "1 while the kill switch is thrown.")
	guardHighTraffic = metric("guard_high_traffic", "1 in high-traffic mode.")
	guardEntered     = metric("guard_high_traffic_entered_total", "Times that high-traffic mode began.")
	guardRate        = metric("guard_requests_per_second", "The rate that high-traffic mode goes by: the average of five seconds.")
	guardShed        = metric("guard_shed_level", "How much is refused because the process is saturated: 0 nothing, 3 all but pages, probes and webhooks.")
	guardShared      = metric("guard_shared", "1 while counts and bans are shared with other servers.")
	guardServers     = metric("guard_servers", "Servers that share counts and bans, as Redis last said.")
	guardAlone       = metric("guard_lone_attempts_total", "Attempts to sign in that this server judged alone, because Redis failed.")
	guardUnshared    = metric("guard_unshared_counts_total", "Counts that were not shared, because there were too many at once.")
	guardUntold      = metric("guard_untold_events_total", "News that other servers were not told, because too much waited: order, ban, strike.", "event")
)

// guardGauges tell how the guard is. Every label is of a closed set.
type guardGauges struct{ guard *guard.Guard }

// Describe implements prometheus.Collector.
func (g guardGauges) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, out) }

// Collect implements prometheus.Collector.
func (g guardGauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := g.guard.Stats(time.Now())
	for _, c := range s.Decisions {
		counter(guardDecisions, c.N, c.Rule, c.Class, c.Outcome)
	}
	for kind, n := range s.Kinds {
		counter(guardSenders, n, kind)
	}
	for class, n := range s.Violations {
		counter(guardViolations, n, class)
	}
	counter(guardBansMade, s.Bans)
	gauge(guardBans, float64(s.ActiveBans))
	gauge(guardListed, float64(s.AllowList), "allow")
	gauge(guardListed, float64(s.BlockList), "block")
	gauge(guardClients, float64(s.Clients))
	gauge(guardOffenders, float64(s.Offenders))
	counter(guardHoneypot, s.Honeypot)
	counter(guardImpostors, s.Impostors)
	gauge(guardKilled, oneIf(s.Killed))
	gauge(guardHighTraffic, oneIf(s.HighTraffic))
	counter(guardEntered, s.Entered)
	gauge(guardRate, s.Rate)
	gauge(guardShed, float64(s.ShedLevel))
	gauge(guardShared, oneIf(s.Shared))
	gauge(guardServers, float64(s.Servers))
	counter(guardAlone, s.Alone)
	counter(guardUnshared, s.Unshared)
	for event, n := range s.Untold {
		counter(guardUntold, n, event)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

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
	st := g.daemon.Status()
	gauge(jobs, float64(st.Waiting), "waiting")
	gauge(jobs, float64(st.Parked), "parked")
	gauge(sourceAway, oneIf(st.Source != ""))
	gauge(feedBroken, oneIf(st.Feed != ""))
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
			gauge(breakerState, oneIf(s.Breaker.State == state), state)
		}
		counter(breakerChanges, float64(s.Breaker.Opened), "open")
		counter(breakerChanges, float64(s.Breaker.HalfOpen), "half-open")
		counter(breakerChanges, float64(s.Breaker.Closed), "closed")
		counter(breakerRefused, float64(s.Breaker.Refused))
	}
	for _, c := range g.purges.Stats().CDNs {
		gauge(cdnPending, float64(c.Pending), c.Name)
		gauge(cdnAlarmed, float64(c.Alarmed), c.Name)
		counter(cdnRequests, float64(c.Requests), c.Name)
		counter(cdnRefused, float64(c.Refused), c.Name)
		counter(cdnVerified, float64(c.Verified), c.Name)
	}
}
