package cdn

import "github.com/prometheus/client_golang/prometheus"

func metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("freshet_"+name, help, labels, nil)
}

var (
	pendingMetric  = metric("cdn_pending_pages", "Pages that a CDN was not seen to have purged.", "cdn")
	alarmedMetric  = metric("cdn_alarmed_pages", "Pages that a CDN refused to purge, or kept for too long.", "cdn")
	requestsMetric = metric("cdn_requests_total", "Purge requests to a CDN.", "cdn")
	refusedMetric  = metric("cdn_refused_total", "Purge requests that a CDN did not accept.", "cdn")
	verifiedMetric = metric("cdn_verified_pages_total", "Pages that were seen to be purged.", "cdn")
)

// Describe implements prometheus.Collector.
func (f *Follower[G]) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{pendingMetric, alarmedMetric, requestsMetric, refusedMetric, verifiedMetric} {
		out <- d
	}
}

// Collect implements prometheus.Collector: the pages and requests of each CDN.
func (f *Follower[G]) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for _, c := range f.Stats().CDNs {
		gauge(pendingMetric, float64(c.Pending), c.Name)
		gauge(alarmedMetric, float64(c.Alarmed), c.Name)
		counter(requestsMetric, float64(c.Requests), c.Name)
		counter(refusedMetric, float64(c.Refused), c.Name)
		counter(verifiedMetric, float64(c.Verified), c.Name)
	}
}
