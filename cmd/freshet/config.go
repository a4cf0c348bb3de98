package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"

	"freshet/generator/plan"
	"freshet/internal/mongodb"
	"freshet/internal/redisdb"
	"freshet/revalidator/cdn"
	"freshet/revalidator/webhook"
	"freshet/server/guard/limit"
)

// config is every setting of freshet. A package gets the section it needs, never the whole.
type config struct {
	Site      plan.Site
	TimeZone  string // IANA name of the zone of dates without one; empty: UTC
	Listen    string // address of the site's server: host:port, port 0 for any free one
	Source    string // content, mongo or auto
	Content   string // folder of the Markdown tree
	Templates string // folder whose files replace those of the built-in theme; need not exist
	Public    string // folder of the static tree; empty: none is written
	State     string // folder of the page log
	Mongo     mongodb.Config
	Redis     redisdb.Config
	Build     buildConfig
	ISR       isrConfig
	Webhook   webhookConfig
	CDN       []cdn.Settings
	Cache     cacheConfig
	Log       logConfig

	Admin      string // address of the operators' listener; empty: there is none
	AdminToken string // that it asks for; may be empty on loopback
	Guard      guardConfig
	TLS        tlsConfig
}

type buildConfig struct {
	Drafts    bool
	Prerender int     // posts that the first generation of a site has at least; 0: all
	PerPage   int     // posts on a page of a list, 1 to 1000
	Workers   int     // 0: as many as there are processors
	MaxShrink float64 // share of the pages that one build may take away, 0 to 1
	Keep      int     // generations kept for rollback, 1 to 10000
	Highlight bool    // colour code

	Precompress bool // keep compressed files in the static tree too
}

type isrConfig struct {
	Poll       time.Duration // how often MongoDB is asked for changes where it does not tell of them
	Revalidate time.Duration // pages are fresh for so long after the last verification
	MaxStale   time.Duration // after that much longer, OnMaxStale applies
	OnMaxStale string
}

type webhookConfig struct {
	Secrets   []webhook.Secret
	Profile   string
	Tolerance time.Duration
	tokens    []webhook.Secret // at most one, for who asks about jobs; none: nobody may
}

func (c *webhookConfig) token() webhook.Secret {
	if len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[0]
}

type cacheConfig struct {
	MemoryBytes int64
}

type tlsConfig struct {
	Cert, Key string // files; both or neither
	Auto      bool   // certificates come from an authority
	Email     string // that it may write to; may be empty
	CA        string // its directory; empty: Let's Encrypt
	HTTP      string // address of the listener for who comes without TLS, beside Auto; empty: there is none
}

type logConfig struct {
	Level  slog.Level
	Format string // auto, text or json
}

// A badValue says why a setting's value cannot be used, and what could.
type badValue struct{ message, remedy string }

func (b *badValue) Error() string { return b.message + " (" + b.remedy + ")" }

func bad(remedy, format string, args ...any) error {
	return &badValue{message: fmt.Sprintf(format, args...), remedy: remedy}
}

// mistakes are several things that are wrong with one value.
type mistakes []error

func (m mistakes) Error() string { return errors.Join(m...).Error() }

// eachItem hands the items of a list to take. The error is the mistakes of all that it does not take.
func eachItem(text string, take func(item string) error) error {
	var wrong mistakes
	for item := range strings.SplitSeq(text, ",") {
		if err := take(strings.TrimSpace(item)); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// A setting is one leaf of the settings file.
type setting struct {
	key  string // path in the file: isr.maxStale
	flag string // name of its flag; empty: it has none
	also string // another environment variable for it, which that of freshet overrides; empty: there is none
	doc  string // for the flag's help
	def  string // default, as text
	kind kind
	set  func(c *config, text, base string) error // base: folder that relative paths start from
	get  func(c *config) string                   // the value as set would read it, less what is secret

	hidden func(c *config) bool // get leaves something out; nil: never
	fields map[string]kind      // of objects
}

// A kind tells how a value is written in YAML and JSON.
type kind int

const (
	text kind = iota // quoted where YAML would read something else
	number
	boolean
	objects // a list of mappings, see setting.fields; in the environment and as text it is JSON
	texts   // in such a mapping, a mapping of texts
	table   // a mapping; in the environment and as text it is JSON
	items   // a list; in the environment and as text its items are separated by commas
)

// env is the name of the setting's environment variable: isr.maxStale is FRESHET_ISR_MAX_STALE.
func (s *setting) env() string { return envName(s.key) }

func envName(key string) string {
	var b strings.Builder
	b.WriteString("FRESHET_")
	lower := false
	for _, r := range key {
		switch {
		case r == '.':
			b.WriteByte('_')
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// settings lists every setting in the order in which it is shown.
func settings() []setting {
	return slices.Concat([]setting{
		textSetting("site.title", "", "Freshet", "", func(c *config) *string { return &c.Site.Title }, nil),
		textSetting("site.url", "url", "http://localhost:8080", "`address` of the published site",
			func(c *config) *string { return &c.Site.URL }, siteURL),
		textSetting("site.description", "", "", "", func(c *config) *string { return &c.Site.Description }, nil),
		textSetting("site.language", "", "en", "", func(c *config) *string { return &c.Site.Language }, languageTag),
		textSetting("site.timeZone", "", "", "", func(c *config) *string { return &c.TimeZone }, orNone(timeZone)),
		textSetting("site.author", "", "", "", func(c *config) *string { return &c.Site.Author }, nil),
		textSetting("listen", "listen", ":8080", "`address` to serve at, host:port",
			func(c *config) *string { return &c.Listen }, listenAddress),
		textSetting("source", "source", "auto", "where documents come from: content, mongo or auto (`name`); auto is mongo when mongo.uri is set",
			func(c *config) *string { return &c.Source }, oneOf("auto", "content", "mongo")),
		pathSetting("content", "content", "content", "`folder` of the Markdown files", func(c *config) *string { return &c.Content }, false),
		pathSetting("templates", "templates", "templates", "`folder` of templates that replace built-in ones",
			func(c *config) *string { return &c.Templates }, false),
		pathSetting("public", "public", "public", "`folder` of the static site; an empty name writes none",
			func(c *config) *string { return &c.Public }, true),
		pathSetting("state", "state", ".freshet", "`folder` of the page log", func(c *config) *string { return &c.State }, false),
		mongoURISetting("mongo.uri", "MONGODB_URI", func(c *config) *mongodb.URI { return &c.Mongo.URI }),
		textSetting("mongo.db", "", "", "", func(c *config) *string { return &c.Mongo.DB }, databaseName).orEnv("MONGODB_DB"),
		textSetting("mongo.settingsDB", "", "", "", func(c *config) *string { return &c.Mongo.SettingsDB }, databaseName),
		tableSetting("mongo.collections", func(c *config) *map[string]string { return &c.Mongo.Collections }, `{"blogs": "posts"}`),
		tableSetting("mongo.fields", func(c *config) *map[string]string { return &c.Mongo.Fields }, `{"content": "postText"}`),
		tableSetting("mongo.refs", func(c *config) *map[string]mongodb.Ref { return &c.Mongo.Refs }, `{"author": {"collection": "users", "field": "name"}}`),
		textSetting("mongo.noStatus", "", "draft", "", func(c *config) *string { return &c.Mongo.NoStatus }, oneOf("draft", "published")),
		intSetting("mongo.minPool", 5, 1, 10000, func(c *config) *int { return &c.Mongo.MinPool }),
		intSetting("mongo.maxPool", 20, 1, 10000, func(c *config) *int { return &c.Mongo.MaxPool }),
		durationSetting("mongo.idle", "45s", time.Second, func(c *config) *time.Duration { return &c.Mongo.Idle }),
		durationSetting("mongo.blogTimeout", "3s", time.Millisecond, func(c *config) *time.Duration { return &c.Mongo.BlogTimeout }),
		durationSetting("mongo.listTimeout", "5s", time.Millisecond, func(c *config) *time.Duration { return &c.Mongo.ListTimeout }),
		durationSetting("mongo.aggregateTimeout", "10s", time.Millisecond, func(c *config) *time.Duration { return &c.Mongo.AggregateTimeout }),
		textSetting("mongo.readPreference", "", "", "", func(c *config) *string { return &c.Mongo.ReadPreference },
			oneOf("", "primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")),
		redisURLSetting("redis.url", func(c *config) *redisdb.URL { return &c.Redis.URL }).orEnv("REDIS_URL"),
		pathSetting("redis.ca", "", "", "", func(c *config) *string { return &c.Redis.CA }, true),
		textSetting("redis.prefix", "", "freshet:", "", func(c *config) *string { return &c.Redis.Prefix }, redisPrefix),
		boolSetting("build.drafts", "drafts", false, "show drafts and what is scheduled", func(c *config) *bool { return &c.Build.Drafts }),
		prerenderSetting("build.prerender", func(c *config) *int { return &c.Build.Prerender }),
		intSetting("build.perPage", 12, 1, 1000, func(c *config) *int { return &c.Build.PerPage }),
		intSetting("build.workers", 0, 0, 1024, func(c *config) *int { return &c.Build.Workers }),
		percentSetting("build.maxShrink", "20%", func(c *config) *float64 { return &c.Build.MaxShrink }),
		intSetting("build.keep", 20, 1, 10000, func(c *config) *int { return &c.Build.Keep }),
		boolSetting("build.highlight", "", true, "", func(c *config) *bool { return &c.Build.Highlight }),
		boolSetting("build.precompress", "", false, "", func(c *config) *bool { return &c.Build.Precompress }),
		durationSetting("isr.revalidate", "1h", time.Second, func(c *config) *time.Duration { return &c.ISR.Revalidate }),
		durationSetting("isr.poll", "5s", 100*time.Millisecond, func(c *config) *time.Duration { return &c.ISR.Poll }),
		durationSetting("isr.maxStale", "24h", time.Second, func(c *config) *time.Duration { return &c.ISR.MaxStale }),
		textSetting("isr.onMaxStale", "", "serve", "", func(c *config) *string { return &c.ISR.OnMaxStale }, oneOf("serve", "error")),
		intSetting("breaker.failures", 10, 1, 10000, func(c *config) *int { return &c.Mongo.Breaker.Failures }),
		durationSetting("breaker.window", "1m", time.Second, func(c *config) *time.Duration { return &c.Mongo.Breaker.Window }),
		durationSetting("breaker.open", "30s", time.Second, func(c *config) *time.Duration { return &c.Mongo.Breaker.Open }),
		cdnSetting("cdn", func(c *config) *[]cdn.Settings { return &c.CDN }),
		secretsSetting("webhook.secrets", func(c *config) *[]webhook.Secret { return &c.Webhook.Secrets }, 10),
		textSetting("webhook.profile", "", "standard", "", func(c *config) *string { return &c.Webhook.Profile }, oneOf(webhook.Profiles()...)),
		durationSetting("webhook.tolerance", "5m", time.Second, func(c *config) *time.Duration { return &c.Webhook.Tolerance }),
		secretsSetting("webhook.token", func(c *config) *[]webhook.Secret { return &c.Webhook.tokens }, 1),
		sizeSetting("cache.memory", "256MB", 1e6, func(c *config) *int64 { return &c.Cache.MemoryBytes }),
		levelSetting("log.level", "log", "info", "`level` of the log: debug, info, warn or error",
			func(c *config) *slog.Level { return &c.Log.Level }),
		textSetting("log.format", "", "auto", "", func(c *config) *string { return &c.Log.Format }, oneOf("auto", "text", "json")),
		textSetting("admin", "admin", "127.0.0.1:9090", "`address` of the operators' listener, host:port; an empty one is none", func(c *config) *string { return &c.Admin }, orNone(listenAddress)),
		secretSetting("adminToken", func(c *config) *string { return &c.AdminToken }, adminToken),
	}, guardSettings(), []setting{
		pathSetting("tls.cert", "", "", "", func(c *config) *string { return &c.TLS.Cert }, true),
		pathSetting("tls.key", "", "", "", func(c *config) *string { return &c.TLS.Key }, true),
		boolSetting("tls.auto", "", false, "", func(c *config) *bool { return &c.TLS.Auto }),
		textSetting("tls.email", "", "", "", func(c *config) *string { return &c.TLS.Email }, orNone(mailAddress)),
		textSetting("tls.ca", "", "", "", func(c *config) *string { return &c.TLS.CA }, orNone(directoryURL)),
		textSetting("tls.http", "", ":80", "", func(c *config) *string { return &c.TLS.HTTP }, orNone(listenAddress)),
	})
}

// later lists the settings and sections of other versions of freshet. They are told apart from misspelt ones.
func later(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	switch section {
	case "alerts":
		return true
	}
	switch key {
	case "cache.hot", "cache.warm", "cache.cold", "cache.frozen":
		return true
	}
	return false
}

// laterEnv is later for the names of environment variables.
func laterEnv(name string) bool {
	for _, section := range []string{"ALERTS_"} {
		if strings.HasPrefix(name, "FRESHET_"+section) {
			return true
		}
	}
	for _, key := range []string{"cache.hot", "cache.warm", "cache.cold", "cache.frozen"} {
		if name == envName(key) {
			return true
		}
	}
	return false
}

// fromMongo reports whether the documents come from MongoDB.
func (c *config) fromMongo() bool {
	return c.Source == "mongo" || c.Source == "auto" && c.Mongo.URI != ""
}

// check finds what is wrong between settings that are each right by themselves. It reports the key to blame.
func (c *config) check(report func(key string, err error)) {
	if c.ISR.MaxStale < c.ISR.Revalidate {
		report("isr.maxStale", bad("raise it, or lower isr.revalidate", "isr.maxStale %s is shorter than isr.revalidate %s",
			limit.FormatDuration(c.ISR.MaxStale), limit.FormatDuration(c.ISR.Revalidate)))
	}
	if c.Source == "mongo" && c.Mongo.URI == "" {
		report("source", bad("set mongo.uri, or MONGODB_URI in the environment", "source is mongo, and no MongoDB is named"))
	}
	if c.Mongo.MinPool > c.Mongo.MaxPool {
		report("mongo.minPool", bad("lower the one or raise the other", "mongo.minPool %d is more than mongo.maxPool %d", c.Mongo.MinPool, c.Mongo.MaxPool))
	} else if c.Mongo.URI != "" && c.Source != "content" {
		if err := c.Mongo.Check(); err != nil {
			report("mongo.uri", ofMongo(err))
		}
	}
	if c.Redis.CA != "" && !strings.HasPrefix(string(c.Redis.URL), "rediss://") {
		report("redis.ca", bad("begin redis.url with rediss://, or unset redis.ca", "redis.ca is for TLS, which redis.url does not use"))
	}
	c.checkTLS(report)
	if c.Admin != "" && c.AdminToken == "" && !loopbackAddress(c.Admin) {
		report("admin", bad("set adminToken, or listen at a loopback address", "the operators' listener at %s can be reached from elsewhere and asks for no token", c.Admin))
	}
	c.checkGuard(report)
	if c.Public != "" {
		switch {
		case within(c.Public, c.Content):
			report("public", bad("choose a folder beside it", "the public folder %s is inside the content folder %s, which would be read again and again",
				c.Public, c.Content))
		case within(c.Content, c.Public):
			report("public", bad("choose a folder of its own", "the public folder %s holds the content folder %s", c.Public, c.Content))
		case within(c.State, c.Public):
			report("state", bad("choose a folder outside it", "the state folder %s is inside the public folder %s, and would be published",
				c.State, c.Public))
		}
	}
	if within(c.State, c.Content) && !hiddenBelow(c.State, c.Content) {
		report("state", bad("choose a folder beside it, or a name that begins with a dot",
			"the state folder %s is inside the content folder %s", c.State, c.Content))
	}
}

// within reports whether folder is outer or below it.
func within(folder, outer string) bool {
	rel, ok := relative(folder, outer)
	return ok && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// hiddenBelow reports whether a part of folder's path below outer begins with a dot, which content trees leave out.
func hiddenBelow(folder, outer string) bool {
	rel, ok := relative(folder, outer)
	if !ok || rel == "." {
		return false
	}
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

func relative(folder, outer string) (string, bool) {
	f, err1 := filepath.Abs(folder)
	o, err2 := filepath.Abs(outer)
	if errors.Join(err1, err2) != nil {
		return "", false
	}
	rel, err := filepath.Rel(o, f)
	return rel, err == nil
}

func textSetting(key, flag, def, doc string, field func(*config) *string, check func(string) (string, error)) setting {
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *config, text, _ string) error {
			if check != nil {
				var err error
				if text, err = check(text); err != nil {
					return err
				}
			}
			*field(c) = text
			return nil
		},
		get: func(c *config) string { return *field(c) },
	}
}

func pathSetting(key, flag, def, doc string, field func(*config) *string, mayBeEmpty bool) setting {
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *config, text, base string) error {
			switch {
			case text == "" && mayBeEmpty:
				*field(c) = ""
				return nil
			case text == "":
				return bad(`"." is the working directory`, "%s needs a folder", key)
			case strings.ContainsRune(text, 0):
				return bad("remove it", "the folder holds a NUL character")
			}
			if !filepath.IsAbs(text) {
				text = filepath.Join(base, text)
			}
			*field(c) = filepath.Clean(text)
			return nil
		},
		get: func(c *config) string { return *field(c) },
	}
}

func boolSetting(key, flag string, def bool, doc string, field func(*config) *bool) setting {
	return setting{key: key, flag: flag, doc: doc, def: strconv.FormatBool(def), kind: boolean,
		set: func(c *config, text, _ string) error {
			switch text {
			case "true":
				*field(c) = true
			case "false":
				*field(c) = false
			default:
				return bad("true or false", "%s cannot be %q", key, text)
			}
			return nil
		},
		get: func(c *config) string { return strconv.FormatBool(*field(c)) },
	}
}

func intSetting(key string, def, lowest, highest int, field func(*config) *int) setting {
	return setting{key: key, def: strconv.Itoa(def), kind: number,
		set: func(c *config, text, _ string) error {
			n, err := strconv.Atoi(text)
			if err != nil || n < lowest || n > highest {
				return bad(fmt.Sprintf("a whole number from %d to %d", lowest, highest), "%s cannot be %q", key, text)
			}
			*field(c) = n
			return nil
		},
		get: func(c *config) string { return strconv.Itoa(*field(c)) },
	}
}

// prerenderSetting is a number of posts, or all of them.
func prerenderSetting(key string, field func(*config) *int) setting {
	return setting{key: key, def: "all",
		set: func(c *config, text, _ string) error {
			if text == "all" {
				*field(c) = 0
				return nil
			}
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return bad("all, or a number of posts", "%s cannot be %q", key, text)
			}
			*field(c) = n
			return nil
		},
		get: func(c *config) string {
			if *field(c) == 0 {
				return "all"
			}
			return strconv.Itoa(*field(c))
		},
	}
}

func percentSetting(key, def string, field func(*config) *float64) setting {
	return setting{key: key, def: def,
		set: func(c *config, text, _ string) error {
			digits, hasUnit := strings.CutSuffix(text, "%")
			f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
			switch {
			case err == nil && !hasUnit && f > 0 && f < 1:
				return bad(fmt.Sprintf("write %s%%", formatFloat(f*100)), "%s %q has no unit", key, text)
			case err == nil && !hasUnit:
				return bad(fmt.Sprintf("write %s%%", digits), "%s %q has no unit", key, text)
			case err != nil || !(f >= 0 && f <= 100):
				return bad("from 0% to 100%", "%s cannot be %q", key, text)
			}
			*field(c) = f / 100
			return nil
		},
		get: func(c *config) string { return formatFloat(*field(c)*100) + "%" },
	}
}

// formatFloat writes f in its shortest form, less what binary arithmetic added.
func formatFloat(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64)
}

func durationSetting(key, def string, lowest time.Duration, field func(*config) *time.Duration) setting {
	return setting{key: key, def: def,
		set: func(c *config, text, _ string) error {
			d, err := parseDuration(text)
			if err != nil {
				return err
			}
			if d < lowest {
				return bad("at least "+limit.FormatDuration(lowest), "%s cannot be %q", key, text)
			}
			*field(c) = d
			return nil
		},
		get: func(c *config) string { return limit.FormatDuration(*field(c)) },
	}
}

// parseDuration reads Go's durations (1h30m) and days (7d).
func parseDuration(text string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, bad(fmt.Sprintf("write %[1]ss, %[1]sm or %[1]sh for seconds, minutes or hours", text), "the duration %q has no unit", text)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, bad("such as 45s, 10m, 1h30m or 7d", "%q is no duration", text)
	}
	return d, nil
}

type sizeUnit struct {
	name  string
	bytes int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}
}

func sizeSetting(key, def string, lowest int64, field func(*config) *int64) setting {
	return setting{key: key, def: def,
		set: func(c *config, text, _ string) error {
			n, err := parseSize(text)
			if err != nil {
				return err
			}
			if n < lowest {
				return bad("at least "+formatSize(lowest), "%s cannot be %q", key, text)
			}
			*field(c) = n
			return nil
		},
		get: func(c *config) string { return formatSize(*field(c)) },
	}
}

func parseSize(text string) (int64, error) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, bad(fmt.Sprintf("write %[1]sMB or %[1]sKB", text), "the size %q has no unit", text)
	}
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(f >= 0) || f*float64(u.bytes) >= math.MaxInt64 {
			break
		}
		return int64(f * float64(u.bytes)), nil
	}
	return 0, bad("such as 256MB, 64MiB or 2GB", "%q is no size", text)
}

// formatSize writes n in the largest unit that divides it.
func formatSize(n int64) string {
	best := fmt.Sprintf("%dB", n)
	for _, u := range sizeUnits() {
		if s := fmt.Sprintf("%d%s", n/u.bytes, u.name); n > 0 && n%u.bytes == 0 && len(s) < len(best) {
			best = s
		}
	}
	return best
}

func levelSetting(key, flag, def, doc string, field func(*config) *slog.Level) setting {
	names := []string{"debug", "info", "warn", "error"}
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *config, text, _ string) error {
			if _, err := oneOf(names...)(text); err != nil {
				return err
			}
			return field(c).UnmarshalText([]byte(text))
		},
		get: func(c *config) string { return strings.ToLower(field(c).String()) },
	}
}

func oneOf(names ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		for _, n := range names {
			if n == text {
				return text, nil
			}
		}
		return "", bad("one of "+strings.TrimPrefix(strings.Join(names, ", "), ", "), "%q is none of its values", text)
	}
}

// secretSetting is a setting of which get shows nothing but whether it is set.
func secretSetting(key string, field func(*config) *string, check func(string) (string, error)) setting {
	return setting{key: key,
		set: func(c *config, text, _ string) (err error) {
			*field(c), err = check(text)
			return err
		},
		get:    func(*config) string { return "" },
		hidden: func(c *config) bool { return *field(c) != "" },
	}
}

// listSetting is a setting of any number of items; there are none by default.
func listSetting(key string, field func(*config) *[]string, check func(item string) error) setting {
	return setting{key: key, kind: items,
		set: func(c *config, text, _ string) error {
			*field(c) = nil
			if strings.TrimSpace(text) == "" {
				return nil
			}
			return eachItem(text, func(item string) error {
				*field(c) = append(*field(c), item)
				return check(item)
			})
		},
		get: func(c *config) string { return strings.Join(*field(c), ",") },
	}
}

// adminToken checks a token without repeating it.
func adminToken(text string) (string, error) {
	if text != "" && weak(text) {
		return "", bad(fmt.Sprintf("at least %d characters of ASCII without blanks: openssl rand -hex 32", minSecret), "this is no token that keeps anybody out")
	}
	return text, nil
}

// orNone lets a setting be empty.
func orNone(check func(string) (string, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return check(text)
	}
}

// loopbackAddress reports whether a listener there is for this machine alone.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// mongoURISetting is a setting that holds a secret: get shows what may be shown.
func mongoURISetting(key, also string, field func(*config) *mongodb.URI) setting {
	return setting{key: key, also: also,
		set: func(c *config, text, _ string) error {
			*field(c) = mongodb.URI(text) // looked at when it is known which database is meant
			return nil
		},
		get:    func(c *config) string { return field(c).String() },
		hidden: func(c *config) bool { return string(*field(c)) != field(c).String() },
	}
}

// redisURLSetting is a setting that holds a secret: get shows what may be shown.
func redisURLSetting(key string, field func(*config) *redisdb.URL) setting {
	return setting{key: key,
		set: func(c *config, text, _ string) error {
			u := redisdb.URL(text)
			if text != "" {
				if err := u.Check(); err != nil {
					return ofRedis(err)
				}
			}
			*field(c) = u
			return nil
		},
		get:    func(c *config) string { return field(c).String() },
		hidden: func(c *config) bool { return string(*field(c)) != field(c).String() },
	}
}

func redisPrefix(text string) (string, error) { return text, ofRedis(redisdb.CheckPrefix(text)) }

// ofRedis is what redisdb finds wrong with a value.
func ofRedis(err error) error {
	if e, ok := errors.AsType[*redisdb.Error](err); ok {
		return bad(e.Remedy, "%s", e.Message)
	}
	return err
}

// ofMongo makes a setting's mistake of what MongoDB's client says of it.
func ofMongo(err error) error {
	if e, ok := errors.AsType[*mongodb.Error](err); ok {
		return bad(e.Remedy, "%s", e.Message)
	}
	return err
}

// minSecret is how many bytes a secret has at least: shorter ones can be guessed by who has seen what they signed.
const minSecret = 16

// weak reports whether a secret keeps nobody out, or cannot be sent in a header.
func weak(secret string) bool {
	return len(secret) < minSecret || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// secretsSetting is a setting of secrets, separated by commas, of which get shows nothing.
func secretsSetting(key string, field func(*config) *[]webhook.Secret, most int) setting {
	kind := text
	if most > 1 {
		kind = items
	}
	return setting{key: key, kind: kind,
		set: func(c *config, text, _ string) error {
			var secrets []webhook.Secret
			given, n := strings.Count(text, ",")+1, 0
			err := eachItem(text, func(s string) error {
				n++
				switch {
				case text == "":
					return nil
				case weak(s):
					which := "this"
					if given > 1 {
						which = fmt.Sprintf("number %d of %d", n, given)
					}
					return bad(fmt.Sprintf("at least %d characters of ASCII without blanks and commas: openssl rand -hex 32", minSecret), "%s is no secret that keeps anybody out", which)
				}
				secrets = append(secrets, webhook.Secret(s))
				return nil
			})
			if err != nil {
				return err
			}
			if len(secrets) > most {
				return bad("remove those that nobody signs with any more", "%s takes at most %d", key, most)
			}
			*field(c) = secrets
			return nil
		},
		get:    func(*config) string { return "" },
		hidden: func(c *config) bool { return len(*field(c)) > 0 },
	}
}

// cdnSetting is a list of CDNs. What each needs is checked when all settings are known.
func cdnSetting(key string, field func(*config) *[]cdn.Settings) setting {
	fields := map[string]kind{"header": texts, "soft": boolean}
	for _, name := range []string{"kind", "zone", "plan", "service", "url", "method", "body", "everything", "batch", "rate", "token", "by", "verify"} {
		fields[name] = text
	}
	return setting{key: key, kind: objects, fields: fields, def: "[]",
		set: func(c *config, text, _ string) error {
			d := json.NewDecoder(strings.NewReader(text))
			d.DisallowUnknownFields()
			var list []cdn.Settings
			err := d.Decode(&list)
			if err == nil && d.More() {
				err = errors.New("there is more behind the list")
			}
			if err != nil {
				return bad(`a list such as [{"kind": "varnish", "url": "http://127.0.0.1:6081"}]; docs/formats/cdn.md lists the keys`, "%s cannot be read: %s", key, strings.TrimPrefix(err.Error(), "json: "))
			}
			*field(c) = list
			return nil
		},
		get: func(c *config) string {
			if len(*field(c)) == 0 {
				return "[]"
			}
			text, err := json.Marshal(*field(c))
			if err != nil {
				return "[]" // strings always marshal
			}
			return string(text)
		},
	}
}

// tableSetting is a mapping. Whether its names can be used is checked when all settings are known.
func tableSetting[T any](key string, field func(*config) *map[string]T, example string) setting {
	return setting{key: key, kind: table, def: "{}",
		set: func(c *config, text, _ string) error {
			d := json.NewDecoder(strings.NewReader(text))
			d.DisallowUnknownFields()
			var m map[string]T
			err := d.Decode(&m)
			if err == nil && d.More() {
				err = errors.New("there is more behind the mapping")
			}
			if err != nil {
				return bad("a mapping such as "+example, "%s cannot be read: %s", key, strings.TrimPrefix(err.Error(), "json: "))
			}
			*field(c) = m
			return nil
		},
		get: func(c *config) string {
			if len(*field(c)) == 0 {
				return "{}"
			}
			text, err := json.Marshal(*field(c))
			if err != nil {
				return "{}" // texts always marshal
			}
			return string(text)
		},
	}
}

// orEnv lets another environment variable set the setting too.
func (s setting) orEnv(name string) setting {
	s.also = name
	return s
}

func databaseName(text string) (string, error) {
	if !mongodb.DatabaseName(text) {
		return "", bad("a name without dots, blanks and slashes", "%q is no name for a MongoDB database", text)
	}
	return text, nil
}

func siteURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", bad("such as https://example.com", "%q is no absolute http or https address", text)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", bad("such as https://example.com", "the address %q holds more than a host", text)
	case strings.Trim(u.Path, "/") != "":
		return "", bad("give the site a host name of its own", "the address %q has a path: the site lives at the root of its host", text)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

func languageTag(text string) (string, error) {
	tag, err := language.Parse(text)
	if err != nil {
		return "", bad("a BCP 47 tag such as en, hi or pt-BR", "%q is no language", text)
	}
	return tag.String(), nil
}

// timeZone reads the name of a time zone. The rules of all are in the binary, should the system have none.
func timeZone(text string) (string, error) {
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		return "", bad("a name such as Asia/Kolkata, Europe/Berlin or UTC", "%q is no time zone", text)
	}
	return text, nil
}

// zone is the time zone of dates without one.
func (c *config) zone() *time.Location {
	zone, err := time.LoadLocation(c.TimeZone) // which timeZone has tried
	if err != nil {
		return time.UTC
	}
	return zone
}

func listenAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		remedy := "host:port, such as :8080 or 127.0.0.1:8080"
		if _, numErr := strconv.ParseUint(text, 10, 16); numErr == nil {
			remedy = "write :" + text
		}
		return "", bad(remedy, "%q is no address to listen at", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", bad("a port from 0 to 65535", "%q is no address to listen at", text)
	}
	return net.JoinHostPort(host, port), nil
}
