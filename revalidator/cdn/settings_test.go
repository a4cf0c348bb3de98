package cdn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"freshet/revalidator/cdn"
)

func TestParse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return map[string]string{"TOKEN": secret}[name] }
	fine := cdn.Settings{Kind: "cloudflare", Zone: "0123abc", Token: "env:TOKEN"}
	with := func(change func(*cdn.Settings)) cdn.Settings {
		s := fine
		change(&s)
		return s
	}
	for _, row := range []struct {
		name string
		s    cdn.Settings
		want string // what is wrong; empty: nothing
	}{
		{"cloudflare", fine, ""},
		{"file", with(func(s *cdn.Settings) { s.Token = "file:" + file }), ""},
		{"no such file", with(func(s *cdn.Settings) { s.Token = "file:/nowhere/token" }), "cdn[0].token: read the token"},
		{"literal", with(func(s *cdn.Settings) { s.Token = secret }), "cdn[0].token: a token is not written into the settings"},
		{"unset", with(func(s *cdn.Settings) { s.Token = "env:OTHER" }), "cdn[0].token: the environment variable OTHER is empty"},
		{"no token", with(func(s *cdn.Settings) { s.Token = "" }), "cdn[0].token: the token is missing"},
		{"no zone", with(func(s *cdn.Settings) { s.Zone = "" }), "cdn[0].zone: the zone is missing"},
		{"zone with a path", with(func(s *cdn.Settings) { s.Zone = "a/../b" }), `cdn[0].zone: "a/../b" is no zone`},
		{"plan", with(func(s *cdn.Settings) { s.Plan = "gold" }), `cdn[0].plan: there is no plan "gold"`},
		{"by", with(func(s *cdn.Settings) { s.By = "tags" }), `cdn[0].by: by cannot be "tags"`},
		{"rate", with(func(s *cdn.Settings) { s.Rate = "fast" }), `cdn[0].rate: "fast" is no rate`},
		{"rates", with(func(s *cdn.Settings) { s.Rate = "120/1m" }), ""},
		{"service of another", with(func(s *cdn.Settings) { s.Service = "x" }), "cdn[0].service: a CDN of kind cloudflare has no service"},
		{"soft", with(func(s *cdn.Settings) { s.Soft = true }), "cdn[0].soft: a CDN of kind cloudflare cannot purge softly"},
		{"verify", with(func(s *cdn.Settings) { s.Verify = "www.example.com" }), "cdn[0].verify: this is no address of a server"},
		{"no kind", cdn.Settings{}, "cdn[0].kind: the kind is missing"},
		{"kind", cdn.Settings{Kind: "akamai"}, `cdn[0].kind: there is no kind "akamai"`},
		{"varnish", cdn.Settings{Kind: "varnish", URL: "http://127.0.0.1:6081"}, ""},
		{"varnish nowhere", cdn.Settings{Kind: "varnish"}, "cdn[0].url: the url is missing"},
		{"varnish with a password", cdn.Settings{Kind: "varnish", URL: "http://a:" + secret + "@host"}, "cdn[0].url: this is no address of a server"},
		{"soft ban", cdn.Settings{Kind: "varnish", URL: "http://127.0.0.1:6081", Method: "ban", Soft: true}, "cdn[0].soft: a ban cannot be soft"},
		{"http", cdn.Settings{Kind: "http", URL: "https://api.example.com/purge?url={url}"}, ""},
		{"token in a URL", cdn.Settings{Kind: "http", URL: "https://api.example.com/{path}?key={token}", Token: "env:TOKEN"},
			"cdn[0].url: a secret does not belong there"},
		{"names nothing", cdn.Settings{Kind: "http", URL: "https://api.example.com/purge"}, "cdn[0].url: it names both keys and URLs, or neither"},
		{"unknown word", cdn.Settings{Kind: "http", URL: "https://api.example.com/{slug}{path}"}, "cdn[0].url: {slug} means nothing there"},
		{"keys alone", cdn.Settings{Kind: "http", URL: "https://api.example.com/{key}"}, "cdn[0].everything: what purges everything is missing"},
		{"header", cdn.Settings{Kind: "http", URL: "https://api.example.com/{path}", Header: map[string]string{"X-A": "a\nb"}}, `cdn[0].header: "X-A" is no header`},
		{"batch", cdn.Settings{Kind: "http", URL: "https://api.example.com/{path}", Batch: "10"}, `cdn[0].batch: the batch cannot be "10"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cdns, wrong := cdn.Parse([]cdn.Settings{row.s}, siteURL, getenv)
			var all []string
			for _, e := range wrong {
				all = append(all, e.Error())
				if e.Remedy == "" {
					t.Errorf("%v has no remedy", e)
				}
			}
			text := strings.Join(all, "\n")
			if row.want == "" && (text != "" || len(cdns) != 1) || !strings.Contains(text, row.want) {
				t.Errorf("wrong is\n%s\nwant %q", text, row.want)
			}
			if strings.Contains(text, secret) {
				t.Error("an error holds the token")
			}
		})
	}
	if _, wrong := cdn.Parse([]cdn.Settings{fine, fine}, siteURL, getenv); len(wrong) != 1 || wrong[0].Index != 1 {
		t.Errorf("the same CDN twice: %v", wrong)
	}
}

// TestSecrets prints a CDN in every way.
func TestSecrets(t *testing.T) {
	cdns := parse(t, kinds("http://127.0.0.1:1")["fastly by keys"])
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "cdn", cdns[0], "all", cdns)
	fmt.Fprintf(&b, "%v %+v %#v %s", cdns[0], cdns[0], cdns[0], cdns)
	if err := json.NewEncoder(&b).Encode(cdns); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), secret) {
		t.Errorf("the token is in\n%s", b.String())
	}
}
