package main

import (
	"context"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"freshet/internal/acme"
	"freshet/internal/web"
	"freshet/server"
)

// openCertificates lets the server of cfg, which will answer on ln, speak TLS with automatic certificates, and send on who
// comes without. They are kept in the state folder, which all servers of a site on one machine share. What is returned is to
// be closed, also with an error; plain is nil where nobody may come without TLS.
func (inv *invocation) openCertificates(ctx context.Context, eff *effective, ln net.Listener, cfg *server.Config) (m *acme.Manager, plain net.Listener, err error) {
	u, err := url.Parse(eff.Site.URL)
	if err != nil {
		return nil, nil, err
	}
	hosts := eff.certificateHosts()
	acfg := acme.Config{
		Hosts: hosts, Dir: filepath.Join(eff.State, "certificates"), CA: eff.TLS.CA, Email: eff.TLS.Email, TLS: ln.Addr(), Logger: cfg.Logger,
	}
	if eff.TLS.HTTP != "" {
		if plain, err = inv.open(ctx, "tls.http", eff.TLS.HTTP); err != nil {
			return nil, nil, failed(fmt.Errorf("listen at %s for readers without TLS: %w", eff.TLS.HTTP, err),
				"allow freshet ports below 1024 (CAP_NET_BIND_SERVICE), or choose another address: tls.http; an empty one is none")
		}
		acfg.HTTP = plain.Addr()
		cfg.Logger.Info("readers without TLS are sent to https", "address", plain.Addr().String())
	}
	if m, err = acme.Open(ctx, acfg); err != nil {
		return nil, plain, err
	}
	cfg.TLS = m.TLS()
	if plain != nil {
		cfg.Upgrade = &server.Upgrade{Listener: plain, Hosts: hosts, Port: u.Port(), Challenge: m.Answer}
	}
	return m, plain, nil
}

// certificateHosts are the names that automatic certificates are for: that of the site, then the others that are answered
// for. Addresses and loopback names are for probes, which need none.
func (c *config) certificateHosts() []string {
	var hosts []string
	for _, name := range append([]string{siteHost(c.Site.URL)}, c.Guard.Hosts...) {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		_, err := netip.ParseAddr(strings.Trim(name, "[]"))
		local := err == nil || name == "" || name == web.Loopback || name == "localhost" || strings.HasSuffix(name, ".localhost")
		if !local && !strings.HasPrefix(name, "*") && !slices.Contains(hosts, name) {
			hosts = append(hosts, name)
		}
	}
	return hosts
}

// siteHost is the name of a site at an address, as handshakes have it.
func siteHost(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Hostname(), ".")
}

// checkTLS finds what is wrong between the settings of TLS.
func (c *config) checkTLS(report func(key string, err error)) {
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		report("tls.cert", bad("set both, or neither to serve without TLS", "tls.cert and tls.key belong together"))
	}
	if !c.TLS.Auto {
		for key, set := range map[string]bool{"tls.email": c.TLS.Email != "", "tls.ca": c.TLS.CA != ""} {
			if set {
				report(key, bad("set tls.auto to true, or remove it", "%s is for automatic certificates, and tls.auto is false", key))
			}
		}
		return
	}
	if c.TLS.Cert != "" || c.TLS.Key != "" {
		report("tls.auto", bad("keep the one or the other", "tls.auto gets certificates, and tls.cert or tls.key names one"))
	}
	if c.TLS.HTTP == c.Listen {
		key := "listen"
		if c.TLS.HTTP != ":80" { // which is the default, and then not what was written
			key = "tls.http"
		}
		report(key, bad("choose two addresses; an empty tls.http is none", "tls.http and listen are both %s", c.Listen))
	}
	for _, name := range c.Guard.Hosts {
		if strings.HasPrefix(name, "*") {
			report("guard.hosts", bad("name each host", "tls.auto gets no certificates for wildcards such as %s", name))
		}
	}
	hosts, site := c.certificateHosts(), siteHost(c.Site.URL)
	switch err := web.CheckHost(site); {
	case !slices.Contains(hosts, site):
		report("tls.auto", bad("set site.url to https and the name that readers know", "tls.auto needs a public host name, and site.url is %s", c.Site.URL))
	case err != nil:
		report("site.url", err)
	case !strings.HasPrefix(c.Site.URL, "https:"):
		report("site.url", bad("write https", "tls.auto serves by https, and site.url is %s", c.Site.URL))
	}
	for _, name := range hosts {
		if c.TLS.CA == "" && acme.Internal(name) {
			key := "guard.hosts"
			if name == site {
				key = "site.url"
			}
			report(key, bad("choose a public name, or name the authority of this network: tls.ca", "no public authority gives a certificate for %s", name))
		}
	}
}

func mailAddress(text string) (string, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text {
		return "", bad("such as web@example.com", "%q is no mail address", text)
	}
	return text, nil
}

// directoryURL checks the address of an authority's directory. It may hold a password, so it is not told.
func directoryURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", bad("such as https://acme-v02.api.letsencrypt.org/directory", "this is no https address of an authority's directory")
	}
	return text, nil
}
