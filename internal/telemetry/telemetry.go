// Package telemetry holds what parts tell operators with: the access log, the registry of metrics, and an estimate of
// how many clients there are.
//
// Promises. Logging a request takes less than a microsecond and never waits: a log that cannot be written to loses
// records, which a metric counts, and stops no reader. What was logged is written within a second, and before
// [AccessLog.Run] returns. Nothing that a request says can break a line in two or become the name of anything.
package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry that tells about the process already: its memory, processor time and files, and Go's
// goroutines and collector. Every part registers what is its own.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}
