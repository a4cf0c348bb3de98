package cdn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// fastly purges a service of Fastly: up to 256 surrogate keys in a request, URLs one by one. Fastly allows a customer
// 100,000 purges an hour, and each key counts as one. Freshet uses 80,000 of them.
type fastly struct {
	api     string
	service string
	site    *url.URL
	soft    bool
}

const fastlyAPI = "https://api.fastly.com/"

func (p *parser) fastly(c *CDN) {
	p.only("service", "url", "soft")
	p.needToken()
	service := p.id("service", p.Service)
	c.name = "fastly " + service
	c.api = &fastly{api: p.address("url", p.URL, fastlyAPI).String(), service: service, site: c.site, soft: p.Soft}
	c.all = true
	const anHour, atOnce = 80_000, 5000
	c.keys = limit{batch: 256, rate: anHour / 3600.0, burst: atOnce, perOne: true}
	c.urls = limit{batch: 1, rate: anHour / 3600.0, burst: atOnce, perOne: true}
	c.most = mostAtOnce
	if c.byURLs {
		c.most = 1000 // each URL is a request of its own
	}
	c.absence = "see whether the service's VCL removes the header X-Freshet-Generation"
}

func (f *fastly) request(ctx context.Context, o *order, token string) (*http.Request, error) {
	target := f.api + "/service/" + f.service
	var body []byte
	switch o.form {
	case byKey:
		target += "/purge"
		var err error
		if body, err = json.Marshal(map[string][]string{"surrogate_keys": o.keys}); err != nil {
			return nil, err
		}
	case byURL:
		target = f.api + "/purge/" + f.site.Host + o.paths[0].URL()
	case byAll:
		target += "/purge_all"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Fastly-Key", token)
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if f.soft && o.form != byAll { // Fastly has no soft purge of everything
		req.Header.Set("Fastly-Soft-Purge", "1")
	}
	return req, nil
}

func (*fastly) accepted(o *order, body []byte) error {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return errors.New("the answer is not the API's")
	}
	if o.form == byKey {
		for _, key := range o.keys {
			if _, ok := answer[key]; !ok {
				return errors.New("the answer does not name every key that was sent")
			}
		}
	} else if status, _ := answer["status"].(string); status != "ok" {
		return errors.New("the purge did not succeed")
	}
	return nil
}
