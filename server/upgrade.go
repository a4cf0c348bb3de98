package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"freshet/internal/web"
	"freshet/internal/wire"
)

// UpgradeConfig says where an Upgrade sends readers.
type UpgradeConfig struct {
	Hosts []string // exact names, at least one; requests for others get 421
	Port  string   // that https is at for readers; empty: the usual one

	// Challenge, when not nil, answers what a certificate authority asks for, and reports whether it did. It is asked for
	// Hosts only.
	Challenge func(http.ResponseWriter, *http.Request) bool

	Proxies *web.Proxies // whose PROXY headers are read; nil: nobody's
	Logger  *slog.Logger // nil: nothing is logged
}

// An Upgrade sends readers who come without TLS to the same address with it. What it sends them to is made of names from
// its Config, never of a Host header. It is safe for concurrent use.
type Upgrade struct {
	cfg     UpgradeConfig
	log     *slog.Logger
	targets []target
}

// A target is a host and where its readers are sent.
type target struct {
	is    *web.Hosts
	https string // "https://example.com"
}

// NewUpgrade makes an Upgrade.
func NewUpgrade(cfg UpgradeConfig) (*Upgrade, error) {
	if len(cfg.Hosts) == 0 {
		return nil, errors.New("server: Hosts of an Upgrade are missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	u := &Upgrade{cfg: cfg, log: cfg.Logger.With("part", "server")}
	for _, name := range cfg.Hosts {
		is, err := web.ParseHosts([]string{name})
		if err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
		https := "https://" + strings.ToLower(name)
		if cfg.Port != "" {
			https += ":" + cfg.Port
		}
		u.targets = append(u.targets, target{is, https})
	}
	return u, nil
}

// upgradeDrain is how long requests under way may take when Run ends: no answer is more than a line.
const upgradeDrain = time.Second

// Run serves connections from ln, within the limits of a Server's, until ctx ends. It closes ln.
func (u *Upgrade) Run(ctx context.Context, ln net.Listener) error {
	handler := web.Chain(web.Handle(u.log, u.answer), web.Record(web.RecordConfig{Proxies: u.cfg.Proxies}), web.Recover(u.log))
	srv := newHTTP(handler, u.log)
	addr := ln.Addr()
	if u.cfg.Proxies != nil {
		ln = wire.Proxied(ln, u.cfg.Proxies.Trusts)
	}
	ln = wire.Vet(ln, wire.Limits{HeadBytes: maxHeaderBytes, HeadTime: readHeaderTimeout})
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		_ = ln.Close() // Serve has, unless it could not begin
		return fmt.Errorf("serve on %s: %w", addr, err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), upgradeDrain)
	defer cancel()
	if err := srv.Shutdown(limit); err != nil {
		_ = srv.Close() // closes what is left; there is nobody to tell
	}
	<-failed
	return nil
}

func (u *Upgrade) answer(w http.ResponseWriter, r *http.Request) error {
	if why, refused := wire.RefusedFor(r); refused {
		return &web.Error{Status: why.Status(), Message: "this request is not well formed", Close: true}
	}
	for _, t := range u.targets {
		if !t.is.Has(r.Host) {
			continue
		}
		if u.cfg.Challenge != nil && u.cfg.Challenge(w, r) {
			return nil
		}
		if !strings.HasPrefix(r.URL.Path, "/") { // OPTIONS *
			return &web.Error{Status: http.StatusBadRequest, Message: "this request is for no page"}
		}
		h := w.Header()
		h.Set("Location", t.https+r.URL.RequestURI())
		h.Set("Cache-Control", "no-store") // a way back, should this site ever be without TLS
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	return &web.Error{Status: http.StatusMisdirectedRequest, Message: "this server does not answer for that host"}
}
