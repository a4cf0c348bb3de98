package desk

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"freshet/server/guard"
)

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_"+name, help, labels, nil)
}

var (
	decisionsMetric   = metric("guard_decisions_total", "Requests by the rule that decided, the class and what came of it: passed, refused, shadow for what would have been refused.", "rule", "class", "outcome")
	sendersMetric     = metric("guard_requests_total", "Requests by what sent them: person, tool, crawler, ai, bot, and unjudged where something else decided before.", "sender")
	violationsMetric  = metric("guard_violations_total", "Episodes that a limit's first refusal began, by class.", "class")
	bansMadeMetric    = metric("guard_bans_total", "Bans that the guard made.")
	bansMetric        = metric("guard_bans", "Bans in force.")
	listedMetric      = metric("guard_listed_prefixes", "Prefixes in guard.allow and guard.block.", "list")
	clientsMetric     = metric("guard_client_cells", "Cells of the table of clients that were ever used. It does not grow beyond guard.clients.")
	offendersMetric   = metric("guard_offender_cells", "Cells of the table of misdeeds that were ever used.")
	honeypotMetric    = metric("guard_honeypot_total", "Requests for the link that nobody sees.")
	impostorsMetric   = metric("guard_impostors_total", "False claims to be a search engine.")
	killedMetric      = metric("guard_killed", "1 while the kill switch is thrown.")
	highTrafficMetric = metric("guard_high_traffic", "1 in high-traffic mode.")
	enteredMetric     = metric("guard_high_traffic_entered_total", "Times that high-traffic mode began.")
	rateMetric        = metric("guard_requests_per_second", "The rate that high-traffic mode goes by: the average of five seconds.")
	shedMetric        = metric("guard_shed_level", "How much is refused because the process is saturated: 0 nothing, 3 all but pages, probes and webhooks.")
	sharedMetric      = metric("guard_shared", "1 while counts and bans are shared with other servers.")
	serversMetric     = metric("guard_servers", "Servers that share counts and bans, as Redis last said.")
	aloneMetric       = metric("guard_lone_attempts_total", "Attempts to sign in that this server judged alone, because Redis failed.")
	unsharedMetric    = metric("guard_unshared_counts_total", "Counts that were not shared, because there were too many at once.")
	untoldMetric      = metric("guard_untold_events_total", "News that other servers were not told, because too much waited: order, ban, strike.", "event")
)

// Metrics collects the counters of a guard. Every label has few values.
type Metrics struct{ Guard *guard.Guard }

// Describe implements prometheus.Collector.
func (m Metrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect implements prometheus.Collector.
func (m Metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := m.Guard.Stats(time.Now())
	for _, c := range s.Decisions {
		counter(decisionsMetric, c.N, c.Rule, c.Class, c.Outcome)
	}
	for kind, n := range s.Kinds {
		counter(sendersMetric, n, kind)
	}
	for class, n := range s.Violations {
		counter(violationsMetric, n, class)
	}
	counter(bansMadeMetric, s.Bans)
	gauge(bansMetric, float64(s.ActiveBans))
	gauge(listedMetric, float64(s.AllowList), "allow")
	gauge(listedMetric, float64(s.BlockList), "block")
	gauge(clientsMetric, float64(s.Clients))
	gauge(offendersMetric, float64(s.Offenders))
	counter(honeypotMetric, s.Honeypot)
	counter(impostorsMetric, s.Impostors)
	gauge(killedMetric, oneIf(s.Killed))
	gauge(highTrafficMetric, oneIf(s.HighTraffic))
	counter(enteredMetric, s.Entered)
	gauge(rateMetric, s.Rate)
	gauge(shedMetric, float64(s.ShedLevel))
	gauge(sharedMetric, oneIf(s.Shared))
	gauge(serversMetric, float64(s.Servers))
	counter(aloneMetric, s.Alone)
	counter(unsharedMetric, s.Unshared)
	for event, n := range s.Untold {
		counter(untoldMetric, n, event)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
