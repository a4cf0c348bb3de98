package cdn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
)

// A form is the way in which a request names pages.
type form uint8

const (
	byKey form = iota
	byURL
	byAll
)

// An order is the content of one purge request.
type order struct {
	form  form
	keys  []string    // encoded as in the pages' headers
	paths []site.Path // of byURL
}

// An api builds the requests for one kind of CDN and reads its answers.
type api interface {
	// request builds the HTTP request for an order.
	request(ctx context.Context, o *order, token string) (*http.Request, error)
	// accepted checks the body of a 2xx answer. An error says why the CDN accepted nothing.
	accepted(o *order, body []byte) error
}

// A trouble is the kind of reason why a request was not accepted.
type trouble uint8

const (
	away    trouble = iota // no answer, or 5xx: try later
	limited                // 429: try later
	denied                 // the token or the address is wrong: an operator must act
	wrong                  // this request is refused, perhaps because of one of its pages
)

// A refusal says why a request was not accepted, and how to fix that. It contains no secret.
type refusal struct {
	trouble trouble
	message string
	remedy  string
	after   time.Duration // earliest time for the next try; 0: unknown
}

func (r *refusal) Error() string { return r.message }

const (
	// sendTimeout limits one purge request. CDNs answer in well under a second; Fastly's own client waits 10 seconds.
	sendTimeout = 10 * time.Second
	// maxAnswer limits how much of an answer is read.
	maxAnswer = 64 << 10
	// maxRetryAfter limits the pause that a CDN can demand. No CDN counts in windows of more than an hour.
	maxRetryAfter = time.Hour
)

// send sends one purge request to the CDN. Its errors are refusals.
func (c *CDN) send(ctx context.Context, client *http.Client, o *order) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	token, err := c.token.reveal()
	if err != nil {
		return &refusal{trouble: denied, message: err.Error(), remedy: "put the token where cdn.token says it is"}
	}
	req, err := c.api.request(ctx, o, token)
	if err != nil {
		return &refusal{trouble: wrong, message: "make the request: " + bare(err).Error(), remedy: "this is a mistake in freshet or in the template"}
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return &refusal{trouble: away, message: "ask to purge: " + bare(err).Error(),
			remedy: "see whether the CDN's API can be reached from here"}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		if err != nil {
			return &refusal{trouble: away, message: "read the answer: " + bare(err).Error(), remedy: "see whether the CDN's API can be reached from here"}
		}
		if err := c.api.accepted(o, body); err != nil {
			return &refusal{trouble: wrong, message: conceal(err.Error(), token), remedy: "see what the CDN says about it"}
		}
		return nil
	}
	if c.refresh && (resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusForbidden) &&
		resp.Header.Get("X-Freshet-Generation") != "" {
		return nil // the request fetched the page itself, which is a redirect or gone
	}
	r := judge(resp.StatusCode)
	r.message = fmt.Sprintf("the CDN answers %d", resp.StatusCode)
	if text := web.Clip(strings.Join(strings.Fields(string(body)), " "), 200); text != "" {
		r.message += ": " + conceal(text, token)
	}
	r.after = retryAfter(resp.Header, time.Now())
	return r
}

const userAgent = "freshet (cdn purge)"

func judge(status int) *refusal {
	switch {
	case status == http.StatusTooManyRequests:
		return &refusal{trouble: limited, remedy: "lower cdn.rate, or see what else uses the account's limit"}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &refusal{trouble: denied, remedy: "give cdn.token a token that may purge this site"}
	case status == http.StatusNotFound || status/100 == 3:
		return &refusal{trouble: denied, remedy: "see whether the CDN's zone, service or url is right"}
	case status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooEarly:
		return &refusal{trouble: away, remedy: "see whether the CDN has trouble of its own"}
	}
	return &refusal{trouble: wrong, remedy: "see what the CDN says about it; the other pages are purged without it"}
}

// retryAfter reads a Retry-After header: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(time.Duration(n)*time.Second, 0), maxRetryAfter)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// bare removes the address from an error of net/http, because an address in the settings may contain a secret.
func bare(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}

// conceal replaces the token in a CDN's text.
func conceal(text, token string) string {
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, hidden)
}

// absolute returns the address at which readers request a page.
func absolute(root *url.URL, p site.Path) string { return root.Scheme + "://" + root.Host + p.URL() }
