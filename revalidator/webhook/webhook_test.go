package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"freshet/internal/site"
	"freshet/revalidator"
	"freshet/revalidator/webhook"
)

// A desk notes what it is offered, and knows repeats.
type desk struct {
	mu     sync.Mutex
	offers []revalidator.Offer
	keys   map[string]revalidator.Repeat
	err    error
}

func (d *desk) Accept(_ context.Context, o revalidator.Offer) (revalidator.Job, revalidator.Repeat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := o.Request.Check(); err != nil {
		return revalidator.Job{}, 0, err
	}
	if d.err != nil {
		return revalidator.Job{}, 0, d.err
	}
	j := revalidator.Job{ID: "job1", State: revalidator.Queued, Event: o.Event}
	for _, key := range []string{o.DeliveryKey, o.EventKey} {
		if repeat, ok := d.keys[key]; ok && key != "" {
			return j, repeat, nil
		}
	}
	if d.keys == nil {
		d.keys = map[string]revalidator.Repeat{}
	}
	d.keys[o.EventKey], d.keys[o.DeliveryKey] = revalidator.Repeated, revalidator.Replayed
	d.offers = append(d.offers, o)
	return j, revalidator.Fresh, nil
}

func (d *desk) Plan(context.Context, revalidator.Request) ([]string, error) {
	return []string{"/", "/blog/x/"}, d.err
}

func (d *desk) Look(_ context.Context, id string, _ time.Duration) (revalidator.Job, error) {
	if id != "job1" {
		return revalidator.Job{}, site.ErrNotFound
	}
	return revalidator.Job{ID: id, State: revalidator.Done, Generation: 5}, nil
}

const secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of Standard Webhooks' own tests

// A station is a handler with its desk and its log.
type station struct {
	http.Handler
	desk desk
	log  bytes.Buffer
}

func newStation(t testing.TB, profile string, secrets ...webhook.Secret) *station {
	t.Helper()
	s := &station{}
	var err error
	s.Handler, err = webhook.New(webhook.Config{
		Desk: &s.desk, Profile: profile, Secrets: secrets, Token: "token for jobs", Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *station) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// signed are the headers that a sender of a profile adds now.
func signed(profile, secret, id, body string, at time.Time) []string {
	seconds, millis := strconv.FormatInt(at.Unix(), 10), strconv.FormatInt(at.UnixMilli(), 10)
	key := []byte(secret)
	switch profile {
	case "standard":
		key, _ := base64.StdEncoding.DecodeString(secret)
		return []string{"webhook-id", id, "webhook-timestamp", seconds,
			"webhook-signature", "v1," + base64.StdEncoding.EncodeToString(mac(key, id, ".", seconds, ".", body))}
	case "github":
		return []string{"X-GitHub-Delivery", id, "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(mac(key, body))}
	case "stripe":
		return []string{"Stripe-Signature", "t=" + seconds + ",v1=" + hex.EncodeToString(mac(key, seconds, ".", body)) + ",v0=00"}
	case "ghost":
		return []string{"X-Ghost-Signature", "sha256=" + hex.EncodeToString(mac(key, body, millis)) + ", t=" + millis}
	case "sanity":
		return []string{"sanity-webhook-signature", "t=" + millis + ",v1=" + base64.RawURLEncoding.EncodeToString(mac(key, millis, ".", body))}
	case "contentful":
		names := "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"
		canonical := "POST\n/api/revalidate\nx-contentful-signed-headers:" + names + ";x-contentful-timestamp:" + millis + ";x-contentful-topic:" + id + "\n"
		return []string{"X-Contentful-Topic", id, "X-Contentful-Timestamp", millis, "X-Contentful-Signed-Headers", names,
			"X-Contentful-Signature", hex.EncodeToString(mac(key, canonical, body))}
	}
	return []string{"Authorization", "Bearer " + secret}
}

// TestVectors holds the signatures that senders publish for their own libraries.
func TestVectors(t *testing.T) {
	for _, c := range []struct {
		name, profile, secret, body string
		at                          time.Time
		header                      []string
	}{
		{"standard-webhooks/standard-webhooks", "standard", "whsec_" + secret, `{"test": 2432232314}`, time.Unix(1614265330, 0), []string{
			"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
		{"svix", "standard", secret, `{"test": 2432232314}`, time.Unix(1614265330, 0), []string{
			"svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp", "1614265330",
			"svix-signature", "v1a,xxxx v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
		{"sanity-io/webhook-toolkit", "sanity", "test", `{"_id":"resume"}`, time.UnixMilli(1633519811129), []string{
			"sanity-webhook-signature", "t=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0"}},
		{"sanity-io/webhook-toolkit, a blank", "sanity", "try-me", `{"title":"GROQ-Hooks are neat"}`, time.UnixMilli(1633518820676), []string{
			"sanity-webhook-signature", "t=1633518820676, v1=e7C9h2sfbFfc4V7TEz7PSOp4IoNzl0UdVsBV-1wgdeA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, c.profile, "another", webhook.Secret(c.secret))
				time.Sleep(time.Until(c.at) + 4*time.Minute)
				if w := s.send("POST", "/api/revalidate", c.body, c.header...); w.Code != http.StatusAccepted {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
				s.desk.keys = nil
				if w := s.send("POST", "/api/revalidate", c.body+" ", c.header...); w.Code != http.StatusUnauthorized {
					t.Errorf("with another body: answer %d %s", w.Code, w.Body)
				}
				time.Sleep(2 * time.Minute)
				if w := s.send("POST", "/api/revalidate", c.body, c.header...); w.Code != http.StatusUnauthorized {
					t.Errorf("six minutes later: answer %d %s", w.Code, w.Body)
				}
			})
		})
	}
	// GitHub's documentation has a signature of what is no JSON.
	s := newStation(t, "github", "It's a Secret to Everybody")
	w := s.send("POST", "/api/revalidate", "Hello, World!", "X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "no JSON") {
		t.Errorf("GitHub's own example: answer %d %s, want it believed and not understood", w.Code, w.Body)
	}
}

// TestAbuse sends every profile what is not to be believed: 4xx, nothing queued, one line in the log, and no secret in it.
func TestAbuse(t *testing.T) {
	const old, current = "b2xkIHNlY3JldCBvZiBmcmVzaGV0", "Y3VycmVudCBzZWNyZXQ="
	body := `{"docs":["blog:x"]}`
	for _, profile := range webhook.Profiles() {
		timed := profile != "github" && profile != "bearer"
		now := func() []string { return signed(profile, current, "evt1", body, time.Now()) }
		change := func(h []string, from, to string) []string {
			for i := 1; i < len(h); i += 2 {
				h[i] = strings.Replace(h[i], from, to, 1)
			}
			return h
		}
		for _, c := range []struct {
			name, method, target, body string
			header                     []string
			status                     int
			when                       bool
		}{
			{"unsigned", "POST", "/api/revalidate", body, nil, 401, true},
			{"another secret", "POST", "/api/revalidate", body, signed(profile, "YW5vdGhlcg==", "evt1", body, time.Now()), 401, true},
			{"empty secret", "POST", "/api/revalidate", body, signed(profile, "", "evt1", body, time.Now()), 401, true},
			{"another body", "POST", "/api/revalidate", `{"docs":["blog:y"]}`, now(), 401, profile != "bearer"},
			{"too old", "POST", "/api/revalidate", body, signed(profile, current, "evt1", body, time.Now().Add(-6*time.Minute)), 401, timed},
			{"too new", "POST", "/api/revalidate", body, signed(profile, current, "evt1", body, time.Now().Add(6*time.Minute)), 401, timed},
			{"time not signed", "POST", "/api/revalidate", body, change(signed(profile, current, "evt1", body, time.Now().Add(-6*time.Minute)),
				strconv.FormatInt(time.Now().Add(-6*time.Minute).Unix(), 10), strconv.FormatInt(time.Now().Unix(), 10)), 401, timed},
			{"two signatures in two headers", "POST", "/api/revalidate", body, append(now(), now()...), 401, true},
			{"oversized", "POST", "/api/revalidate", body + strings.Repeat(" ", 25<<20), now(), 413, true},
			{"GET", "GET", "/api/revalidate", "", now(), 405, true},
			{"PUT", "PUT", "/api/revalidate", body, now(), 405, true},
			{"secret in query", "POST", "/api/revalidate?secret=" + current, body, nil, 400, true},
			{"secret in query, and signed", "POST", "/api/revalidate?secret=" + current, body, now(), 400, true},
			{"secret as basic authorization", "POST", "/api/revalidate", body, []string{"Authorization", "Basic " + current}, 401, true},
			{"signature of nothing", "POST", "/api/revalidate", "", now(), 0, true},
			{"slash", "POST", "/api/revalidate/", body, now(), 404, true},
			{"nowhere", "POST", "/api/revalidate/job1/x", body, now(), 404, true},
			{"jobs without token", "GET", "/api/revalidate/job1", "", nil, 401, true},
			{"jobs with a secret", "GET", "/api/revalidate/job1", "", []string{"Authorization", "Bearer " + current}, 401, true},
		} {
			if !c.when {
				continue
			}
			t.Run(profile+"/"+c.name, func(t *testing.T) {
				s := newStation(t, profile, old, current)
				w := s.send(c.method, c.target, c.body, c.header...)
				if c.status != 0 && w.Code != c.status || w.Code < 400 || w.Code > 499 {
					t.Errorf("answer %d %s, want %d", w.Code, w.Body, c.status)
				}
				if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
					t.Errorf("Content-Type %q", got)
				}
				if len(s.desk.offers) > 0 {
					t.Errorf("queued %+v", s.desk.offers)
				}
				said := s.log.String() + w.Body.String()
				if strings.Count(s.log.String(), "\n") != 1 || strings.Contains(said, current) || strings.Contains(said, old) || strings.Contains(said, "secret=") {
					t.Errorf("logged %q and answered %q", s.log.String(), w.Body)
				}
			})
		}
		t.Run(profile+"/replay", func(t *testing.T) {
			s := newStation(t, profile, old, current)
			header := signed(profile, old, "evt1", body, time.Now())
			if w := s.send("POST", "/api/revalidate", body, header...); w.Code != http.StatusAccepted || w.Header().Get("Location") != "/api/revalidate/job1" {
				t.Fatalf("answer %d %s", w.Code, w.Body)
			}
			s.log.Reset()
			w := s.send("POST", "/api/revalidate", body, header...)
			if timed && w.Code != http.StatusConflict || w.Code != http.StatusConflict && w.Code != http.StatusAccepted {
				t.Errorf("answer %d %s to a replay", w.Code, w.Body)
			}
			if profile != "bearer" && len(s.desk.offers) != 1 { // its own form may mean a second change
				t.Errorf("queued %d times", len(s.desk.offers))
			}
			if strings.Count(s.log.String(), "\n") != 1 {
				t.Errorf("logged %q", s.log.String())
			}
			if profile != "standard" {
				return
			}
			// Another second has another signature: a retry.
			w = s.send("POST", "/api/revalidate", body, signed(profile, current, "evt1", body, time.Now().Add(time.Minute))...)
			if w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"repeat":true`) || len(s.desk.offers) != 1 {
				t.Errorf("answer %d %s to a retry, queued %d times", w.Code, w.Body, len(s.desk.offers))
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		cfg  webhook.Config
		want string
	}{
		{webhook.Config{}, "Desk is missing"},
		{webhook.Config{Desk: &desk{}, Profile: "slack"}, "no profile"},
		{webhook.Config{Desk: &desk{}, Secrets: []webhook.Secret{"a", ""}}, "a secret is empty"},
	} {
		if _, err := webhook.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v) = %v, want %q", c.cfg, err, c.want)
		}
	}
	s := newStation(t, "standard")
	if w := s.send("POST", "/api/revalidate", `{"docs":["blog:x"]}`, signed("standard", "", "a", `{"docs":["blog:x"]}`, time.Now())...); w.Code != http.StatusForbidden {
		t.Errorf("without secrets: answer %d %s", w.Code, w.Body)
	}
	h, err := webhook.New(webhook.Config{Desk: &desk{}, Secrets: []webhook.Secret{secret}})
	if err != nil {
		t.Fatal(err)
	}
	if w := (&station{Handler: h}).send("GET", "/api/revalidate/job1", "", "Authorization", "Bearer "); w.Code != http.StatusForbidden {
		t.Errorf("jobs without a token set: answer %d %s", w.Code, w.Body)
	}
	text := fmt.Sprintf("%v %+v %#v %s %q", webhook.Secret(secret), webhook.Config{Secrets: []webhook.Secret{secret}}, webhook.Secret(secret), webhook.Secret(secret), webhook.Secret(secret))
	b, err := json.Marshal([]webhook.Secret{secret})
	if err != nil || strings.Contains(text+string(b), secret) {
		t.Errorf("a secret is shown: %s %s %v", text, b, err)
	}
}

// TestJobs asks for jobs, and for what a dry run would do.
func TestJobs(t *testing.T) {
	s := newStation(t, "bearer", secret)
	token := []string{"Authorization", "Bearer token for jobs"}
	if w := s.send("GET", "/api/revalidate/job1", "", token...); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"generation":5`) {
		t.Errorf("job: answer %d %s", w.Code, w.Body)
	}
	if w := s.send("GET", "/api/revalidate/job2", "", token...); w.Code != http.StatusNotFound {
		t.Errorf("no job: answer %d %s", w.Code, w.Body)
	}
	w := s.send("POST", "/api/revalidate", `{"docs":[{"coll":"blogs","slug":"x"}],"dryRun":true}`, "Authorization", "bearer "+secret)
	if w.Code != http.StatusOK || w.Body.String() != `{"pages":["/","/blog/x/"]}`+"\n" || len(s.desk.offers) > 0 {
		t.Errorf("dry run: answer %d %s, queued %v", w.Code, w.Body, s.desk.offers)
	}
	s.desk.err = revalidator.ErrBusy
	if w := s.send("POST", "/api/revalidate", `{"tags":["go"]}`, "Authorization", "Bearer "+secret); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("busy: answer %d %s", w.Code, w.Body)
	}
}

// TestPayloads reads what senders send.
func TestPayloads(t *testing.T) {
	docs := func(names ...string) revalidator.Request {
		var r revalidator.Request
		for _, n := range names {
			coll, rest, _ := strings.Cut(n, ":")
			slug, id, _ := strings.Cut(rest, "#")
			r.Docs = append(r.Docs, revalidator.Doc{Coll: coll, Slug: slug, ID: id})
		}
		return r
	}
	all := revalidator.Request{Everything: true}
	given := revalidator.Request{Docs: []revalidator.Doc{{Given: "blog:x"}}, Tags: []string{"go"}, Paths: []string{"/blog/"}}
	for _, c := range []struct {
		name, profile, body string
		want                revalidator.Request // empty: nothing is queued
		status              int
	}{
		{"own form", "standard", `{"docs":["blog:x"],"tags":["go"],"paths":["/blog/"]}`, given, 202},
		{"own form in data", "standard", `{"type":"a","timestamp":"2026-01-01T00:00:00Z","data":{"docs":["blog:x"],"tags":["go"],"paths":["/blog/"]}}`, given, 202},
		{"event", "standard", `{"type":"post.updated","data":{"id":7,"slug":"x"}}`, docs("post:x#7"), 202},
		{"unknown event", "standard", `{"type":"ping"}`, all, 202},
		{"unknown member", "standard", `{"docs":["blog:x"],"tag":["go"]}`, revalidator.Request{}, 400},
		{"nothing named", "standard", `{"docs":[]}`, revalidator.Request{}, 400},
		{"operator as id", "standard", `{"docs":[{"coll":"blogs","id":{"$ne":1}}]}`, revalidator.Request{}, 400},
		{"no JSON", "standard", `docs=blog:x`, revalidator.Request{}, 400},
		{"two objects", "standard", `{"docs":["blog:x"]}{}`, revalidator.Request{}, 400},
		{"control character", "standard", "{\"docs\":[\"blog:\\u0000\"]}", revalidator.Request{}, 400},
		{"push", "github", `{"ref":"refs/heads/main","repository":{"id":1},"commits":[]}`, all, 202},
		{"ping", "github", `{"zen":"Keep it logically awesome.","hook_id":1,"repository":{}}`, revalidator.Request{}, 200},
		{"dispatch", "github", `{"action":"publish","client_payload":{"docs":["blog:x"],"tags":["go"],"paths":["/blog/"]},"repository":{}}`, given, 202},
		{"product", "stripe", `{"id":"evt_1","object":"event","type":"product.updated","data":{"object":{"id":"prod_1","metadata":{"slug":"go-course"}}}}`, docs("course:go-course"), 202},
		{"price", "stripe", `{"id":"evt_1","object":"event","type":"price.updated","data":{"object":{}}}`, all, 202},
		{"invoice", "stripe", `{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{}}}`, revalidator.Request{}, 200},
		{"renamed post", "ghost", `{"post":{"current":{"id":"1","slug":"new"},"previous":{"slug":"old"}}}`, docs("post:new", "post:old"), 202},
		{"deleted post", "ghost", `{"post":{"current":{},"previous":{"id":"1","slug":"old"}}}`, docs("post:old"), 202},
		{"tag", "ghost", `{"tag":{"current":{"name":"Go","slug":"go"},"previous":{}}}`, revalidator.Request{Tags: []string{"Go"}}, 202},
		{"site", "ghost", `{}`, all, 202},
		{"member", "ghost", `{"member":{"current":{}}}`, revalidator.Request{}, 200},
		{"entry", "contentful", `{"metadata":{"tags":[]},"sys":{"type":"Entry","id":"e1","contentType":{"sys":{"id":"blogPost"}}},"fields":{"slug":{"en-US":"x","hi":"नदी"}}}`,
			docs("blogPost:x#e1", "blogPost:नदी"), 202},
		{"deleted entry", "contentful", `{"sys":{"type":"DeletedEntry","id":"e1","contentType":{"sys":{"id":"blogPost"}}}}`, docs("blogPost:#e1"), 202},
		{"asset", "contentful", `{"sys":{"type":"Asset","id":"a1"}}`, all, 202},
		{"document", "sanity", `{"_id":"drafts.d1","_type":"post","slug":{"_type":"slug","current":"x"},"tags":["go"]}`, docs("post:x#d1"), 202},
		{"Strapi", "bearer", `{"event":"entry.update","createdAt":"2026-01-01","model":"article","uid":"api::article.article","entry":{"id":1,"documentId":"abc","slug":"x"}}`,
			docs("article:x#abc"), 202},
		{"Strapi's media", "bearer", `{"event":"media.update","media":{"id":1}}`, all, 202},
		{"Strapi's test", "bearer", `{"event":"trigger-test"}`, revalidator.Request{}, 200},
		{"too many", "bearer", `{"docs":[` + strings.Repeat(`"a",`, 1000) + `"a"]}`, all, 202},
	} {
		t.Run(c.profile+"/"+c.name, func(t *testing.T) {
			s := newStation(t, c.profile, secret)
			w := s.send("POST", "/api/revalidate", c.body, signed(c.profile, secret, "evt1", c.body, time.Now())...)
			if w.Code != c.status {
				t.Errorf("answer %d %s, want %d", w.Code, w.Body, c.status)
			}
			var got revalidator.Request
			if len(s.desk.offers) > 0 {
				got = s.desk.offers[0].Request
				if err := got.Check(); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzSignature sends any headers and body: what has no right signature is never queued, and nothing panics.
func FuzzSignature(f *testing.F) {
	body := `{"docs":["blog:x"]}`
	for _, p := range webhook.Profiles() {
		var text strings.Builder
		h := signed(p, "wrong", "evt1", body, time.Now())
		for i := 0; i < len(h); i += 2 {
			fmt.Fprintf(&text, "%s: %s\n", h[i], h[i+1])
		}
		f.Add(text.String(), body)
	}
	f.Fuzz(func(t *testing.T, headers, body string) {
		for _, p := range webhook.Profiles() {
			s := newStation(t, p, secret)
			var h []string
			for line := range strings.Lines(headers) {
				if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
					h = append(h, name, value)
				}
			}
			w := s.send("POST", "/api/revalidate", body, h...)
			if strings.Contains(headers, secret) {
				continue
			}
			if w.Code < 400 || w.Code > 499 || len(s.desk.offers) > 0 {
				t.Errorf("%s: answer %d %s to headers %q", p, w.Code, w.Body, headers)
			}
		}
	})
}

// FuzzPayload sends any body rightly signed: it is refused, ignored, or a request within its bounds.
func FuzzPayload(f *testing.F) {
	for _, body := range []string{`{"docs":["blog:x",{"coll":"blogs","id":"1"}]}`, `{"post":{"current":{"slug":"a"}}}`, `{"sys":{"type":"Entry","id":"1"},"fields":{"slug":{"en":"x"}}}`,
		`{"_id":"a","_type":"b","slug":{"current":"c"}}`, `{"event":"entry.update","model":"a","entry":{"id":1}}`, `{"object":"event","type":"product.x","data":{}}`, `null`, `[]`, `{"data":null}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, p := range webhook.Profiles() {
			s := newStation(t, p, secret)
			w := s.send("POST", "/api/revalidate", body, signed(p, secret, "evt1", body, time.Now())...)
			switch {
			case w.Code == http.StatusAccepted && len(s.desk.offers) == 1:
				r := s.desk.offers[0].Request
				if r.Empty() || r.Check() != nil || len(r.Docs) > 1000 {
					t.Errorf("%s made %+v of %q", p, r, body)
				}
			case w.Code != 200 && w.Code != 400 && w.Code != 413 || len(s.desk.offers) > 0:
				t.Errorf("%s: answer %d %s to %q", p, w.Code, w.Body, body)
			}
		}
	})
}

// TestEventsOfOneBody tells events apart whose senders sign no time: by their ids, for two may have one body.
func TestEventsOfOneBody(t *testing.T) {
	const secret = "a-secret-of-some-length"
	for _, c := range []struct{ name, profile, body, header string }{
		{"dispatch", "github", `{"event_type":"edited","client_payload":{"docs":["blog:x"]},"repository":{"pushed_at":1}}`, "X-GitHub-Delivery"},
		{"other event", "github", `{"action":"x","repository":{"pushed_at":1}}`, "X-GitHub-Delivery"},
		{"entry", "bearer", `{"event":"entry.update","model":"blog","entry":{"slug":"x"}}`, "Idempotency-Key"},
		{"own form", "bearer", `{"docs":["blog:x"]}`, "Idempotency-Key"},
	} {
		s := newStation(t, c.profile, secret)
		for _, id := range []string{"one", "two", "one", "", ""} {
			header := signed(c.profile, secret, id, c.body, time.Now())
			if c.profile == "bearer" && id != "" {
				header = append(header, c.header, id)
			}
			if w := s.send("POST", "/api/revalidate", c.body, header...); w.Code != 202 {
				t.Fatalf("%s: %d %s", c.name, w.Code, w.Body)
			}
		}
		var keys []string
		for _, o := range s.desk.offers { // all that are no repeats
			keys = append(keys, o.EventKey)
		}
		if len(keys) != 4 || keys[0] == "" || keys[0] == keys[1] || keys[2] != "" || keys[3] != "" {
			t.Errorf("%s: keys of the events one, two and two without an id are %q", c.name, keys)
		}
	}
}
