package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"

	"freshet/internal/acme"
	"freshet/internal/settings"
	"freshet/server"
)

// openCertificates makes the server of cfg, which will answer on ln, speak TLS with automatic certificates, and redirect http
// requests. The certificates are in the state folder, which all servers of a site on one machine share. Manager and listener are parts
// of p from then on.
func (inv *invocation) openCertificates(ctx context.Context, eff *settings.Effective, p *parts, ln net.Listener, cfg *server.Config) (*acme.Manager, error) {
	u, err := url.Parse(eff.Site.URL)
	if err != nil {
		return nil, err
	}
	hosts := eff.CertificateHosts()
	acfg := acme.Config{
		Hosts: hosts, Dir: filepath.Join(eff.State, "certificates"), CA: eff.TLS.CA, Email: eff.TLS.Email, TLS: ln.Addr(), Logger: cfg.Logger,
	}
	var plain net.Listener // nil: the settings have no address for http requests
	if eff.TLS.HTTP != "" {
		if plain, err = inv.open(ctx, "tls.http", eff.TLS.HTTP); err != nil {
			return nil, failed(fmt.Errorf("listen at %s for readers without TLS: %w", eff.TLS.HTTP, err),
				"allow freshet ports below 1024 (CAP_NET_BIND_SERVICE), or choose another address: tls.http; an empty one is none")
		}
		p.close(plain.Close)
		acfg.HTTP = plain.Addr()
		cfg.Logger.Info("readers without TLS are sent to https", "address", plain.Addr().String())
	}
	m, err := acme.Open(ctx, acfg)
	if err != nil {
		return nil, err
	}
	p.close(m.Close)
	p.runBehind(m.Run)
	cfg.TLS = m.TLS()
	if plain != nil {
		cfg.Upgrade = &server.Upgrade{Listener: plain, Hosts: hosts, Port: u.Port(), Challenge: m.Answer}
	}
	return m, nil
}
