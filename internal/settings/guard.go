package settings

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"freshet/internal/web"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/bots"
	"freshet/server/guard/cidr"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// guardSettings lists the settings of the section guard.
func guardSettings() []setting {
	policy := func(c *Settings) *guard.Config { return &c.Guard.Policy }
	rate := func(class guard.Class, most int) setting {
		return limitSetting("guard.limits."+class.String(), guard.DefaultLimits().Of(class).String(), most,
			func(c *Settings) *limit.Rate { return policy(c).Limits.Of(class) })
	}
	return []setting{
		listSetting("guard.hosts", func(c *Settings) *[]string { return &c.Guard.Hosts }, web.CheckHost),
		listSetting("guard.trustedProxies", func(c *Settings) *[]string { return &c.Guard.TrustedProxies }, func(item string) error {
			_, err := web.ParseProxies([]string{item})
			return err
		}),
		addressesSetting("guard.allow", func(c *Settings) *[]string { return &policy(c).Allow }),
		addressesSetting("guard.block", func(c *Settings) *[]string { return &policy(c).Block }),
		rate(guard.API, 0), rate(guard.Auth, limit.MaxLog), rate(guard.Blog, 0), rate(guard.Search, 0), rate(guard.Page, 0),
		rate(guard.Webhook, 0), rate(guard.Metrics, 0), rate(guard.AI, 0),
		intSetting("guard.ban.violations", 3, 1, guard.MaxViolations, func(c *Settings) *int { return &policy(c).Ban.Violations }),
		durationSetting("guard.ban.window", "1h", time.Minute, func(c *Settings) *time.Duration { return &policy(c).Ban.Window }).atMost(24 * time.Hour),
		durationsSetting("guard.ban.steps", "1h,6h,24h,168h", time.Second, func(c *Settings) *[]time.Duration { return &policy(c).Ban.Steps }),
		durationSetting("guard.ban.forget", "168h", time.Minute, func(c *Settings) *time.Duration { return &policy(c).Ban.Forget }),
		parsedSetting("guard.ban.scope", "api", bans.ParseScope, func(c *Settings) *bans.Scope { return &policy(c).Ban.Scope }),
		parsedSetting("guard.highTraffic.mode", "auto", traffic.ParseMode,
			func(c *Settings) *traffic.Mode { return &policy(c).HighTraffic.Mode }).orEnv("HIGH_TRAFFIC_MODE"),
		parsedSetting("guard.highTraffic.enter", "500/s", flow, func(c *Settings) *limit.Rate { return &policy(c).HighTraffic.Enter }),
		parsedSetting("guard.highTraffic.leave", "400/s", flow, func(c *Settings) *limit.Rate { return &policy(c).HighTraffic.Leave }),
		durationSetting("guard.highTraffic.hold", "1m", time.Second, func(c *Settings) *time.Duration { return &policy(c).HighTraffic.Hold }),
		choiceSetting("guard.highTraffic.count", "dynamic", "all", func(c *Settings) *bool { return &policy(c).HighTraffic.CountAll }),
		choiceSetting("guard.highTraffic.deletes", "refuse", "allow", func(c *Settings) *bool { return &policy(c).HighTraffic.AllowDeletes }),
		choiceSetting("guard.highTraffic.batches", "refuse", "allow", func(c *Settings) *bool { return &policy(c).HighTraffic.AllowBatches }),
		choiceSetting("guard.highTraffic.stale", "serve", "never", func(c *Settings) *bool { return &policy(c).HighTraffic.NoStale }),
		choiceSetting("guard.highTraffic.bans", "sooner", "usual", func(c *Settings) *bool { return &policy(c).HighTraffic.MildBans }),
		parsedSetting("guard.bots.ai", "allow", bots.ParseStance, func(c *Settings) *bots.Stance { return &policy(c).Bots.AI }),
		shedSetting("guard.shed", "50ms", func(c *Settings) *guard.ShedConfig { return &policy(c).Shed }),
		listSetting("guard.shadow", func(c *Settings) *[]string { return &policy(c).Shadow }, func(item string) error {
			if err := guard.CheckShadow(item); err != nil {
				return bad("one of "+strings.Join(guard.Shadows(), ", "), "%s", err)
			}
			return nil
		}),
		intSetting("guard.clients", guard.DefaultClients, 1024, guard.MaxClients, func(c *Settings) *int { return &policy(c).Clients }),
	}
}

// checkGuard reports settings of the guard that contradict each other.
func (c *Settings) checkGuard(report func(key string, err error)) {
	if t := &c.Guard.Policy.HighTraffic; t.Leave.PerSecond() > t.Enter.PerSecond() {
		report("guard.highTraffic.leave", bad("lower it, or raise guard.highTraffic.enter",
			"guard.highTraffic.leave %s is above guard.highTraffic.enter %s", t.Leave, t.Enter))
	}
}

// parsedSetting is a setting whose type has a parser and a String method.
func parsedSetting[T fmt.Stringer](key, def string, parse func(string) (T, error), field func(*Settings) *T) setting {
	return setting{key: key, def: def,
		set: func(c *Settings, text, _ string) error {
			v, err := parse(text)
			if err != nil {
				return err
			}
			*field(c) = v
			return nil
		},
		get: func(c *Settings) string { return (*field(c)).String() },
	}
}

// choiceSetting is a setting of one of two words. The second word is true.
func choiceSetting(key, usual, other string, field func(*Settings) *bool) setting {
	return setting{key: key, def: usual,
		set: func(c *Settings, text, _ string) error {
			_, err := oneOf(usual, other)(text)
			*field(c) = text == other
			return err
		},
		get: func(c *Settings) string {
			if *field(c) {
				return other
			}
			return usual
		},
	}
}

// limitSetting is a rate. It refuses rates of more than most requests; most 0: it refuses none.
func limitSetting(key, def string, most int, field func(*Settings) *limit.Rate) setting {
	return parsedSetting(key, def, func(text string) (limit.Rate, error) {
		r, err := limit.ParseRate(text)
		if err == nil && most > 0 && r.Requests > most {
			err = bad("lower it, or write off", "%s cannot be %q: at most %d attempts are remembered one by one", key, text, most)
		}
		return r, err
	}, field)
}

// flow reads a rate. It refuses "off".
func flow(text string) (limit.Rate, error) {
	r, err := limit.ParseRate(text)
	if err == nil && r.IsOff() {
		err = bad("such as 500/s", "high-traffic mode needs a rate here; guard.highTraffic.mode: false turns it off")
	}
	return r, err
}

// addressesSetting is a list of addresses, prefixes, and names of files that hold such. Relative names start from base.
func addressesSetting(key string, field func(*Settings) *[]string) setting {
	return setting{key: key, kind: items,
		set: func(c *Settings, text, base string) error {
			*field(c) = nil
			return eachItem(text, func(item string) error {
				if item == "" {
					return nil
				}
				if !cidr.IsFile(item) {
					if _, err := cidr.Parse(item); err != nil {
						return bad("an address, a prefix such as 203.0.113.0/24, or a file of them", "%s", err)
					}
				} else if !filepath.IsAbs(item) {
					item = filepath.Join(base, item)
				}
				*field(c) = append(*field(c), item)
				return nil
			})
		},
		get: func(c *Settings) string { return strings.Join(*field(c), ",") },
	}
}

// durationsSetting is a list of one duration or more.
func durationsSetting(key, def string, lowest time.Duration, field func(*Settings) *[]time.Duration) setting {
	return setting{key: key, def: def, kind: items,
		set: func(c *Settings, text, _ string) error {
			var list []time.Duration
			err := eachItem(text, func(item string) error {
				d, err := ParseDuration(item)
				if err != nil {
					return err
				}
				if d < lowest {
					return bad("at least "+limit.FormatDuration(lowest), "%s cannot hold %q", key, item)
				}
				list = append(list, d)
				return nil
			})
			*field(c) = list
			return err
		},
		get: func(c *Settings) string {
			var list []string
			for _, d := range *field(c) {
				list = append(list, limit.FormatDuration(d))
			}
			return strings.Join(list, ",")
		},
	}
}

// shedSetting is off, or the scheduling latency of goroutines above which the guard sheds load.
func shedSetting(key, def string, field func(*Settings) *guard.ShedConfig) setting {
	return setting{key: key, def: def,
		set: func(c *Settings, text, _ string) error {
			if text == "off" {
				*field(c) = guard.ShedConfig{Off: true}
				return nil
			}
			d, err := ParseDuration(text)
			if err == nil && d < time.Millisecond {
				err = bad("at least 1ms, or off", "%s cannot be %q", key, text)
			}
			*field(c) = guard.ShedConfig{Latency: d}
			return err
		},
		get: func(c *Settings) string {
			if field(c).Off {
				return "off"
			}
			return limit.FormatDuration(field(c).Latency)
		},
	}
}

// atMost refuses durations above highest.
func (s setting) atMost(highest time.Duration) setting {
	set := s.set
	s.set = func(c *Settings, text, base string) error {
		if d, err := ParseDuration(text); err == nil && d > highest {
			return bad("at most "+limit.FormatDuration(highest), "%s cannot be %q", s.key, text)
		}
		return set(c, text, base)
	}
	return s
}
