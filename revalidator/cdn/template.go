package cdn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// template purges by any HTTP request. The settings contain the request, with these words in braces: path, url, key
// (one request for each), urls, keys (JSON lists, only in the body), host, and token (only in headers).
type template struct {
	method string
	url    string
	all    string
	header map[string]string
	body   string
	json   bool
	site   *url.URL
	auth   bool // send the token in Authorization, because no header of the settings uses it
}

var (
	word        = regexp.MustCompile(`\{[a-z]+\}`)
	leadingWord = regexp.MustCompile(`^\{[a-z]+\}`)
)

func (p *parser) template(c *CDN) {
	p.only("url", "method", "header", "body", "everything", "batch")
	t := &template{method: cmp.Or(p.Method, http.MethodPost), url: p.URL, all: p.Everything, header: p.Header, body: p.Body,
		site: c.site, auth: p.Token != ""}
	c.api = t
	c.absence = "see whether it removes the header X-Freshet-Generation"
	if !isToken(t.method) {
		p.bad("method", fmt.Sprintf("%q is no method", t.method), "POST, PURGE, GET or another")
	}
	if p.URL == "" {
		p.bad("url", "the url is missing", "where to ask, with {url}, {path} or {key} in it or in the body")
	}
	p.templateURL(c, "url", t.url)
	p.templateURL(c, "everything", t.all)
	start := strings.TrimSpace(t.body)
	t.json = strings.HasPrefix(start, "[") || strings.HasPrefix(start, "{") && !leadingWord.MatchString(start)
	p.words("body", t.body, "path", "url", "key", "urls", "keys", "host")
	has := map[string]bool{}
	for _, text := range append(slices.Collect(maps.Values(t.header)), t.url, t.body) {
		for _, w := range word.FindAllString(text, -1) {
			has[w[1:len(w)-1]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.header)) {
		value := t.header[name]
		if !isToken(name) || !isLine(value) {
			p.bad("header", fmt.Sprintf("%q is no header", name), "a name and one line")
		}
		p.words("header", value, "path", "url", "key", "host", "token")
		t.auth = t.auth && !strings.Contains(value, "{token}")
	}
	if has["token"] && p.Token == "" {
		p.bad("token", "the token is missing", "env:NAME names an environment variable, file:PATH a file that holds it")
	}
	keys, urls := has["key"] || has["keys"], has["url"] || has["urls"] || has["path"]
	t.json = t.json || has["urls"] || has["keys"]
	lists, ones := has["urls"] || has["keys"], has["url"] || has["path"] || has["key"]
	switch {
	case keys == urls:
		p.bad("url", "it names both keys and URLs, or neither", "{key} or {keys}, or else {url}, {urls} or {path}")
	case lists && ones:
		p.bad("body", "it names both one and a list", "{urls} or {keys} alone")
	case p.By == "keys" && urls || p.By == "urls" && keys:
		p.bad("by", "the template says otherwise", "remove it")
	}
	batch := 1
	if lists {
		batch = 100
	}
	if p.Batch != "" {
		n, err := strconv.Atoi(p.Batch)
		if err != nil || n < 1 || n > mostAtOnce || n > 1 && !lists {
			p.bad("batch", fmt.Sprintf("the batch cannot be %q", p.Batch), "a whole number from 1, and more than 1 only with {urls} or {keys}")
		}
		batch = n
	}
	l := limit{batch: batch, rate: 5, burst: 10}
	c.byURLs, c.all = urls, t.all != ""
	c.refresh = has["path"] && (t.method == http.MethodGet || t.method == http.MethodHead)
	if urls {
		c.urls = l
	} else {
		c.keys = l
		if !c.all {
			p.bad("everything", "what purges everything is missing", "pages without a key, such as /robots.txt, are purged by it")
		}
	}
	if c.all {
		c.most = min(mostAtOnce, 1000*batch)
	}
}

// templateURL checks an address. The first address also gives the CDN its name.
func (p *parser) templateURL(c *CDN, key, text string) {
	if text == "" {
		return
	}
	p.words(key, text, "path", "url", "key", "host")
	u, err := url.Parse(word.ReplaceAllStringFunc(strings.ReplaceAll(text, "{path}", "/"), func(string) string { return "x" }))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		p.bad(key, "it is no address", "http:// or https://, a host and a path")
		return
	}
	if u.User != nil {
		p.bad(key, "a password stands in it", "put the secret into cdn.token and {token} into a header")
		return
	}
	if key == "url" {
		c.name = "http " + u.Host + u.Path
	}
}

// words reports words in braces that this text may not contain.
func (p *parser) words(key, text string, allowed ...string) {
	for _, w := range word.FindAllString(text, -1) {
		if slices.Contains(allowed, w[1:len(w)-1]) {
			continue
		}
		if w == "{token}" {
			p.bad(key, "a secret does not belong there", "put {token} into a header")
		} else {
			p.bad(key, fmt.Sprintf("%s means nothing there", w), "{"+strings.Join(allowed, "}, {")+"}")
		}
	}
}

func (t *template) request(ctx context.Context, o *order, token string) (*http.Request, error) {
	plain := map[string]string{"{host}": t.site.Host, "{token}": token}
	lists := map[string][]string{"{keys}": o.keys}
	if o.form == byKey {
		plain["{key}"] = o.keys[0]
	} else if o.form == byURL {
		plain["{path}"], plain["{url}"] = o.paths[0].URL(), absolute(t.site, o.paths[0])
		for _, p := range o.paths {
			lists["{urls}"] = append(lists["{urls}"], absolute(t.site, p))
		}
	}
	fill := func(text string, escape func(word, value string) string) string {
		return word.ReplaceAllStringFunc(text, func(w string) string { return escape(w, plain[w]) })
	}
	target, text := t.url, ""
	if o.form == byAll {
		target = t.all
	} else {
		text = fill(t.body, func(w, value string) string {
			if list, ok := lists[w]; ok {
				b, _ := json.Marshal(list) // strings always marshal
				return string(b)
			}
			if t.json {
				b, _ := json.Marshal(value)
				return string(b[1 : len(b)-1])
			}
			return value
		})
	}
	target = fill(target, func(w, value string) string {
		if w == "{path}" || w == "{host}" {
			return value // already encoded for an address
		}
		return url.QueryEscape(value)
	})
	req, err := http.NewRequestWithContext(ctx, t.method, target, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if text != "" && t.json {
		req.Header.Set("Content-Type", "application/json")
	}
	if t.auth {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range t.header {
		value = fill(value, func(_, value string) string { return value })
		if !isLine(value) {
			return nil, errors.New("a header would have several lines")
		}
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

// accepted ignores the body: the status decides.
func (*template) accepted(*order, []byte) error { return nil }
