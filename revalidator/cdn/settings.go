package cdn

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings is one entry of the list of CDNs in the settings. docs/formats/cdn.md explains each field.
type Settings struct {
	Kind       string            `json:"kind,omitempty"`       // cloudflare, fastly, varnish or http
	Zone       string            `json:"zone,omitempty"`       // for cloudflare
	Plan       string            `json:"plan,omitempty"`       // for cloudflare: free, pro, business or enterprise
	Service    string            `json:"service,omitempty"`    // for fastly
	URL        string            `json:"url,omitempty"`        // for varnish its address; for http a template; for the others the API's address
	Method     string            `json:"method,omitempty"`     // for varnish xkey or ban; for http a method
	Header     map[string]string `json:"header,omitempty"`     // for http: templates
	Body       string            `json:"body,omitempty"`       // for http: a template
	Everything string            `json:"everything,omitempty"` // for http: the URL that purges everything
	Batch      string            `json:"batch,omitempty"`      // for http: keys or URLs in a request
	Rate       string            `json:"rate,omitempty"`       // requests, for example 5/s or 120/1m
	Token      string            `json:"token,omitempty"`      // env:NAME or file:PATH
	By         string            `json:"by,omitempty"`         // keys or urls
	Soft       bool              `json:"soft,omitempty"`       // for fastly and varnish: mark as stale instead of removing
	Verify     string            `json:"verify,omitempty"`     // address for reading pages back; empty: the site's own URL
}

// A SettingError describes a wrong setting and a correct value.
type SettingError struct {
	Index   int    // of the entry in the list
	Key     string // zone
	Message string
	Remedy  string
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("cdn[%d].%s: %s (%s)", e.Index, e.Key, e.Message, e.Remedy)
}

// A CDN is a parsed entry of the settings: where and how to purge, and where to verify.
type CDN struct {
	name    string
	token   Token
	api     api
	keys    limit // for requests that name keys; batch 0: not possible
	urls    limit // for requests that name URLs; batch 0: not possible
	byURLs  bool  // purge by URL even if a page has a key
	all     bool  // the CDN can purge everything
	refresh bool  // purging means fetching the page again
	most    int   // keys and URLs pending before everything is purged instead; 0: unlimited
	verify  *url.URL
	site    *url.URL
	absence string // what to check if a page shows no generation
}

// String returns the CDN's name for logs. It contains no secret.
func (c CDN) String() string { return c.name }

// mostAtOnce limits the keys and URLs that are named. Beyond it, purging and refilling everything is less work.
const mostAtOnce = 5000

// Parse reads the settings of all CDNs. siteURL is the readers' address of the site. Relative token files start from
// the working directory. It returns all mistakes.
func Parse(list []Settings, siteURL string, getenv func(string) string) ([]CDN, []*SettingError) {
	var cdns []CDN
	var wrong []*SettingError
	names := map[string]int{}
	for i, s := range list {
		p := parser{Settings: s, index: i, getenv: getenv}
		c := p.parse(siteURL)
		wrong = append(wrong, p.wrong...)
		if len(p.wrong) > 0 {
			continue
		}
		if first, ok := names[c.name]; ok {
			p.bad("kind", fmt.Sprintf("cdn[%d] is the same CDN", first), "one entry for each")
			wrong = append(wrong, p.wrong...)
			continue
		}
		names[c.name] = i
		cdns = append(cdns, c)
	}
	return cdns, wrong
}

type parser struct {
	Settings
	index  int
	getenv func(string) string
	wrong  []*SettingError
}

func (p *parser) bad(key, message, remedy string) {
	p.wrong = append(p.wrong, &SettingError{p.index, key, message, remedy})
}

func (p *parser) parse(siteURL string) CDN {
	var c CDN
	c.site = p.address("verify", siteURL, "") // the caller also checks siteURL: this error is never the only one
	c.verify = p.address("verify", p.Verify, siteURL)
	var err error
	if c.token, err = parseToken(p.Token, p.getenv); err != nil {
		p.bad("token", err.Error(), "env:NAME names an environment variable, file:PATH a file that holds it")
	}
	switch p.By {
	case "", "keys", "urls":
		c.byURLs = p.By == "urls"
	default:
		p.bad("by", fmt.Sprintf("by cannot be %q", p.By), "keys or urls")
	}
	switch p.Kind {
	case "cloudflare":
		p.cloudflare(&c)
	case "fastly":
		p.fastly(&c)
	case "varnish":
		p.varnish(&c)
	case "http":
		p.template(&c)
	case "":
		p.bad("kind", "the kind is missing", "cloudflare, fastly, varnish or http")
	default:
		p.bad("kind", fmt.Sprintf("there is no kind %q", p.Kind), "cloudflare, fastly, varnish or http")
	}
	if p.Rate != "" {
		if rate, burst, ok := parseRate(p.Rate); !ok {
			p.bad("rate", fmt.Sprintf("%q is no rate", p.Rate), "such as 5/s or 120/1m")
		} else {
			for _, l := range []*limit{&c.keys, &c.urls} {
				l.rate, l.burst, l.perOne = rate, burst, false
			}
		}
	}
	return c
}

// only reports settings that this kind does not use.
func (p *parser) only(keys ...string) {
	for _, s := range []struct{ key, value string }{
		{"zone", p.Zone}, {"plan", p.Plan}, {"service", p.Service}, {"url", p.URL}, {"method", p.Method}, {"body", p.Body},
		{"everything", p.Everything}, {"batch", p.Batch}, {"header", strings.Repeat("x", len(p.Header))},
	} {
		if s.value != "" && !slices.Contains(keys, s.key) {
			p.bad(s.key, fmt.Sprintf("a CDN of kind %s has no %s", p.Kind, s.key), "remove it")
		}
	}
	if p.Soft && !slices.Contains(keys, "soft") {
		p.bad("soft", fmt.Sprintf("a CDN of kind %s cannot purge softly", p.Kind), "remove it")
	}
}

func (p *parser) needToken() {
	if p.Token == "" {
		p.bad("token", "the token is missing", "env:NAME names an environment variable, file:PATH a file that holds it")
	}
}

// address parses the address of a server, without a path.
func (p *parser) address(key, text, def string) *url.URL {
	text = cmp.Or(text, def)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		p.bad(key, "this is no address of a server", "http:// or https://, a host, and its port if need be")
		return &url.URL{}
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}
}

// id checks a name that becomes part of an API's address.
func (p *parser) id(key, value string) string {
	if value == "" {
		p.bad(key, "the "+key+" is missing", "it is shown beside the name in the CDN's own dashboard")
	}
	for _, r := range value {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
			p.bad(key, fmt.Sprintf("%q is no %s", value, key), "letters and digits, not its name")
			break
		}
	}
	return value
}

// parseRate parses 5/s, 120/1m or 60/m.
func parseRate(text string) (rate, burst float64, ok bool) {
	count, per, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	if !ok || err != nil || n < 1 || n > 1e6 {
		return 0, 0, false
	}
	if per != "" && (per[0] < '0' || per[0] > '9') {
		per = "1" + per
	}
	d, err := time.ParseDuration(per)
	if err != nil || d <= 0 {
		return 0, 0, false
	}
	return float64(n) / d.Seconds(), float64(n), true
}

// isToken reports whether s is valid as a method or a header name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// isLine reports whether s is valid as a header value.
func isLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
