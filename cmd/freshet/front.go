package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"freshet/internal/mongodb"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/admin"
	"freshet/server/desk"
)

// openFront opens what answers requests: the readers' server of cfg on ln, and the operators' listener, with what they share. They are
// parts of p from then on. The guard keeps what it has to in state, which may be empty; who writes a site, and is shown it, needs none.
// history is nil for a site that has none, more for one that is only served.
func (inv *invocation) openFront(ctx context.Context, eff *settings.Effective, p *parts, ln net.Listener, cfg server.Config, state string,
	history func() ([]pagestore.Commit, error), more *gauges) (err error) {
	if cfg.Hosts, err = web.ParseHosts(eff.Hosts()); err != nil {
		return fmt.Errorf("guard.hosts: %w", err)
	}
	if len(eff.Guard.TrustedProxies) > 0 {
		if cfg.Proxies, err = web.ParseProxies(eff.Guard.TrustedProxies); err != nil {
			return fmt.Errorf("guard.trustedProxies: %w", err)
		}
	}
	registry := telemetry.NewRegistry()
	cfg.Metrics = registry
	if inv.handover != nil {
		cfg.Leave = inv.handover.Leave
	}
	if eff.TLS.Cert != "" {
		pair, err := server.OpenKeyPair(eff.TLS.Cert, eff.TLS.Key, cfg.Logger)
		if err != nil {
			return misuse(settings.KeyPairRemedy, "%w", err)
		}
		cfg.TLS = pair.Config()
		registry.MustRegister(pair)
	}
	if eff.TLS.Auto {
		certs, err := inv.openCertificates(ctx, eff, p, ln, &cfg)
		if err != nil {
			return err
		}
		registry.MustRegister(certs)
	}
	var mongo *mongodb.DB // whose circuit breaker the guard goes by; nil: there is none
	if more != nil {
		registry.MustRegister(more)
		mongo = more.mongo
	}
	var operated *desk.Guard // nil: nobody is refused anything
	if cfg.Dev == nil {
		g, err := openGuard(eff, p, state, mongo, cfg.Logger)
		if err != nil {
			return err
		}
		cfg.Guard = g
		registry.MustRegister(desk.Metrics{Guard: g})
		operated = &desk.Guard{Guard: g, Site: cfg.Site, Traffic: eff.Guard.Policy.HighTraffic.Config}
		if mongo != nil {
			operated.Resting = mongo.Resting
		}
	}
	if cfg.Logger.Enabled(ctx, slog.LevelInfo) {
		cfg.Access = telemetry.NewAccessLog(telemetry.AccessConfig{Writer: inv.stderr, Text: !inv.logsJSON(eff.Log)})
		cfg.Access.Register(registry)
	}
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	p.run(func(ctx context.Context) error { return srv.Run(ctx, ln) })
	if eff.Admin == "" {
		return nil
	}
	operators, err := inv.open(ctx, "admin", eff.Admin)
	if err != nil && eff.From["admin"] == "default" {
		// A second server on one machine is no mistake; that nobody can look into it is worth a word.
		cfg.Logger.Warn("there is no listener for operators", "error", err, "remedy", "give this one an address of its own: admin")
		return nil
	}
	if err != nil {
		return failed(fmt.Errorf("listen at %s for operators: %w", eff.Admin, err), "choose another address: admin; an empty one is none")
	}
	p.close(operators.Close)
	acfg := admin.Config{
		Metrics: registry, Token: eff.AdminToken, Loopback: settings.Loopback(operators.Addr().String()),
		Status: func() admin.Status { return desk.Status(srv) }, Logger: cfg.Logger,
	}
	if operated != nil {
		acfg.Bans, acfg.Switches, acfg.Witness = operated, operated, operated
	}
	if history != nil {
		acfg.Generations = func(limit int) ([]admin.Generation, error) {
			commits, err := history()
			return desk.Generations(commits, limit), err
		}
	}
	answering, err := admin.New(acfg)
	if err != nil {
		return err
	}
	p.runBehind(func(ctx context.Context) error { return answering.Run(ctx, operators) })
	cfg.Logger.Info("operators are answered", "address", operators.Addr().String(), "token", eff.AdminToken != "")
	return nil
}
