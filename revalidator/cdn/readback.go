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

// A verdict is what reading a page back has shown.
type verdict uint8

const (
	current verdict = iota // what readers get is of the generation or later
	old                    // what readers get is older
	unknown                // it could not be told
)

const (
	// readTimeout is for one page, which a reader would not wait for longer.
	readTimeout = 10 * time.Second
	// maxRead is how much of a page is read. It is read so that the CDN keeps it.
	maxRead = 4 << 20
)

// Where a page is in no cache any more, it is the daemon that asks the server, whose guard counts it as a client. Its
// limits are 50 a minute for the API's posts and 120 for the rest of it; pages have none, but a CDN's own may.
const (
	limitedRate, limitedBurst = 40.0 / 60, 40
	freeRate, freeBurst       = 5, 50
)

// isLimited reports whether the guard counts requests for a path.
func isLimited(p site.Path) bool {
	return strings.HasPrefix(string(p), "/api/")
}

// readBack fetches a page as a reader does and compares it with what it must be: an ETag that is the new object's, or
// else a generation that is not older. newest tells the last generation that is known of: what is newer, once it has come, is
// of another state folder, and tells nothing. r says why the page is not current.
func (c *CDN) readBack(ctx context.Context, client *http.Client, p Page, generation uint64, newest func() uint64) (v verdict, r *refusal) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, absolute(c.verify, p.Path), nil)
	if err != nil {
		return unknown, &refusal{message: "read back " + p.Path.URL() + ": " + bare(err).Error(), remedy: "this is a mistake in freshet"}
	}
	req.Host = c.site.Host
	// What browsers send, so that it is their copy that comes. No Cache-Control: it might get another one.
	req.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return unknown, &refusal{message: fmt.Sprintf("read back %s: %v", p.Path.URL(), bare(err)), remedy: "see whether the site can be reached from here as cdn.verify says"}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRead)) // the headers have said all
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

// opaque is the digest in an entity tag: what precedes the name of an encoding, which CDNs add and take away.
func opaque(tag string) string {
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	tag, _, _ = strings.Cut(tag, "-")
	return tag
}

// readClient is the client for reading back from a CDN at the address that verify says, as the host that readers ask.
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

// stay makes a redirect an answer like any other: pages have them, and a token does not follow one.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
