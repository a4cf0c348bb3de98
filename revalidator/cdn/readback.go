package cdn

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

// A verdict is the result of reading a page back.
type verdict uint8

const (
	current verdict = iota // the copy is of the generation or a later one
	old                    // the copy is older
	unknown                // neither could be determined
)

const (
	// readTimeout limits reading one page. A reader would not wait longer.
	readTimeout = 10 * time.Second
	// maxRead limits how much of a page is read. Reading the body makes the CDN store the page.
	maxRead = 4 << 20
)

// If no cache holds a page, the request of the daemon reaches the server, and the guard counts it. The guard allows 50
// requests a minute to the API's posts and 120 to the rest of the API. Pages have no limit in the guard, but the CDN
// may have one.
const (
	limitedRate, limitedBurst = 40.0 / 60, 40
	freeRate, freeBurst       = 5, 50
)

// isLimited reports whether the guard counts requests for a path.
func isLimited(p site.Path) bool {
	return strings.HasPrefix(string(p), "/api/")
}

// readBack fetches a page as a reader does. The page is current if its ETag is that of the new object, or else if its
// generation is not older. newest returns the newest known generation: a page with a higher number comes from another
// state folder and proves nothing. r says why the page is not current.
func (c *CDN) readBack(ctx context.Context, client *http.Client, p Page, generation uint64, newest func() uint64) (v verdict, r *refusal) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, absolute(c.verify, p.Path), nil)
	if err != nil {
		return unknown, &refusal{message: "read back " + p.Path.URL() + ": " + bare(err).Error(), remedy: "this is a mistake in freshet"}
	}
	req.Host = c.site.Host
	// Send what browsers send, to get the copy that they get. Cache-Control might select another copy.
	req.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return unknown, &refusal{message: fmt.Sprintf("read back %s: %v", p.Path.URL(), bare(err)), remedy: "see whether the site can be reached from here as cdn.verify says"}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRead)) // only the headers matter
	_ = resp.Body.Close()
	tag, text := opaque(resp.Header.Get("Etag")), resp.Header.Get("X-Freshet-Generation")
	got, err := strconv.ParseUint(text, 10, 64)
	switch {
	case p.ETag != "" && tag == p.ETag && resp.StatusCode == http.StatusOK:
		return current, nil
	case text != "" && err == nil && got > newest():
		return unknown, &refusal{message: fmt.Sprintf("read back %s: generation %d is of another state folder than %d", p.Path.URL(), got, newest()),
			remedy: "purge everything at the CDN by hand"}
	case text != "" && err == nil && got > generation, text != "" && err == nil && got == generation && (p.ETag == "" || tag == ""):
		return current, nil
	case text != "" && err == nil, p.ETag != "" && tag != "":
		return old, &refusal{message: fmt.Sprintf("%s is still what it was: the CDN gives generation %s, wanted %d", p.Path.URL(), orNone(text), generation),
			remedy: "see whether the CDN keeps pages under the headers Cache-Tag or Surrogate-Key and without their query; until then pages are as old as their CDN-Cache-Control lets them be"}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusForbidden:
		return unknown, &refusal{message: fmt.Sprintf("read back %s: the answer is %d", p.Path.URL(), resp.StatusCode), after: retryAfter(resp.Header, time.Now()),
			remedy: "let this machine's address pass: guard.allow, and the CDN's own rules"}
	}
	return unknown, &refusal{message: fmt.Sprintf("read back %s: the answer is %d and shows no generation", p.Path.URL(), resp.StatusCode),
		after: retryAfter(resp.Header, time.Now()), remedy: c.absence}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return web.Clip(text, 20)
}

// opaque returns the digest in an entity tag, without the name of an encoding, which CDNs add and remove.
func opaque(tag string) string {
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	tag, _, _ = strings.Cut(tag, "-")
	return tag
}

// readClient returns the client for reading back. It connects to the address verify, but requests the site's own host.
func (c *CDN) readClient(base http.RoundTripper) *http.Client {
	if t, ok := base.(*http.Transport); ok && c.verify.Scheme == "https" && c.verify.Host != c.site.Host {
		t = t.Clone()
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t.TLSClientConfig.ServerName = c.site.Hostname()
		base = t
	}
	return &http.Client{Transport: base, CheckRedirect: stay}
}

// stay returns redirects as answers: a page may be one, and a token must not follow one.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
