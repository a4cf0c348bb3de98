package guard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
)

// A Class is the purpose of a request. It selects the limit. Every request has exactly one class.
type Class uint8

// The classes.
const (
	Page    Class = iota // pages, pictures, assets, and everything else
	API                  // the JSON API
	Blog                 // its posts
	Search               // its search
	Auth                 // signing in
	Webhook              // webhooks
	Metrics              // metrics for monitors
	AI                   // pages and API for paced AI crawlers
	Open                 // feeds, sitemap, robots.txt: made for programs, so no bot is refused
	Health               // probes: they pass without checks
	numClasses
)

// A Rule is the reason why a request was refused, or let in early.
type Rule uint8

// The rules, in the order in which they apply.
const (
	RuleNone Rule = iota
	RuleHealth
	RuleAllowList
	RuleBan
	RuleBlockList
	RuleKillSwitch
	RuleAICrawler
	RuleAIPace
	RuleLimit
	RuleFingerprint
	RuleDeletes
	RuleBatches
	RuleShed
	numRules
)

// A classRow describes a class and its limit.
type classRow struct {
	name   string
	rate   limit.Rate // the default; off: no limit unless the settings set one
	fixed  bool       // the settings cannot set the rate
	public bool       // a ban of scope api does not cover the class
	doc    string
}

// classes is the first part of the policy.
var classes = [numClasses]classRow{
	Page:    {"page", limit.Off(), false, true, "built pages, pictures, assets, unknown addresses"},
	API:     {"api", limit.Rate{Requests: 120, Window: time.Minute}, false, false, "the JSON API, unless it is one of the others"},
	Blog:    {"blog", limit.Rate{Requests: 50, Window: time.Minute}, false, false, "posts in the JSON API, their comments and counters"},
	Search:  {"search", limit.Rate{Requests: 30, Window: time.Minute}, false, false, "search in the JSON API"},
	Auth:    {"auth", limit.Rate{Requests: 5, Window: 15 * time.Minute}, false, false, "attempts to sign in; every one is remembered, so there are never more within any window"},
	Webhook: {"webhook", limit.Rate{Requests: 600, Window: time.Minute}, false, false, "webhooks; those that are taken, because they were signed, do not count"},
	Metrics: {"metrics", limit.Rate{Requests: 120, Window: time.Minute}, false, false, "the API's own metrics"},
	AI:      {"ai", limit.Rate{Requests: 30, Window: time.Minute}, false, true, "everything that a crawler for language models asks for, when `guard.bots.ai` is `pace`"},
	Open:    {"open", limit.Off(), true, true, "feeds, sitemap, robots.txt, llms.txt"},
	Health:  {"health", limit.Off(), true, true, "probes"},
}

// A route binds a class to a path.
type route struct {
	path   string
	class  Class
	tree   bool // includes everything below path
	writes bool // only for methods that may change something
	end    bool // path is only the end of the request's path
	first  byte // first byte after /api/ or /, to avoid most comparisons; 0: any
}

// indexed sets first in each route.
func indexed(skip int, routes []route) []route {
	for i := range routes {
		if r := &routes[i]; !r.end && len(r.path) > skip {
			r.first = r.path[skip]
		}
	}
	return routes
}

// apiRoutes lists the routes below /api. The first match decides, so specific routes come first.
var apiRoutes = indexed(len("/api/"), []route{
	{class: Health, path: "/api/health"},
	{class: Metrics, path: "/api/monitoring/metrics"},
	{class: Webhook, path: "/api/revalidate", tree: true},
	{class: API, path: "/api/auth/logout"},
	{class: Auth, path: "/api/auth", tree: true, writes: true},
	{class: Search, path: "/api/search", tree: true},
	{class: Blog, path: "/api/blog", tree: true},
	{class: Open, path: "/api/feed"},
	{class: API, path: "/api", tree: true},
})

// siteRoutes lists the other routes. A path without a route is a page.
var siteRoutes = indexed(len("/"), []route{
	{class: Health, path: "/livez"},
	{class: Health, path: "/readyz"},
	{class: Open, path: "/robots.txt"},
	{class: Open, path: "/llms.txt"},
	{class: Open, path: "/feed"},
	{class: Open, path: "/feed.json"},
	{class: Open, path: "/atom.xml"},
	{class: Open, path: "/sitemap.xml"},
	{class: Open, path: "/sitemap", tree: true},
	{class: Open, path: "/.well-known", tree: true},
	{class: Open, path: "/feed.xml", end: true},
})

// A ruleRow describes a rule and its status.
type ruleRow struct {
	name   string
	status int
	shadow bool // the rule may be in shadow mode
	doc    string
}

// rules is the second part of the policy.
var rules = [numRules]ruleRow{
	RuleNone:        {"none", 200, false, "nothing speaks against it"},
	RuleHealth:      {"health", 200, false, "a probe"},
	RuleAllowList:   {"allow", 200, false, "the address is in `guard.allow`: only high-traffic mode and load shedding apply"},
	RuleBan:         {"ban", 403, true, "the client is banned: by the guard after violations, or by hand"},
	RuleBlockList:   {"block", 403, true, "the address is in `guard.block`"},
	RuleKillSwitch:  {"kill-switch", 503, false, "an operator has closed the API, the pages or both"},
	RuleAICrawler:   {"ai-crawler", 403, true, "a crawler for language models, when `guard.bots.ai` is `deny`"},
	RuleAIPace:      {"ai-pace", 429, true, "the same, too fast, when it is `pace`"},
	RuleLimit:       {"limit", 429, true, "more requests than the class allows a client"},
	RuleFingerprint: {"fingerprint", 429, true, "ten times as many from programs, or for signing in, that look alike within a network (IPv4 /24, IPv6 /48), once a limit has refused one of them within the hour"},
	RuleDeletes:     {"deletes", 503, true, "a DELETE in high-traffic mode"},
	RuleBatches:     {"batches", 503, true, "an update of many documents in high-traffic mode"},
	RuleShed:        {"shed", 503, true, "the process is saturated: writes go first, then search and sign-in, then reads of the API"},
}

// String returns the class's name in settings, headers and metrics.
func (c Class) String() string {
	if c < numClasses {
		return classes[c].name
	}
	return "unknown"
}

// Classes lists all classes.
func Classes() []Class {
	all := make([]Class, numClasses)
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// String returns the rule's name in settings, logs and metrics.
func (r Rule) String() string {
	if r < numRules {
		return rules[r].name
	}
	return "unknown"
}

// Status returns the status of the rule's answers.
func (r Rule) Status() int { return rules[r].status }

// Rules lists all rules.
func Rules() []Rule {
	all := make([]Rule, numRules)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// Classify returns the class of a request.
func Classify(method, path string) Class {
	routes, skip, write := siteRoutes, len("/"), false
	if strings.HasPrefix(path, "/api") {
		routes, skip, write = apiRoutes, len("/api/"), isWrite(method)
	}
	first := byte(0)
	if len(path) > skip {
		first = path[skip]
	}
	for i := range routes {
		if r := &routes[i]; (r.first == first || r.first == 0) && (write || !r.writes) && r.fits(path) {
			return r.class
		}
	}
	return Page
}

// fits reports whether the route matches a path.
func (r *route) fits(path string) bool {
	n := len(r.path)
	switch {
	case len(path) < n:
		return false
	case r.end:
		return path[len(path)-n:] == r.path
	}
	return path[:n] == r.path && (len(path) == n || r.tree && path[n] == '/')
}

func isWrite(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return false
	}
	return true
}

// isBatch reports whether a write changes many documents: PUT or PATCH of a collection, or any write to a /batch path.
func isBatch(method, path string) bool {
	if strings.HasSuffix(path, "/batch") || strings.Contains(path, "/batch/") {
		return isWrite(method)
	}
	if method != "PUT" && method != "PATCH" {
		return false
	}
	collection, ok := strings.CutPrefix(path, "/api/")
	return ok && !strings.Contains(strings.TrimSuffix(collection, "/"), "/")
}

// Robots returns the policy's part of robots.txt: it excludes the API except its open paths, excludes the honeypot, and
// tells AI crawlers the site's stance. The caller adds the sitemap.
func Robots(ai bots.Stance) string {
	allow := []string{}
	for _, r := range apiRoutes {
		if r.class == Open {
			allow = append(allow, r.path)
		}
	}
	return bots.Robots(ai, []string{"/api/", HoneypotPath}, allow)
}

// HoneypotPath is the target of a link that people do not see and that robots.txt excludes. Only a program that ignores
// robots.txt follows it. No page exists there. The name begins like the theme's own names.
const HoneypotPath = "/fs-unlisted/"

// Limits holds the limits that the settings can change. Zero means the default.
type Limits struct{ API, Auth, Blog, Search, Page, Webhook, Metrics, AI limit.Rate }

// Of returns the limit of a class; nil: it has none.
func (l *Limits) Of(c Class) *limit.Rate {
	switch c {
	case API:
		return &l.API
	case Auth:
		return &l.Auth
	case Blog:
		return &l.Blog
	case Search:
		return &l.Search
	case Page:
		return &l.Page
	case Webhook:
		return &l.Webhook
	case Metrics:
		return &l.Metrics
	case AI:
		return &l.AI
	}
	return nil
}

// withDefaults fills in missing limits.
func (l Limits) withDefaults() Limits {
	for c := range Class(numClasses) {
		if r := l.Of(c); r != nil && r.IsZero() {
			*r = classes[c].rate
		}
	}
	return l
}

// DefaultLimits returns the default limits.
func DefaultLimits() *Limits {
	l := Limits{}.withDefaults()
	return &l
}

// Document returns the policy as Markdown tables.
func Document() string {
	var b strings.Builder
	b.WriteString("| Class | Limit | Binds | Is |\n| --- | --- | --- | --- |\n")
	for c := range Class(numClasses) {
		rate := classes[c].rate.String()
		if classes[c].fixed {
			rate = "never"
		}
		var binds []string
		for _, r := range slices.Concat(apiRoutes, siteRoutes) {
			if r.class != c {
				continue
			}
			p := r.path
			if r.tree {
				p += "/…"
			}
			if r.end {
				p = "…" + p
			}
			p = "`" + p + "`"
			if r.writes {
				p += " (writes)"
			}
			binds = append(binds, p)
		}
		if len(binds) == 0 {
			binds = []string{"the rest"}
			if c == AI {
				binds = []string{"by user agent"}
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", classes[c].name, rate, strings.Join(binds, ", "), classes[c].doc)
	}
	b.WriteString("\n| Rule | Status | Refuses |\n| --- | --- | --- |\n")
	for r := RuleNone + 1; r < numRules; r++ {
		status := fmt.Sprint(rules[r].status)
		if rules[r].status == 200 {
			status = "passes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", rules[r].name, status, rules[r].doc)
	}
	return b.String()
}
