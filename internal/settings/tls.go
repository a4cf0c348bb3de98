package settings

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"freshet/internal/acme"
	"freshet/internal/web"
)

// Hosts returns the names that the server answers for: guard.hosts, or else this machine's own and that of site.url.
func (c *Settings) Hosts() []string {
	if len(c.Guard.Hosts) > 0 {
		return c.Guard.Hosts
	}
	names := []string{web.Loopback}
	if u, err := url.Parse(c.Site.URL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}

// CertificateHosts returns the names that need automatic certificates: the name of the site, then those of guard.hosts. It
// leaves out IP addresses and loopback names, which only probes use.
func (c *Settings) CertificateHosts() []string {
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

// siteHost returns the host name in the address of a site, in the form of a TLS handshake.
func siteHost(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Hostname(), ".")
}

// checkTLS reports settings of TLS that contradict each other.
func (c *Settings) checkTLS(report func(key string, err error)) {
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
		if c.TLS.HTTP != ":80" { // the default, which the file need not have
			key = "tls.http"
		}
		report(key, bad("choose two addresses; an empty tls.http is none", "tls.http and listen are both %s", c.Listen))
	}
	for _, name := range c.Guard.Hosts {
		if strings.HasPrefix(name, "*") {
			report("guard.hosts", bad("name each host", "tls.auto gets no certificates for wildcards such as %s", name))
		}
	}
	hosts, site := c.CertificateHosts(), siteHost(c.Site.URL)
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
