package mongodb

import "github.com/prometheus/client_golang/prometheus"

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_"+name, help, labels, nil)
}

var (
	poolConnectionsMetric = metric("mongodb_pool_connections", "Connections to MongoDB by state: in_use, idle.", "state")
	poolMaxMetric         = metric("mongodb_pool_max_connections", "Connections that there may be to each server.")
	poolTimeoutsMetric    = metric("mongodb_pool_timeouts_total", "Commands that found no free connection in time.")
	poolClearedMetric     = metric("mongodb_pool_cleared_total", "Times that a pool was emptied because its server failed.")
	commandsMetric        = metric("mongodb_commands_total", "Commands sent to MongoDB by how they ended.", "command", "outcome")
	commandSecondsMetric  = metric("mongodb_command_seconds_total", "Time that commands took.", "command", "outcome")
	breakerStateMetric    = metric("mongodb_breaker_state", "1 for the state that the circuit breaker is in: closed, open, half-open.", "state")
	breakerChangesMetric  = metric("mongodb_breaker_transitions_total", "Times that the circuit breaker changed into a state.", "to")
	breakerRefusedMetric  = metric("mongodb_breaker_refused_total", "Commands that the open circuit breaker refused.")
)

// Describe implements prometheus.Collector.
func (db *DB) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		poolConnectionsMetric, poolMaxMetric, poolTimeoutsMetric, poolClearedMetric, commandsMetric, commandSecondsMetric, breakerStateMetric, breakerChangesMetric, breakerRefusedMetric,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector: the connections, the commands and the circuit breaker of the client.
func (db *DB) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	s := db.Stats()
	gauge(poolConnectionsMetric, float64(s.Pool.InUse), "in_use")
	gauge(poolConnectionsMetric, float64(max(s.Pool.Size-s.Pool.InUse, 0)), "idle")
	gauge(poolMaxMetric, float64(s.Pool.Max))
	counter(poolTimeoutsMetric, float64(s.Pool.Timeouts))
	counter(poolClearedMetric, float64(s.Pool.Cleared))
	for _, c := range s.Commands {
		counter(commandsMetric, float64(c.Count), c.Name, c.Outcome)
		counter(commandSecondsMetric, c.Total.Seconds(), c.Name, c.Outcome)
	}
	for _, state := range []string{"closed", "open", "half-open"} {
		gauge(breakerStateMetric, oneIf(s.Breaker.State == state), state)
	}
	counter(breakerChangesMetric, float64(s.Breaker.Opened), "open")
	counter(breakerChangesMetric, float64(s.Breaker.HalfOpen), "half-open")
	counter(breakerChangesMetric, float64(s.Breaker.Closed), "closed")
	counter(breakerRefusedMetric, float64(s.Breaker.Refused))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
