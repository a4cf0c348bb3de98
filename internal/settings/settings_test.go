package settings

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/pflag"

	"freshet/internal/diag"
)

var update = flag.Bool("update", false, "rewrite the wanted output in testdata")

// load calls Load with the arguments of a command that has a flag for every setting. It returns the settings, and what
// the command prints about mistakes.
func load(t *testing.T, args, env []string) (*Effective, string) {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(flags, FlagNames()...)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	eff, problems, err := Load("", env, flags)
	if err != nil {
		return nil, err.Error()
	}
	var printed bytes.Buffer
	diag.Sort(problems)
	diag.Print(&printed, problems)
	return eff, printed.String()
}

// TestBadSettings checks every message that a mistake in a settings file, the environment or a flag can bring:
// testdata/settings.txtar holds pairs of NAME and NAME.want.
func TestBadSettings(t *testing.T) {
	const file = "testdata/settings.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wants := map[string]string{}
	for _, f := range archive.Files {
		wants[f.Name] = string(f.Data)
	}
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".want") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var args, env []string
			switch ext := filepath.Ext(f.Name); ext {
			case ".env":
				env = strings.Fields(string(f.Data))
			case ".flags":
				args = strings.Fields(string(f.Data))
			default:
				name := "freshet" + ext
				if err := os.WriteFile(name, f.Data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			_, printed := load(t, args, env)
			if printed == "" {
				t.Errorf("%s has no mistake", f.Name)
			}
			if *update {
				archive.Files[i+1].Data = []byte(printed)
				return
			}
			if diff := cmp.Diff(wants[f.Name+".want"], printed); diff != "" {
				t.Errorf("mistakes in %s (-want +got):\n%s", f.Name, diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(filepath.Join(home, file), txtar.Format(archive), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSettingsPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("freshet.toml", []byte("listen = \":1\"\ncontent = \"docs\"\n[site]\ntitle = \"File\"\nurl = \"https://file.example\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	env := []string{"FRESHET_SITE_URL=https://env.example/", "FRESHET_LISTEN=:2", "FRESHET_ISR_MAX_STALE=2d", "FRESHET_TEST_REDIS=x", "HOME=/"}
	eff, printed := load(t, []string{"--listen", ":3", "--drafts"}, env)
	if printed != "" {
		t.Fatalf("mistakes: %s", printed)
	}
	for _, want := range []string{
		"  title: File # freshet.toml:4",
		"  url: https://env.example # FRESHET_SITE_URL",
		"listen: :3 # --listen",
		"content: docs # freshet.toml:2",
		"  drafts: true # --drafts",
		"  maxStale: 48h # FRESHET_ISR_MAX_STALE",
		"  keep: 20 # default",
	} {
		if !strings.Contains(eff.YAML(), want+"\n") {
			t.Errorf("the settings have no line %q:\n%s", want, eff.YAML())
		}
	}
}

// TestConfigReadsBack loads the settings that YAML wrote. Only the origins may change.
func TestConfigReadsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	show := func() map[string]string {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		eff, problems, err := Load("", nil, flags)
		if err != nil || len(problems) > 0 {
			t.Fatalf("Load: %v %v", problems, err)
		}
		if err := os.WriteFile("freshet.yaml", []byte(eff.YAML()), 0o666); err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for _, s := range allSettings() {
			values[s.key] = s.get(&eff.Settings)
		}
		return values
	}
	odd := "site: {title: '# \"no: comment', description: \"a\\nb\", author: 'yes'}\nisr: {maxStale: 90m, revalidate: 1m30s}\n" +
		"cache: {memory: 1.5GB}\nbuild: {maxShrink: 12.5%}\npublic: ''\ncontent: 'a: b'\n" +
		"guard: {hosts: [a.example, '*.b.example', '[2001:db8::1]'], trustedProxies: [cloudflare], allow: [203.0.113.0/24, lists/office.txt],\n" +
		"  limits: {api: 60/s burst 5, page: 'off'}, ban: {steps: [1m, 2d]}, highTraffic: {mode: true, stale: never}, shed: 'off'}\nadmin: ''\nadminToken: 0123456789abcdef\n" +
		"cdn:\n- {kind: varnish, url: 'http://127.0.0.1:6081', soft: true}\n- {kind: http, url: 'http://127.0.0.1{path}', body: 'true', header: {Host: '{host}'}}\n"
	if err := os.WriteFile("freshet.yaml", []byte(odd), 0o666); err != nil {
		t.Fatal(err)
	}
	first := show()
	if first["site.title"] != `# "no: comment` || first["cache.memory"] != "1500MB" || first["public"] != "" ||
		first["guard.hosts"] != "a.example,*.b.example,[2001:db8::1]" || first["adminToken"] != "" ||
		first["guard.allow"] != "203.0.113.0/24,lists/office.txt" || first["guard.limits.api"] != "60/s burst 5" || first["guard.limits.page"] != "off" ||
		first["guard.ban.steps"] != "1m,48h" || first["guard.highTraffic.mode"] != "true" || first["guard.highTraffic.stale"] != "never" || first["guard.shed"] != "off" ||
		first["cdn"] != `[{"kind":"varnish","url":"http://127.0.0.1:6081","soft":true},{"kind":"http","url":"http://127.0.0.1{path}","header":{"Host":"{host}"},"body":"true"}]` {
		t.Errorf("settings read wrongly: %q", first)
	}
	if diff := cmp.Diff(first, show()); diff != "" {
		t.Errorf("settings after being printed and read back (-want +got):\n%s", diff)
	}
}

// TestRelativeFolders: those in the settings file start from the file, those of flags from the working directory.
func TestRelativeFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("site", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("site/freshet.json", []byte(`{"content": "docs", "state": "/var/lib/freshet"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("public", "", "")
	if err := flags.Parse([]string{"--public", "out"}); err != nil {
		t.Fatal(err)
	}
	eff, problems, err := Load("site/freshet.json", []string{"FRESHET_TEMPLATES=theme"}, flags)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Load: %v %v", problems, err)
	}
	got := []string{eff.Content, eff.State, eff.Templates, eff.Public}
	want := []string{filepath.Join("site", "docs"), "/var/lib/freshet", "theme", "out"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}

func TestEnvNames(t *testing.T) {
	for key, want := range map[string]string{
		"site.url": "FRESHET_SITE_URL", "isr.maxStale": "FRESHET_ISR_MAX_STALE", "isr.onMaxStale": "FRESHET_ISR_ON_MAX_STALE",
		"mongo.settingsDB": "FRESHET_MONGO_SETTINGS_DB", "listen": "FRESHET_LISTEN",
	} {
		if got := envName(key); got != want {
			t.Errorf("envName(%q) = %q, want %q", key, got, want)
		}
	}
}

// FuzzSettingsFile checks that no settings file, however broken, ends the process, and that every mistake has a
// message.
func FuzzSettingsFile(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/settings.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(filepath.Ext(file.Name), file.Data)
	}
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		_, root, problems := parseSettingsFile("freshet"+ext, data)
		if root == nil && len(problems) == 0 {
			t.Errorf("a file %s of %q yields neither settings nor problems", ext, data)
		}
		for _, p := range problems {
			if p.Message == "" || p.Severity != diag.Error {
				t.Errorf("a file %s of %q yields the problem %+v", ext, data, p)
			}
		}
	})
}

// TestServiceVariables checks that the addresses which Docker and Kubernetes write into the environment are neither
// settings nor mistakes, and that what resembles them still is a mistake.
func TestServiceVariables(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, env := range [][]string{
		{ // a service called freshet with two ports, as kubelet writes it
			"FRESHET_SERVICE_HOST=10.96.0.12", "FRESHET_SERVICE_PORT=8080", "FRESHET_SERVICE_PORT_HTTP=8080", "FRESHET_SERVICE_PORT_ADMIN_API=9090",
			"FRESHET_PORT=tcp://10.96.0.12:8080", "FRESHET_PORT_8080_TCP=tcp://10.96.0.12:8080", "FRESHET_PORT_8080_TCP_PROTO=tcp",
			"FRESHET_PORT_8080_TCP_PORT=8080", "FRESHET_PORT_8080_TCP_ADDR=10.96.0.12", "FRESHET_PORT_9090_TCP_ADDR=10.96.0.12",
		},
		{"FRESHET_SERVICE_HOST=fd00::c", "FRESHET_PORT=udp://[fd00::c]:443", "FRESHET_PORT_443_UDP=udp://[fd00::c]:443", "FRESHET_PORT_443_UDP_ADDR=fd00::c", "FRESHET_PORT_443_UDP_PROTO=udp"},
		{"FRESHET_PORT_5000_SCTP=sctp://10.0.0.1:5000", "FRESHET_PORT_5000_SCTP_PROTO=sctp"},
		{ // other services of the same release
			"FRESHET_REDIS_MASTER_SERVICE_HOST=10.96.0.13", "FRESHET_REDIS_MASTER_SERVICE_PORT=6379", "FRESHET_REDIS_MASTER_SERVICE_PORT_TCP_REDIS=6379",
			"FRESHET_REDIS_MASTER_PORT=tcp://10.96.0.13:6379", "FRESHET_REDIS_MASTER_PORT_6379_TCP_PROTO=tcp", "FRESHET_ADMIN_PORT=tcp://10.96.0.14:9090",
		},
		{ // a link of Docker
			"FRESHET_NAME=/web/freshet", "FRESHET_ENV_PATH=/usr/bin:/bin", "FRESHET_ENV_FRESHET_SITE_URL=https://other.example", "FRESHET_ENV_EMPTY=",
			"FRESHET_PORT_8080_TCP_START=tcp://172.17.0.2:8080", "FRESHET_PORT_8080_TCP_END=tcp://172.17.0.2:8090",
			"FRESHET_PORT_8080_TCP_PORT_START=8080", "FRESHET_PORT_8080_TCP_PORT_END=8090", "FRESHET_1_PORT=tcp://172.17.0.2:8080", "FRESHET_1_NAME=/web/freshet_1",
		},
	} {
		eff, problems, err := Load("", append(env, "FRESHET_SITE_TITLE=Rivers"), pflag.NewFlagSet("", pflag.ContinueOnError))
		if err != nil || len(problems) > 0 {
			t.Errorf("Load with %q: %v, %v, want no mistakes", env, problems, err)
		} else if eff.Site.Title != "Rivers" || eff.Listen != ":8080" || eff.Site.URL != "http://localhost:8080" {
			t.Errorf("Load with %q has the title %q, listen %q, url %q", env, eff.Site.Title, eff.Listen, eff.Site.URL)
		}
	}
	for pair, remedy := range map[string]string{
		"FRESHET_PORT=8080":                "FRESHET_LISTEN",
		"FRESHET_PORT=":                    "",
		"FRESHET_SERVICE_HSOT=10.0.0.1":    "",
		"FRESHET_SERVICE_PORT=http":        "",
		"FRESHET_PORT_8080=tcp://10.0.0.1": "",
		"FRESHET_PORT_8080_TPC=tcp":        "",
		"FRESHET_PORT_8080_TCP_PROTO=http": "",
		"FRESHET_NAME=Rivers":              "",
		"FRESHET_ENV=production":           "",
		"FRESHET_SITE_UR=https://x.test":   "FRESHET_SITE_URL",
		"FRESHET_LISTN=:80":                "FRESHET_LISTEN",
	} {
		_, problems, err := Load("", []string{pair}, pflag.NewFlagSet("", pflag.ContinueOnError))
		if err != nil || len(problems) != 1 || !strings.Contains(problems[0].Remedy, remedy) {
			t.Errorf("Load with %s: %v, %v, want one mistake whose remedy names %q", pair, problems, err, remedy)
		}
	}
}

// TestRedisCA checks that a file of certificates goes with TLS alone.
func TestRedisCA(t *testing.T) {
	t.Chdir(t.TempDir())
	for url, ok := range map[string]bool{"rediss://localhost": true, "redis://localhost": false, "": false} {
		eff, problems, err := Load("", []string{"FRESHET_REDIS_CA=ca.pem", "REDIS_URL=" + url}, pflag.NewFlagSet("", pflag.ContinueOnError))
		if err != nil || (len(problems) == 0) != ok || eff.Redis.CA != "ca.pem" {
			t.Errorf("redis.url %q with redis.ca %q: %v, %v, want ok %v", url, eff.Redis.CA, problems, err, ok)
		}
	}
}

// TestTables: mappings of the file and of the environment mean the same.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "freshet.yaml")
	text := "mongo:\n  collections: {blogs: posts}\n  fields:\n    content: post.text\n    author.name: writer\n  refs: {author: {collection: users, field: name}}\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	env := []string{`FRESHET_MONGO_COLLECTIONS={"blogs":"posts"}`, `FRESHET_MONGO_FIELDS={"content":"post.text","author.name":"writer"}`,
		`FRESHET_MONGO_REFS={"author":{"collection":"users","field":"name"}}`}
	inFile, problems, err := Load(file, nil, pflag.NewFlagSet("", pflag.ContinueOnError))
	if err != nil || len(problems) > 0 {
		t.Fatalf("the file: %v, %v", problems, err)
	}
	empty := filepath.Join(dir, "empty.yaml")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	inEnv, problems, err := Load(empty, env, pflag.NewFlagSet("", pflag.ContinueOnError))
	if err != nil || len(problems) > 0 {
		t.Fatalf("the environment: %v, %v", problems, err)
	}
	if diff := cmp.Diff(inFile.Mongo.Fields, inEnv.Mongo.Fields) + cmp.Diff(inFile.Mongo.Refs, inEnv.Mongo.Refs) + cmp.Diff(inFile.Mongo.Collections, inEnv.Mongo.Collections); diff != "" || len(inEnv.Mongo.Fields) != 2 {
		t.Errorf("file and environment (-file +environment):\n%s", diff)
	}
	for _, bad := range []string{"mongo: {refs: [a]}\n", "mongo: {fields: x}\n", "mongo: {refs: {author: {collection: users, fild: name}}}\n", "mongo: {collections: {blogs: [a]}}\n"} {
		if err := os.WriteFile(file, []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, problems, err := Load(file, nil, pflag.NewFlagSet("", pflag.ContinueOnError)); err != nil || len(problems) != 1 || problems[0].Line != 1 {
			t.Errorf("%q: %v, %v, want one mistake in line 1", bad, problems, err)
		}
	}
}
