package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"freshet/internal/mongodb"
	"freshet/revalidator"
)

// gauges are the metrics of the parts that are behind the site of a daemon.
type gauges struct {
	mongo  *mongodb.DB // nil: the source is another
	purges *purges     // nil: there are no CDNs
	daemon *revalidator.Revalidator
}

func (g *gauges) each(do func(prometheus.Collector)) {
	do(g.daemon)
	do(g.purges)
	if g.mongo != nil {
		do(g.mongo)
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	g.each(func(c prometheus.Collector) { c.Describe(out) })
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	g.each(func(c prometheus.Collector) { c.Collect(out) })
}
