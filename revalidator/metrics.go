package revalidator

import "github.com/prometheus/client_golang/prometheus"

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_"+name, help, labels, nil)
}

var (
	jobsMetric       = metric("revalidator_jobs", "Jobs by state: waiting, parked.", "state")
	sourceAwayMetric = metric("revalidator_source_away", "1 while the source cannot be asked.")
	feedBrokenMetric = metric("revalidator_feed_broken", "1 while the feed of changes is broken.")
)

// Describe implements prometheus.Collector.
func (r *Revalidator) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsMetric, sourceAwayMetric, feedBrokenMetric} {
		out <- d
	}
}

// Collect implements prometheus.Collector: the jobs, the source and the feed.
func (r *Revalidator) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	st := r.Status()
	gauge(jobsMetric, float64(st.Waiting), "waiting")
	gauge(jobsMetric, float64(st.Parked), "parked")
	gauge(sourceAwayMetric, oneIf(st.Source != ""))
	gauge(feedBrokenMetric, oneIf(st.Feed != ""))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
