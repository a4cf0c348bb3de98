package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// Config holds what a Guard needs. The zero value is the default policy, kept in memory only.
type Config struct {
	Allow, Block []string // prefixes, addresses, and names of files that contain them
	Limits       Limits
	Ban          BanConfig
	HighTraffic  TrafficConfig
	Bots         BotConfig
	Shed         ShedConfig
	Shadow       []string // rules in shadow mode, which log but do not refuse: names of Rules, or limit.<class>

	Clients int    // clients that are counted apart at once; 0: 262,144, which take 18 MB once they are used
	File    string // stores bans and switches across restarts; empty: they are lost

	Ledger   Ledger        // shared with other servers; nil: there is one server
	Resolver bots.Resolver // verifies search engines; nil: only published addresses verify them
	Breaker  func() bool   // reports whether the database's circuit breaker is open; asked once a second; nil: there is none
	Logger   *slog.Logger  // nil: no log
}

// BanConfig sets when the guard bans, and for how long.
type BanConfig struct {
	Violations int             // violations within Window that cause a ban; 0: 3; at most 8
	Window     time.Duration   // 0: one hour
	Steps      []time.Duration // duration of the first ban, the second, and so on; nil: 1 h, 6 h, 24 h, 168 h
	Scope      bans.Scope
	Forget     time.Duration // after this time without a ban one step is forgotten; 0: a week
}

// TrafficConfig configures high-traffic mode. Each of its measures can be turned off.
type TrafficConfig struct {
	traffic.Config
	CountAll bool // count requests for built pages too

	AllowDeletes bool // do not refuse DELETE
	AllowBatches bool // do not refuse updates of many documents
	NoStale      bool // do not answer with old data
	MildBans     bool // do not ban sooner
}

// BotConfig sets how bots are treated.
type BotConfig struct {
	AI bots.Stance
}

// ShedConfig configures load shedding.
type ShedConfig struct {
	Off     bool
	Latency time.Duration // writes are refused when one goroutine in ten waits this long for a processor; at twice and five times that more is refused; 0: 50 ms
}

// Bounds of settings.
const (
	MaxViolations  = 8
	DefaultClients = 1 << 18
	MaxClients     = 1 << 24
)

// withDefaults fills in missing values and reports all mistakes.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c.Limits = c.Limits.withDefaults()
	for cl := range Class(numClasses) {
		if r := c.Limits.Of(cl); r != nil && !r.IsOff() && (r.Requests < 1 || r.Window < time.Second) {
			wrong("limits.%s: %d in %s is no rate", cl, r.Requests, r.Window)
		}
	}
	if a := c.Limits.Auth; a.Requests > limit.MaxLog {
		wrong("limits.auth: at most %d attempts can be remembered exactly", limit.MaxLog)
	}
	b := &c.Ban
	if b.Violations == 0 {
		b.Violations = 3
	}
	if b.Violations < 1 || b.Violations > MaxViolations {
		wrong("ban.violations: from 1 to %d", MaxViolations)
	}
	if b.Window == 0 {
		b.Window = time.Hour
	}
	if b.Window < time.Minute || b.Window > 24*time.Hour {
		wrong("ban.window: from 1m to 24h")
	}
	if b.Steps == nil {
		b.Steps = []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 168 * time.Hour}
	}
	for _, s := range b.Steps {
		if s < time.Second {
			wrong("ban.steps: %s is too short", s)
		}
	}
	if b.Forget < 0 {
		wrong("ban.forget: it cannot be negative")
	}
	t := &c.HighTraffic
	t.Config = t.WithDefaults()
	if t.Leave.PerSecond() > t.Enter.PerSecond() {
		wrong("highTraffic.leave: %s is above highTraffic.enter %s", t.Leave, t.Enter)
	}
	if c.Shed.Latency == 0 {
		c.Shed.Latency = 50 * time.Millisecond
	}
	if c.Clients == 0 {
		c.Clients = DefaultClients
	}
	if c.Clients < 0 || c.Clients > MaxClients {
		wrong("clients: from 1 to %d", MaxClients)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, errors.Join(errs...)
}

// shadows holds the rules in shadow mode.
type shadows struct {
	rules  [numRules]bool
	limits [numClasses]bool
}

func parseShadows(names []string) (s shadows, err error) {
	var errs []error
	for _, name := range names {
		rule, class, err := findShadow(name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case class == numClasses:
			s.rules[rule] = true
		default:
			s.limits[class] = true
		}
	}
	return s, errors.Join(errs...)
}

// findShadow finds a rule that may be in shadow mode. If class is not numClasses, the name is that class's limit.
func findShadow(name string) (Rule, Class, error) {
	for r := range numRules {
		if rules[r].shadow && name == r.String() {
			return r, numClasses, nil
		}
	}
	for c := range numClasses {
		if !classes[c].fixed && name == limitNames[c] {
			return RuleLimit, c, nil
		}
	}
	return 0, 0, fmt.Errorf("shadow: %q is no rule that can be only watched", name)
}

// CheckShadow reports whether an item of Config.Shadow is wrong.
func CheckShadow(name string) error {
	_, _, err := findShadow(name)
	return err
}

// Shadows returns all valid items of Config.Shadow.
func Shadows() (names []string) {
	for r := range numRules {
		if rules[r].shadow {
			names = append(names, r.String())
		}
	}
	for c := range numClasses {
		if !classes[c].fixed {
			names = append(names, limitNames[c])
		}
	}
	return names
}

// of reports whether a rule is in shadow mode for a class.
func (s *shadows) of(r Rule, c Class) bool { return s.rules[r] || r == RuleLimit && s.limits[c] }

// FileFor returns the file for the bans and switches of a server that listens at an address, for [Config]. Empty: it has none. Servers of one state folder listen at different addresses, and
// so have different files. At port 0 a server would not find its file again, and has none.
func FileFor(state, listen string) string {
	if _, port, err := net.SplitHostPort(listen); state == "" || err != nil || port == "0" {
		return ""
	}
	name := strings.NewReplacer("[", "", "]", "", ":", "-", "%", "-", string(filepath.Separator), "-").Replace(listen)
	return filepath.Join(state, "guard-"+strings.TrimLeft(name, "-"))
}
