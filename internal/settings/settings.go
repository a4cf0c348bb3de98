// Package settings is the one table of freshet's settings: their names, defaults, values and mistakes.
//
// [Load] reads each setting from its default, then the settings file, then the environment, then the flags; the last
// one wins. It checks every value by itself and then against the others. It reports all mistakes at once, each with its
// place: a line and column of the file, an environment variable or a flag. No mistake shows a secret.
//
// Each part of freshet has its own Config. Only cmd/freshet imports this package and fills those from a [Settings], so
// that no part sees the settings of another.
package settings

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"freshet/generator/plan"
	"freshet/internal/mongodb"
	"freshet/internal/redisdb"
	"freshet/revalidator/cdn"
	"freshet/revalidator/webhook"
	"freshet/server/guard"
	"freshet/server/guard/limit"
)

// Settings holds the value of every setting.
type Settings struct {
	Site      plan.Site
	TimeZone  string // IANA name of the zone of dates without one; empty: UTC
	Listen    string // address of the site's server: host:port, port 0 for any free one
	Source    string // content, mongo or auto
	Content   string // folder of the Markdown tree
	Templates string // folder whose files replace those of the built-in theme; it may be absent
	Public    string // folder of the static tree; empty: none is written
	State     string // folder of the page log
	Mongo     mongodb.Config
	Redis     redisdb.Config
	Build     Build
	ISR       ISR
	Webhook   Webhook
	CDN       []cdn.Settings
	Cache     Cache
	Log       Log

	Admin      string // address of the operators' listener; empty: there is none
	AdminToken string // the token that this listener asks for; it may be empty on a loopback address
	Guard      Guard
	TLS        TLS
}

// Build holds the settings of builds.
type Build struct {
	Drafts    bool
	Prerender int     // the first generation of a site has at least so many posts; 0: all
	PerPage   int     // posts on a page of a list, 1 to 1000
	Workers   int     // 0: as many as there are processors
	MaxShrink float64 // share of the pages that one build may remove, 0 to 1
	Keep      int     // generations kept for rollback, 1 to 10000
	Highlight bool    // colour code

	Precompress bool // write compressed files into the static tree too
}

// ISR holds the settings of incremental regeneration: how a built site is kept fresh.
type ISR struct {
	Poll       time.Duration // time between two questions to a MongoDB that has no change stream
	Revalidate time.Duration // how long pages are fresh after a verification
	MaxStale   time.Duration // OnMaxStale applies when the last verification is longer ago
	OnMaxStale string
}

// Webhook holds the settings of the webhook endpoint.
type Webhook struct {
	Secrets   []webhook.Secret
	Profile   string
	Tolerance time.Duration
	tokens    []webhook.Secret // at most one, see Token
}

// Token returns the token that a request about a job has to bear; empty: such requests are refused.
func (c *Webhook) Token() webhook.Secret {
	if len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[0]
}

// Cache holds the settings of the cache of page bodies.
type Cache struct {
	MemoryBytes int64
}

// Guard holds the settings of the guard.
type Guard struct {
	Hosts          []string // empty: the host of site.url, localhost and loopback addresses
	TrustedProxies []string
	Policy         guard.Config
}

// TLS holds the settings of TLS.
type TLS struct {
	Cert, Key string // files; both or neither
	Auto      bool   // get certificates from an authority
	Email     string // the address that the authority may write to; it may be empty
	CA        string // the address of the authority's directory; empty: Let's Encrypt
	HTTP      string // with Auto: address of the listener that redirects http requests; empty: there is none
}

// Log holds the settings of the log.
type Log struct {
	Level  slog.Level
	Format string // auto, text or json
}

// FromMongo reports whether the documents come from MongoDB.
func (c *Settings) FromMongo() bool {
	return c.Source == "mongo" || c.Source == "auto" && c.Mongo.URI != ""
}

// Zone returns the time zone of dates without one.
func (c *Settings) Zone() *time.Location {
	zone, err := time.LoadLocation(c.TimeZone) // timeZone has checked the name
	if err != nil {
		return time.UTC
	}
	return zone
}

// check reports settings that are valid by themselves and contradict each other. It reports under the key to change.
func (c *Settings) check(report func(key string, err error)) {
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
	if c.Admin != "" && c.AdminToken == "" && !Loopback(c.Admin) {
		report("admin", bad("set adminToken, or listen at a loopback address", "the operators' listener at %s can be reached from elsewhere and asks for no token", c.Admin))
	}
	c.checkGuard(report)
	if c.Public != "" {
		switch {
		case Within(c.Public, c.Content):
			report("public", bad("choose a folder beside it", "the public folder %s is inside the content folder %s, which would be read again and again",
				c.Public, c.Content))
		case Within(c.Content, c.Public):
			report("public", bad("choose a folder of its own", "the public folder %s holds the content folder %s", c.Public, c.Content))
		case Within(c.State, c.Public):
			report("state", bad("choose a folder outside it", "the state folder %s is inside the public folder %s, and would be published",
				c.State, c.Public))
		}
	}
	if Within(c.State, c.Content) && !hiddenBelow(c.State, c.Content) {
		report("state", bad("choose a folder beside it, or a name that begins with a dot",
			"the state folder %s is inside the content folder %s", c.State, c.Content))
	}
}

// Within reports whether folder is outer or lies below it.
func Within(folder, outer string) bool {
	rel, ok := relative(folder, outer)
	return ok && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// hiddenBelow reports whether a part of folder's path below outer begins with a dot. Content trees skip such folders.
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
