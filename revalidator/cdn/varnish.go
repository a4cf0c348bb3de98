package cdn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// varnish purges one Varnish that uses the VCL of docs/formats/cdn.md: PURGE with keys in xkey-purge or xkey-softpurge,
// BAN with a ban expression in X-Ban.
type varnish struct {
	url  string
	site *url.URL
	xkey bool
	soft bool
}

func (p *parser) varnish(c *CDN) {
	p.only("url", "method", "soft")
	root := &url.URL{}
	if p.URL == "" {
		p.bad("url", "the url is missing", "http:// and where this Varnish listens")
	} else {
		root = p.address("url", p.URL, "")
		if p.Verify == "" {
			c.verify = root // of several Varnishes, verify the one that is purged
		}
	}
	v := &varnish{url: root.String() + "/", site: c.site, xkey: p.Method != "ban", soft: p.Soft}
	switch p.Method {
	case "", "xkey", "ban":
	default:
		p.bad("method", fmt.Sprintf("varnish has no method %q", p.Method), "xkey or ban")
	}
	if p.Soft && (!v.xkey || c.byURLs) {
		p.bad("soft", "a ban cannot be soft", "remove it, or purge by keys with method xkey")
	}
	c.name = "varnish " + root.Host
	c.api = v
	c.all = true
	// Varnish limits a header to 8 KiB (http_req_hdr_len), and compares each ban with every object.
	c.keys = limit{batch: 100, bytes: 3000, rate: 50, burst: 50}
	c.urls = limit{batch: 100, bytes: 3000, rate: 20, burst: 50}
	c.most = mostAtOnce
	c.absence = "see whether its VCL removes the header X-Freshet-Generation"
}

func (v *varnish) request(ctx context.Context, o *order, token string) (*http.Request, error) {
	method, name, value := "BAN", "X-Ban", "obj.status != 0"
	switch {
	case o.form == byKey && v.xkey:
		method, name, value = "PURGE", "xkey-purge", strings.Join(o.keys, " ")
		if v.soft {
			name = "xkey-softpurge"
		}
	case o.form == byKey:
		value = "obj.http.Cache-Tag ~ (^|,)(" + anyOf(o.keys) + ")(,|$)"
	case o.form == byURL:
		urls := make([]string, len(o.paths))
		for i, p := range o.paths {
			urls[i] = p.URL()
		}
		// The case of percent-encoding and the query do not matter.
		value = `obj.http.x-url ~ (?i)^(` + anyOf(urls) + `)(\?|$)`
	}
	req, err := http.NewRequestWithContext(ctx, method, v.url, nil)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(value, "\"\r\n") {
		return nil, errors.New("a name holds a character that cannot be sent")
	}
	req.Host = v.site.Host
	req.Header[name] = []string{value}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// anyOf returns a regular expression that matches any of the texts. The texts hold no blanks. It has at most twice
// their bytes.
func anyOf(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = regexp.QuoteMeta(t)
	}
	return strings.Join(quoted, "|")
}

// accepted has nothing to read: the VCL says all by the status.
func (*varnish) accepted(*order, []byte) error { return nil }
