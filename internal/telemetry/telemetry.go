// Package telemetry holds what all parts use to inform operators: the access log, the registry of metrics, and an estimate of
// the number of clients.
//
// Promises. Logging a request takes less than a microsecond and never waits: a log that cannot be written to loses
// records, which a metric counts, and stops no reader. What was logged is written within a second, and before
// [AccessLog.Run] returns. Nothing that a request says can break a line in two or become the name of anything.
package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry with the metrics of the process: its memory, processor time and files, and Go's
// goroutines and collector. Every part registers its own metrics.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}
