package cdn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"freshet/internal/web"
)

// cloudflare purges a zone of Cloudflare: POST /zones/ZONE/purge_cache with tags, files or purge_everything.
// developers.cloudflare.com/cache/how-to/purge-cache gives the limits. A request holds 100 names on every plan.
// Requests by tag use a token bucket of the account, which depends on the plan. Requests by URL may be hundreds a
// second, but the API allows 1,200 requests in five minutes.
type cloudflare struct {
	url  string
	site *url.URL
}

const cloudflareAPI = "https://api.cloudflare.com/"

func (p *parser) cloudflare(c *CDN) {
	p.only("zone", "plan", "url")
	p.needToken()
	zone := p.id("zone", p.Zone)
	root := p.address("url", p.URL, cloudflareAPI)
	c.name = "cloudflare " + zone
	c.api = &cloudflare{url: root.String() + "/client/v4/zones/" + zone + "/purge_cache", site: c.site}
	c.all = true
	c.keys = limit{batch: 100, rate: 5.0 / 60, burst: 25}
	switch p.Plan {
	case "", "free": // the lowest limit, correct for every plan
	case "pro":
		c.keys.rate = 5
	case "business":
		c.keys.rate, c.keys.burst = 10, 50
	case "enterprise":
		c.keys.rate, c.keys.burst = 50, 500
	default:
		p.bad("plan", fmt.Sprintf("there is no plan %q", p.Plan), "free, pro, business or enterprise")
	}
	c.urls = limit{batch: 100, rate: 4, burst: 8}
	c.most = min(mostAtOnce, c.keys.batch*int(c.keys.burst))
	if c.byURLs {
		c.most = min(mostAtOnce, c.most)
	}
	c.absence = "see whether a rule of the zone removes the header X-Freshet-Generation"
}

func (f *cloudflare) request(ctx context.Context, o *order, token string) (*http.Request, error) {
	var body struct {
		Tags       []string `json:"tags,omitempty"`
		Files      []string `json:"files,omitempty"`
		Everything bool     `json:"purge_everything,omitempty"`
	}
	switch o.form {
	case byKey:
		body.Tags = o.keys
	case byURL:
		for _, p := range o.paths {
			body.Files = append(body.Files, absolute(f.site, p))
		}
	case byAll:
		body.Everything = true
	}
	text, err := json.Marshal(&body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func (*cloudflare) accepted(_ *order, body []byte) error {
	var answer struct {
		Success bool
		Errors  []struct {
			Code    int
			Message string
		}
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil:
		return errors.New("the answer is not the API's")
	case answer.Success:
		return nil
	case len(answer.Errors) > 0:
		return fmt.Errorf("error %d: %s", answer.Errors[0].Code, web.Clip(answer.Errors[0].Message, 200))
	}
	return errors.New("the purge did not succeed")
}
