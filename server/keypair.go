package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A KeyPair is a certificate and its key in files. They are read again when they change, so a renewed certificate needs no
// restart. If they do not fit together or cannot be read, that is logged, and the last usable pair stays in use. A certificate
// that expires soon, or has expired, is logged once a day.
type KeyPair struct {
	certFile, keyFile string
	log               *slog.Logger
	soon, ended       trouble

	mu      sync.Mutex // protects what follows
	cert    *tls.Certificate
	seen    [2]os.FileInfo // when cert was read, or could not be
	checked time.Time
}

// checkEvery is the least time between two checks of the files. Handshakes trigger them.
const checkEvery = time.Second

// OpenKeyPair reads a certificate with its chain, and its key, from PEM files. The logger may be nil.
func OpenKeyPair(certFile, keyFile string, log *slog.Logger) (*KeyPair, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	k := &KeyPair{certFile: certFile, keyFile: keyFile, log: log.With("part", "server")}
	seen, err := k.look()
	if err != nil {
		return nil, fmt.Errorf("read TLS certificate: %w", err)
	}
	if k.cert, err = k.load(); err != nil {
		return nil, fmt.Errorf("read TLS certificate: %w", err)
	}
	k.seen, k.checked = seen, time.Now()
	k.warn(k.checked)
	return k, nil
}

// Config returns the TLS configuration of a server with this certificate.
func (k *KeyPair) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return k.current(time.Now()), nil
		},
	}
}

func (k *KeyPair) current(now time.Time) *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.checked) >= checkEvery {
		k.checked = now
		k.follow()
		k.warn(now)
	}
	return k.cert
}

// follow reads the files again if they have changed.
func (k *KeyPair) follow() {
	seen, err := k.look()
	if err != nil {
		seen = [2]os.FileInfo{}
	}
	if err == nil && unchanged(k.seen[0], seen[0]) && unchanged(k.seen[1], seen[1]) || err != nil && k.seen[0] == nil {
		return
	}
	k.seen = seen
	var next *tls.Certificate
	if err == nil {
		next, err = k.load()
	}
	if err != nil {
		k.log.Error("the new TLS certificate cannot be used: the last one stays in use", "error", err, "until", k.cert.Leaf.NotAfter)
		return
	}
	k.log.Info("TLS certificate read again", "until", next.Leaf.NotAfter)
	k.cert = next
}

// warn says that the certificate ends soon: in less than two weeks, or a sixth of its time if it was given for little. Who
// renews certificates by machine does so long before.
func (k *KeyPair) warn(now time.Time) {
	const day, remedy = 24 * time.Hour, "renew it: tls.cert and tls.key are read again when they change"
	from, until := k.cert.Leaf.NotBefore, k.cert.Leaf.NotAfter
	switch left := until.Sub(now); {
	case left >= min(14*day, until.Sub(from)/6):
	case left > 0:
		if k.soon.worth(now, day) {
			k.log.Warn("the TLS certificate ends soon", "host", firstName(k.cert.Leaf), "until", until, "remedy", remedy)
		}
	case k.ended.worth(now, day):
		k.log.Error("the TLS certificate has ended, so readers are turned away by their browsers", "host", firstName(k.cert.Leaf), "until", until, "remedy", remedy)
	}
}

// firstName is the first name that a certificate is for; empty: it is for none.
func firstName(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	}
	return ""
}

// expiryDesc describes a metric that automatic certificates have too, see package acme. A server has only one of the two.
var expiryDesc = prometheus.NewDesc("freshet_server_certificate_expiry_timestamp_seconds",
	"When the certificate expires, in seconds since 1970, by its first name.", []string{"host"}, nil)

// Describe implements prometheus.Collector.
func (k *KeyPair) Describe(out chan<- *prometheus.Desc) { out <- expiryDesc }

// Collect implements prometheus.Collector. The only label is of the file.
func (k *KeyPair) Collect(out chan<- prometheus.Metric) {
	leaf := k.current(time.Now()).Leaf
	out <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()), firstName(leaf))
}

func (k *KeyPair) look() (seen [2]os.FileInfo, err error) {
	for i, name := range []string{k.certFile, k.keyFile} {
		if seen[i], err = os.Stat(name); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func (k *KeyPair) load() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", k.certFile, k.keyFile, err)
	}
	return &c, nil
}
