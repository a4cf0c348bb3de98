package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap/zapcore"
)

// A storedError is about files of ours.
type storedError struct{ err error }

func (e *storedError) Error() string { return e.err.Error() }
func (e *storedError) Unwrap() error { return e.err }

// stored says which of our files err is about.
func (m *Manager) stored(name string, err error) error {
	return &storedError{fmt.Errorf("%s: %w", m.store.Filename(certmagic.StorageKeys.CertsSitePrefix(m.issuer.IssuerKey(), name)), err)}
}

// event hears from certmagic what became of a certificate.
func (m *Manager) event(_ context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	switch event {
	case "cert_failed":
		if err, ok := data["error"].(error); ok && !errors.Is(err, context.Canceled) {
			m.trouble(name, err)
		}
	case "cert_obtained":
		m.mu.Lock()
		delete(m.told, name)
		m.mu.Unlock()
		renewal, _ := data["renewal"].(bool)
		m.log.Info("certificate obtained", "host", name, "renewal", renewal, "ca", m.cfg.CA)
	}
	return nil
}

// trouble tells why a certificate was not obtained or renewed: once, until that succeeds, is for another kind of reason, or
// becomes urgent. The texts themselves differ each time, by numbers of orders.
func (m *Manager) trouble(name string, err error) {
	kind, remedy := "away", "the authority must be reachable by https from here; it is asked again"
	if p, ok := errors.AsType[acme.Problem](err); ok {
		kind = p.Type
		remedy = "the authority must reach this host at port 443, or 80 with tls.http, under its public name; it is asked again"
		if p.Type == acme.ProblemTypeRateLimited {
			remedy = "the authority gives no more for a while; it is asked again"
		}
	} else if _, ok := errors.AsType[*storedError](err); ok {
		kind, remedy = "stored", "the folder of certificates must be whole and ours; what is damaged may be deleted"
	}
	last := m.newest(name)
	urgent := last != nil && time.Until(last.NotAfter) < last.NotAfter.Sub(last.NotBefore)/6
	kind = fmt.Sprint(kind, last != nil, urgent)
	m.mu.Lock()
	again := m.told[name] == kind
	m.told[name] = kind
	m.mu.Unlock()
	switch {
	case again:
	case last == nil:
		m.log.Error("no certificate could be obtained, handshakes fail until there is one", "host", name, "error", err, "remedy", remedy)
	case urgent:
		m.log.Error("the certificate expires soon and could not be renewed", "host", name, "until", last.NotAfter, "error", err, "remedy", remedy)
	default:
		m.log.Warn("the certificate could not be renewed, the last one stays in use", "host", name, "until", last.NotAfter, "error", err, "remedy", remedy)
	}
}

// A bridge makes records of certmagic's at level Debug: what operators should know is told by [Manager.trouble], once,
// and much of what it calls an error anybody can cause by a handshake. What it says itself at Debug, which has whole
// messages to and from the authority, goes nowhere.
type bridge struct {
	log    *slog.Logger
	fields []zapcore.Field
}

// Enabled implements zapcore.LevelEnabler.
func (b *bridge) Enabled(level zapcore.Level) bool {
	return level >= zapcore.InfoLevel && b.log.Enabled(context.Background(), slog.LevelDebug)
}

// With implements zapcore.Core.
func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{log: b.log, fields: slices.Concat(b.fields, fields)}
}

// Check implements zapcore.Core.
func (b *bridge) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return c.AddCore(e, b)
	}
	return c
}

// Write implements zapcore.Core.
func (b *bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range slices.Concat(b.fields, fields) {
		f.AddTo(enc)
	}
	attrs := []slog.Attr{slog.String("logger", e.LoggerName), slog.String("level", e.Level.String()), slog.String("said", e.Message)}
	for _, key := range slices.Sorted(maps.Keys(enc.Fields)) {
		attrs = append(attrs, slog.Any(key, enc.Fields[key]))
	}
	b.log.LogAttrs(context.Background(), slog.LevelDebug, "certmagic", slog.Attr{Key: "certmagic", Value: slog.GroupValue(attrs...)})
	return nil
}

// Sync implements zapcore.Core.
func (b *bridge) Sync() error { return nil }
