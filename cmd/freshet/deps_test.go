package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importers says which of freshet's packages each package may import, and why it is so. A package that is not here has
// to be given its place first.
var importers = map[string]struct {
	why string
	may []string
}{
	"internal/digest":   {why: "digests are the bottom: everything may stand on them"},
	"internal/diag":     {why: "problems are the bottom: everything may report them"},
	"internal/site":     {may: []string{"internal/digest", "internal/diag"}, why: "nouns know no technology"},
	"internal/fields":   {may: []string{"internal/site", "internal/diag", "internal/digest"}, why: "what fields are called is the same wherever documents are kept"},
	"internal/extjson":  {may: []string{"internal/diag"}, why: "stored documents are values: those who keep them may speak of them, and they of nobody"},
	"internal/prose":    {may: []string{"internal/fields", "internal/site", "internal/extjson", "internal/diag"}, why: "the text of a stored document is the same wherever it is kept"},
	"internal/datauri":  {may: []string{"internal/digest"}, why: "pictures held as data are read alike wherever they stand"},
	"internal/transfer": {may: []string{"internal/extjson", "internal/diag", "internal/fields"}, why: "moving documents needs to know no place that they are kept in"},
	"internal/encoding": {why: "encoded forms are functions of bytes: the server sends them, the public tree keeps them, and both must mean the same"},
	"internal/memo":     {may: []string{"internal/digest"}, why: "remembering results needs to know none of them"},
	"internal/pagestore": {may: []string{"internal/site", "internal/digest", "internal/diag"},
		why: "adapters know the nouns, never each other"},
	"internal/pagestore/pagetest": {may: []string{"internal/digest", "internal/pagestore", "internal/site"},
		why: "tests of all that keeps pages make generations in one way"},
	"internal/publictree": {may: []string{"internal/digest", "internal/encoding", "internal/pagestore", "internal/site"},
		why: "the public tree is what the page log holds, as files: it reads generations, and the log does not know it"},
	"internal/shortcodes": {may: []string{"internal/diag"}, why: "translating template syntax is a function of one text"},
	"internal/frontmatter": {may: []string{"internal/diag", "internal/extjson", "internal/fields", "internal/site"},
		why: "it reads languages: which field means what is not its matter, only which names make lines front matter"},
	"internal/stored": {may: []string{"internal/extjson", "internal/fields", "internal/frontmatter", "internal/prose", "internal/site"},
		why: "how a document is written as a file does not depend on where files are"},
	"internal/contentdir": {may: []string{"internal/site", "internal/digest", "internal/diag", "internal/fields", "internal/frontmatter", "internal/stored", "internal/extjson", "internal/prose", "internal/datauri", "internal/shortcodes"},
		why: "adapters know the nouns, never each other"},
	"internal/mongodb": {may: []string{"internal/site", "internal/digest", "internal/diag", "internal/fields", "internal/extjson", "internal/prose", "internal/datauri"},
		why: "adapters know the nouns, never each other"},
	"internal/documents": {may: []string{"internal/contentdir", "internal/mongodb", "internal/site"},
		why: "the adapters do not know each other: documents joins two of them, and knows nothing of pages"},
	"internal/redisdb": {may: []string{"internal/site", "internal/digest", "internal/diag"},
		why: "adapters know the nouns, never each other"},
	"generator/markup/highlight": {why: "colouring is a function of a language and its code"},
	"generator/markup":           {may: []string{"generator/markup/highlight", "internal/datauri", "internal/site", "internal/digest", "internal/diag"}, why: "markup is a function of one body"},
	"generator/plan": {may: []string{"generator/markup", "internal/site", "internal/digest", "internal/diag"},
		why: "planning is a function of two snapshots: it reads and writes nothing"},
	"generator/stencil": {why: "running a template needs to know no page"},
	"generator": {may: []string{"generator/markup", "generator/plan", "generator/stencil", "internal/site", "internal/digest", "internal/diag",
		"internal/memo", "internal/pagestore", "internal/publictree"}, why: "the generator gets its source from outside, and knows neither daemon nor server"},
	"internal/builder": {may: []string{"generator", "generator/markup", "internal/contentdir", "internal/diag", "internal/digest", "internal/documents",
		"internal/memo", "internal/pagestore", "internal/publictree", "internal/site", "revalidator", "templates"},
		why: "the generator and the revalidator do not know each other: the builder runs the one for the other, and knows nothing of how pages are served"},
	"internal/explain": {may: []string{"internal/diag", "internal/pagestore", "internal/site"},
		why: "an explanation needs what documents say and what generations hold: not who made them"},
	"revalidator": {may: []string{"internal/site", "internal/digest", "internal/diag", "internal/linelog", "internal/web"},
		why: "the daemon drives a generator that it is given"},
	"revalidator/webhook": {may: []string{"revalidator", "internal/site", "internal/web"},
		why: "webhooks are the HTTP end of the daemon's queue: whoever serves HTTP mounts them"},
	"revalidator/cdn": {may: []string{"internal/linelog", "internal/site", "internal/web"},
		why: "purging speaks HTTP to others: it knows what keys look like, and neither how pages are made nor how they are served; the page log and the server's answers are handed in"},
	"server": {may: []string{"internal/site", "internal/digest", "internal/diag", "internal/encoding", "internal/pagestore", "internal/web",
		"internal/wire", "internal/telemetry", "server/guard"}, why: "the server follows pages and asks its guard: it never renders and never asks a source"},
	"server/admin": {may: []string{"internal/site", "internal/web", "internal/wire"},
		why: "operators are answered from what is handed in: the listener knows neither guard nor pages"},
	"server/admin/client": {may: []string{"internal/diag"}, why: "who asks the operators' listener needs to know its addresses only"},
	"server/desk": {may: []string{"internal/diag", "internal/pagestore", "internal/site", "internal/web", "server", "server/admin", "server/guard", "server/guard/bans", "server/guard/limit",
		"server/guard/traffic"},
		why: "the operators' listener and the guard do not know each other: the desk answers the one with the other"},
	"server/guard/cidr":      {why: "sets of addresses are values"},
	"server/guard/limit":     {why: "counting needs to know nothing of what it counts"},
	"server/guard/bans":      {why: "a table of bans is a value: the guard fills it, operators read it"},
	"server/guard/accesslog": {why: "a log is text"},
	"server/guard/traffic":   {may: []string{"server/guard/limit"}, why: "how busy the site is says nothing of what is done about it"},
	"server/guard/bots":      {may: []string{"server/guard/cidr"}, why: "what a program looks like is a function of its headers and address"},
	"server/guard": {may: []string{"server/guard/bans", "server/guard/bots", "server/guard/cidr", "server/guard/limit", "server/guard/traffic",
		"internal/linelog"},
		why: "the guard judges plain facts: it knows neither HTTP nor who keeps what servers share"},
	"server/guard/replay": {may: []string{"internal/diag", "internal/web", "server/guard", "server/guard/accesslog", "server/guard/bots"},
		why: "replaying a log is asking the guard with facts of a log, after finding each client behind its proxies"},
	"internal/handover": {may: []string{"internal/settings"}, why: "it keeps the sockets that settings name, and knows nothing of who listens"},
	"internal/settings": {may: []string{"generator/plan", "internal/acme", "internal/diag", "internal/digest", "internal/mongodb", "internal/redisdb", "internal/web",
		"revalidator/cdn", "revalidator/webhook", "server", "server/guard", "server/guard/bans", "server/guard/bots", "server/guard/cidr",
		"server/guard/limit", "server/guard/traffic"},
		why: "each part says what its settings look like and which values are valid; settings gathers them, and only the wiring imports it"},
	"internal/acme":      {why: "getting a certificate needs to know its hosts, and nothing of what they serve"},
	"internal/linelog":   {why: "whether a line is whole depends on nothing that it says"},
	"internal/web":       {why: "HTTP mechanics hold nothing of the product"},
	"internal/wire":      {why: "connections are vetted before anything is known of requests"},
	"internal/telemetry": {why: "what is told to operators is told by everybody: telling knows nobody"},
	"templates":          {why: "templates are data"},
}

// wiring is exempt: it knows everything, and nothing may know it.
const wiring = "cmd/freshet"

// drivers names the packages that may import a module from outside: one driver, one package, one place to look.
var drivers = map[string][]string{
	"github.com/yuin/goldmark":            {"generator/markup"},
	"github.com/alecthomas/chroma/v2":     {"generator/markup/highlight"},
	"github.com/dlclark/regexp2/v2":       {"generator/markup/highlight"}, // chroma's own engine: its lexers' expressions are read with it
	"github.com/microcosm-cc/bluemonday":  {"generator/markup"},
	"github.com/fsnotify/fsnotify":        {"revalidator", "internal/pagestore"},
	"github.com/cespare/xxhash/v2":        {"internal/digest"},
	"github.com/goccy/go-yaml":            {"internal/frontmatter", "internal/settings"},
	"github.com/pelletier/go-toml/v2":     {"internal/frontmatter", "internal/settings"},
	"github.com/tidwall/btree":            {"internal/site"},
	"github.com/andybalholm/brotli":       {"internal/encoding"},
	"github.com/klauspost/compress":       {"internal/encoding"},
	"github.com/maypok86/otter/v2":        {"server"},
	"github.com/gaissmai/bart":            {"internal/web", "server/guard/cidr", "server/guard/bans"},
	"github.com/prometheus/client_golang": nil, // the registry is handed to every part, which registers what is its own
	"github.com/tdewolff/minify/v2":       {"generator"},
	"github.com/spf13/cobra":              {wiring},
	"github.com/spf13/pflag":              {"internal/settings", wiring},
	"github.com/caddyserver/certmagic":    {"internal/acme"},
	"github.com/mholt/acmez/v3":           {"internal/acme"}, // certmagic's client: its errors tell what an authority said
	"go.uber.org/zap":                     {"internal/acme"}, // certmagic's log, which goes into ours
	"github.com/letsencrypt/pebble/v2":    {},                // tests only
	"github.com/miekg/dns":                {},                // tests only
	"go.mongodb.org/mongo-driver/v2":      {"internal/mongodb"},
	"github.com/failsafe-go/failsafe-go":  {"internal/mongodb"},
	"github.com/redis/go-redis/v9":        {"internal/redisdb"},
	"golang.org/x/image":                  {"internal/contentdir", "internal/datauri"},
	"golang.org/x/net":                    {"internal/fields", "generator/markup"},
	"golang.org/x/sync":                   nil, // nil: anybody
	"golang.org/x/sys":                    nil,
	"golang.org/x/text":                   nil,
	"github.com/google/go-cmp":            {}, // tests only
	"github.com/rogpeppe/go-internal":     {}, // tests only
}

// helpers are commands and packages for developing freshet. They are in no binary of it.
func helper(name string) bool {
	return strings.HasPrefix(name, "load/") || name == "load" || strings.HasPrefix(name, "internal/testenv") ||
		strings.HasPrefix(name, "internal/storetest") || name == "internal/pagestore/pagetest"
}

type listed struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
	Standard   bool
}

// TestImports compares the imports of every package with the tables above.
func TestImports(t *testing.T) {
	packages := goList(t, "freshet/...")
	known := map[string]bool{}
	module := map[string]string{}
	for _, p := range goList(t, "-deps", "freshet/...") {
		if p.Module != nil {
			module[p.ImportPath] = p.Module.Path
		}
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, "freshet/")
		known[name] = true
		part, ok := importers[name]
		if !ok && name != wiring && !helper(name) {
			t.Errorf("package %s has no place in the import table of deps_test.go", name)
			continue
		}
		for _, imp := range p.Imports {
			ours, own := strings.CutPrefix(imp, "freshet/")
			switch {
			case own && ours == wiring:
				t.Errorf("%s imports %s: nothing may know the wiring", name, ours)
			case own && name == wiring && helper(ours):
				t.Errorf("%s imports %s: it is for developing freshet only", name, ours)
			case own && name != wiring && !helper(name) && !slices.Contains(part.may, ours):
				t.Errorf("%s imports %s: %s; it may import %q", name, ours, part.why, part.may)
			case own || module[imp] == "" || helper(name):
			default:
				users, ok := drivers[module[imp]]
				if !ok {
					t.Errorf("%s imports %s: the module %s is not in the table of drivers", name, imp, module[imp])
				} else if users != nil && !slices.Contains(users, name) {
					t.Errorf("%s imports %s: a driver has one place, and %s is for %q", name, imp, module[imp], users)
				}
			}
		}
	}
	for name := range importers {
		if !known[name] {
			t.Errorf("the import table of deps_test.go names %s, which is no package", name)
		}
	}
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Imports,Module,Standard"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		if ee, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list %q: %v\n%s", args, err, ee.Stderr)
		}
		t.Fatalf("go list %q: %v", args, err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatalf("go list %q: %v", args, err)
		}
		packages = append(packages, p)
	}
}
