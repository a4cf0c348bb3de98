package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A KeyPair is a certificate and its key in files, which are read again when they change: who renews a certificate
// need tell nobody. A pair that does not fit together, or cannot be read, is told to the log, and the last one that
// could be used stays in use.
type KeyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // protects what follows
	cert    *tls.Certificate
	seen    [2]os.FileInfo // when cert was read, or could not be
	checked time.Time
}

// checkEvery is how often the files are looked at, at most: when somebody shakes hands.
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
	return k, nil
}

// Config is how a server with this certificate speaks TLS.
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
	if now.Sub(k.checked) < checkEvery {
		return k.cert
	}
	k.checked = now
	seen, err := k.look()
	if err != nil {
		seen = [2]os.FileInfo{}
	}
	if err == nil && unchanged(k.seen[0], seen[0]) && unchanged(k.seen[1], seen[1]) || err != nil && k.seen[0] == nil {
		return k.cert // nothing new
	}
	k.seen = seen
	var next *tls.Certificate
	if err == nil {
		next, err = k.load()
	}
	if err != nil {
		k.log.Error("the new TLS certificate cannot be used: the last one stays in use", "error", err, "until", k.cert.Leaf.NotAfter)
		return k.cert
	}
	k.log.Info("TLS certificate read again", "until", next.Leaf.NotAfter)
	k.cert = next
	return next
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
