package settings

import (
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"freshet/internal/mongodb"
	"freshet/internal/redisdb"
	"freshet/revalidator/cdn"
	"freshet/revalidator/webhook"
)

// A setting is one leaf of the settings file.
type setting struct {
	key  string // path in the file: isr.maxStale
	flag string // name of its flag; empty: it has none
	also string // second environment variable; the FRESHET_ one overrides it; empty: there is none
	doc  string // for the flag's help
	def  string // default, as text
	kind kind
	set  func(c *Settings, text, base string) error // relative paths start from the folder base
	get  func(c *Settings) string                   // the value in the form that set reads, without secrets

	hidden func(c *Settings) bool // reports whether get leaves out a secret; nil: never
	fields map[string]kind        // of objects: the keys of one object
}

// A kind tells how a value is written in YAML and JSON.
type kind int

const (
	text kind = iota // quoted where YAML would read something else
	number
	boolean
	objects // a list of mappings, see setting.fields; in the environment and as text it is JSON
	texts   // in an object: a mapping of texts
	table   // a mapping; in the environment and as text it is JSON
	items   // a list; in the environment and as text its items are separated by commas
)

// env returns the name of the setting's environment variable: isr.maxStale is FRESHET_ISR_MAX_STALE.
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

// allSettings lists every setting, in the order in which freshet config prints them.
func allSettings() []setting {
	return slices.Concat([]setting{
		textSetting("site.title", "", "Freshet", "", func(c *Settings) *string { return &c.Site.Title }, nil),
		textSetting("site.url", "url", "http://localhost:8080", "`address` of the published site",
			func(c *Settings) *string { return &c.Site.URL }, siteURL),
		textSetting("site.description", "", "", "", func(c *Settings) *string { return &c.Site.Description }, nil),
		textSetting("site.language", "", "en", "", func(c *Settings) *string { return &c.Site.Language }, languageTag),
		textSetting("site.timeZone", "", "", "", func(c *Settings) *string { return &c.TimeZone }, orNone(timeZone)),
		textSetting("site.author", "", "", "", func(c *Settings) *string { return &c.Site.Author }, nil),
		textSetting("listen", "listen", ":8080", "`address` to serve at, host:port",
			func(c *Settings) *string { return &c.Listen }, listenAddress),
		textSetting("source", "source", "auto", "where documents come from: content, mongo or auto (`name`); auto is mongo when mongo.uri is set",
			func(c *Settings) *string { return &c.Source }, oneOf("auto", "content", "mongo")),
		pathSetting("content", "content", "content", "`folder` of the Markdown files", func(c *Settings) *string { return &c.Content }, false),
		pathSetting("templates", "templates", "templates", "`folder` of templates that replace built-in ones",
			func(c *Settings) *string { return &c.Templates }, false),
		pathSetting("public", "public", "public", "`folder` of the static site; an empty name writes none",
			func(c *Settings) *string { return &c.Public }, true),
		pathSetting("state", "state", ".freshet", "`folder` of the page log", func(c *Settings) *string { return &c.State }, false),
		mongoURISetting("mongo.uri", "MONGODB_URI", func(c *Settings) *mongodb.URI { return &c.Mongo.URI }),
		textSetting("mongo.db", "", "", "", func(c *Settings) *string { return &c.Mongo.DB }, databaseName).orEnv("MONGODB_DB"),
		textSetting("mongo.settingsDB", "", "", "", func(c *Settings) *string { return &c.Mongo.SettingsDB }, databaseName),
		tableSetting("mongo.collections", func(c *Settings) *map[string]string { return &c.Mongo.Collections }, `{"blogs": "posts"}`),
		tableSetting("mongo.fields", func(c *Settings) *map[string]string { return &c.Mongo.Fields }, `{"content": "postText"}`),
		tableSetting("mongo.refs", func(c *Settings) *map[string]mongodb.Ref { return &c.Mongo.Refs }, `{"author": {"collection": "users", "field": "name"}}`),
		textSetting("mongo.noStatus", "", "draft", "", func(c *Settings) *string { return &c.Mongo.NoStatus }, oneOf("draft", "published")),
		intSetting("mongo.minPool", 5, 1, 10000, func(c *Settings) *int { return &c.Mongo.MinPool }),
		intSetting("mongo.maxPool", 20, 1, 10000, func(c *Settings) *int { return &c.Mongo.MaxPool }),
		durationSetting("mongo.idle", "45s", time.Second, func(c *Settings) *time.Duration { return &c.Mongo.Idle }),
		durationSetting("mongo.blogTimeout", "3s", time.Millisecond, func(c *Settings) *time.Duration { return &c.Mongo.BlogTimeout }),
		durationSetting("mongo.listTimeout", "5s", time.Millisecond, func(c *Settings) *time.Duration { return &c.Mongo.ListTimeout }),
		durationSetting("mongo.aggregateTimeout", "10s", time.Millisecond, func(c *Settings) *time.Duration { return &c.Mongo.AggregateTimeout }),
		textSetting("mongo.readPreference", "", "", "", func(c *Settings) *string { return &c.Mongo.ReadPreference },
			oneOf("", "primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")),
		redisURLSetting("redis.url", func(c *Settings) *redisdb.URL { return &c.Redis.URL }).orEnv("REDIS_URL"),
		pathSetting("redis.ca", "", "", "", func(c *Settings) *string { return &c.Redis.CA }, true),
		textSetting("redis.prefix", "", "freshet:", "", func(c *Settings) *string { return &c.Redis.Prefix }, redisPrefix),
		boolSetting("build.drafts", "drafts", false, "show drafts and what is scheduled", func(c *Settings) *bool { return &c.Build.Drafts }),
		prerenderSetting("build.prerender", func(c *Settings) *int { return &c.Build.Prerender }),
		intSetting("build.perPage", 12, 1, 1000, func(c *Settings) *int { return &c.Build.PerPage }),
		intSetting("build.workers", 0, 0, 1024, func(c *Settings) *int { return &c.Build.Workers }),
		percentSetting("build.maxShrink", "20%", func(c *Settings) *float64 { return &c.Build.MaxShrink }),
		intSetting("build.keep", 20, 1, 10000, func(c *Settings) *int { return &c.Build.Keep }),
		boolSetting("build.highlight", "", true, "", func(c *Settings) *bool { return &c.Build.Highlight }),
		boolSetting("build.precompress", "", false, "", func(c *Settings) *bool { return &c.Build.Precompress }),
		durationSetting("isr.revalidate", "1h", time.Second, func(c *Settings) *time.Duration { return &c.ISR.Revalidate }),
		durationSetting("isr.poll", "5s", 100*time.Millisecond, func(c *Settings) *time.Duration { return &c.ISR.Poll }),
		durationSetting("isr.maxStale", "24h", time.Second, func(c *Settings) *time.Duration { return &c.ISR.MaxStale }),
		textSetting("isr.onMaxStale", "", "serve", "", func(c *Settings) *string { return &c.ISR.OnMaxStale }, oneOf("serve", "error")),
		intSetting("breaker.failures", 10, 1, 10000, func(c *Settings) *int { return &c.Mongo.Breaker.Failures }),
		durationSetting("breaker.window", "1m", time.Second, func(c *Settings) *time.Duration { return &c.Mongo.Breaker.Window }),
		durationSetting("breaker.open", "30s", time.Second, func(c *Settings) *time.Duration { return &c.Mongo.Breaker.Open }),
		cdnSetting("cdn", func(c *Settings) *[]cdn.Settings { return &c.CDN }),
		secretsSetting("webhook.secrets", func(c *Settings) *[]webhook.Secret { return &c.Webhook.Secrets }, 10),
		textSetting("webhook.profile", "", "standard", "", func(c *Settings) *string { return &c.Webhook.Profile }, oneOf(webhook.Profiles()...)),
		durationSetting("webhook.tolerance", "5m", time.Second, func(c *Settings) *time.Duration { return &c.Webhook.Tolerance }),
		secretsSetting("webhook.token", func(c *Settings) *[]webhook.Secret { return &c.Webhook.tokens }, 1),
		sizeSetting("cache.memory", "256MB", 1e6, func(c *Settings) *int64 { return &c.Cache.MemoryBytes }),
		levelSetting("log.level", "log", "info", "`level` of the log: debug, info, warn or error",
			func(c *Settings) *slog.Level { return &c.Log.Level }),
		textSetting("log.format", "", "auto", "", func(c *Settings) *string { return &c.Log.Format }, oneOf("auto", "text", "json")),
		textSetting("admin", "admin", "127.0.0.1:9090", "`address` of the operators' listener, host:port; an empty one is none", func(c *Settings) *string { return &c.Admin }, orNone(listenAddress)),
		secretSetting("adminToken", func(c *Settings) *string { return &c.AdminToken }, adminToken),
	}, guardSettings(), []setting{
		pathSetting("tls.cert", "", "", "", func(c *Settings) *string { return &c.TLS.Cert }, true),
		pathSetting("tls.key", "", "", "", func(c *Settings) *string { return &c.TLS.Key }, true),
		boolSetting("tls.auto", "", false, "", func(c *Settings) *bool { return &c.TLS.Auto }),
		textSetting("tls.email", "", "", "", func(c *Settings) *string { return &c.TLS.Email }, orNone(mailAddress)),
		textSetting("tls.ca", "", "", "", func(c *Settings) *string { return &c.TLS.CA }, orNone(directoryURL)),
		textSetting("tls.http", "", ":80", "", func(c *Settings) *string { return &c.TLS.HTTP }, orNone(listenAddress)),
	})
}

// later reports whether a key or its section belongs to a planned version of freshet. It is not reported as misspelt.
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

// laterEnv does the same as later for the name of an environment variable.
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
