package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"golang.org/x/sync/errgroup"

	"freshet/internal/acme"
	"freshet/internal/mongodb"
	"freshet/internal/pagestore"
	"freshet/internal/redisdb"
	"freshet/internal/settings"
	"freshet/internal/telemetry"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/admin"
	"freshet/server/desk"
	"freshet/server/guard"
)

// A front is all that answers requests: the readers' server and the operators' listener, with what they share.
type front struct {
	server    *server.Server
	guard     *guard.Guard // nil: nobody is refused anything
	mongo     *mongodb.DB  // whose circuit breaker the guard goes by; nil: there is none
	redis     *redisdb.DB  // that the guard shares through; nil: there is none
	readers   net.Listener
	plain     net.Listener // for those who come without TLS, in vain; nil: there is none
	admin     *admin.Server
	operators net.Listener  // nil: operators have no listener
	certs     *acme.Manager // nil: there are no certificates, or they are in files
}

// openFront makes a server of cfg, with what the settings say of its surroundings, to answer on ln. It owns ln from
// now on. The guard keeps what it has to in state, which may be empty; who writes a site, and is shown it, needs none.
// history is nil for a site that has none, more for one that is only served.
func (inv *invocation) openFront(ctx context.Context, eff *settings.Effective, ln net.Listener, cfg server.Config, state string,
	history func() ([]pagestore.Commit, error), more *gauges) (_ *front, err error) {
	f := &front{readers: ln}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if cfg.Hosts, err = web.ParseHosts(hosts(eff)); err != nil {
		return nil, fmt.Errorf("guard.hosts: %w", err)
	}
	if len(eff.Guard.TrustedProxies) > 0 {
		if cfg.Proxies, err = web.ParseProxies(eff.Guard.TrustedProxies); err != nil {
			return nil, fmt.Errorf("guard.trustedProxies: %w", err)
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
			return nil, misuse(settings.KeyPairRemedy, "%w", err)
		}
		cfg.TLS = pair.Config()
		registry.MustRegister(pair)
	}
	if eff.TLS.Auto {
		if f.certs, f.plain, err = inv.openCertificates(ctx, eff, ln, &cfg); err != nil {
			return nil, err
		}
		registry.MustRegister(f.certs)
	}
	if more != nil {
		registry.MustRegister(more)
		f.mongo = more.mongo
	}
	if cfg.Dev == nil {
		if f.redis, err = openRedis(eff); err != nil {
			return nil, err
		}
		if f.guard, err = openGuard(eff, state, f.redis, cfg.Logger); err != nil {
			return nil, err
		}
		cfg.Guard = f.guard
		registry.MustRegister(desk.Metrics{Guard: f.guard})
	}
	if cfg.Logger.Enabled(ctx, slog.LevelInfo) {
		cfg.Access = telemetry.NewAccessLog(telemetry.AccessConfig{Writer: inv.stderr, Text: !inv.logsJSON(eff.Log)})
		cfg.Access.Register(registry)
	}
	if f.server, err = server.New(cfg); err != nil {
		return nil, err
	}
	if eff.Admin == "" {
		return f, nil
	}
	f.operators, err = inv.open(ctx, "admin", eff.Admin)
	if err != nil && eff.From["admin"] == "default" {
		// A second server on one machine is no mistake; that nobody can look into it is worth a word.
		cfg.Logger.Warn("there is no listener for operators", "error", err, "remedy", "give this one an address of its own: admin")
		return f, nil
	}
	if err != nil {
		return nil, failed(fmt.Errorf("listen at %s for operators: %w", eff.Admin, err), "choose another address: admin; an empty one is none")
	}
	acfg := admin.Config{
		Metrics: registry, Token: eff.AdminToken, Loopback: settings.Loopback(f.operators.Addr().String()),
		Status: func() admin.Status { return desk.Status(f.server) }, Logger: cfg.Logger,
	}
	if f.guard != nil {
		operated := &desk.Guard{Guard: f.guard, Site: cfg.Site, Traffic: eff.Guard.Policy.HighTraffic.Config}
		if f.mongo != nil {
			operated.Resting = func() bool { return mongoRests(f.mongo) }
		}
		acfg.Bans, acfg.Switches, acfg.Witness = operated, operated, operated
	}
	if history != nil {
		acfg.Generations = func(limit int) ([]admin.Generation, error) {
			commits, err := history()
			return desk.Generations(commits, limit), err
		}
	}
	if f.admin, err = admin.New(acfg); err != nil {
		return nil, err
	}
	cfg.Logger.Info("operators are answered", "address", f.operators.Addr().String(), "token", eff.AdminToken != "")
	return f, nil
}

// Close closes what a front that does not run has opened.
func (f *front) Close() error {
	err := f.readers.Close()
	if f.redis != nil {
		err = errors.Join(err, f.redis.Close())
	}
	for _, ln := range []net.Listener{f.plain, f.operators} {
		if ln != nil {
			err = errors.Join(err, ln.Close())
		}
	}
	if f.certs != nil {
		err = errors.Join(err, f.certs.Close())
	}
	return err
}

// Run answers until ctx ends. It closes what the front has opened. Operators are answered, certificates renewed and the guard is
// kept up to date, for as long as readers are answered.
func (f *front) Run(ctx context.Context) error {
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, serving := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		return f.server.Run(serving, f.readers)
	})
	if f.operators != nil {
		g.Go(func() error { return f.admin.Run(behind, f.operators) })
	}
	if f.certs != nil {
		g.Go(func() error { return f.certs.Run(behind) })
	}
	if f.guard != nil {
		g.Go(func() error { return f.guard.Run(behind) })
		if f.mongo != nil {
			g.Go(func() error { return followBreaker(behind, f.guard, f.mongo) })
		}
	}
	err := g.Wait()
	if f.redis != nil {
		err = errors.Join(err, f.redis.Close())
	}
	return err
}

// hosts are the names that the server answers for.
func hosts(eff *settings.Effective) []string {
	if len(eff.Guard.Hosts) > 0 {
		return eff.Guard.Hosts
	}
	names := []string{web.Loopback}
	if u, err := url.Parse(eff.Site.URL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}
