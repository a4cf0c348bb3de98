// Package desk shows a server to its operators: [Guard] answers at their listener what is banned, switched and refused,
// [Metrics] reports the guard's counters, and [Generations] and [Status] tell what is served.
package desk

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/admin"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// A Guard is a guard as operators see it. It implements the admin listener's Bans, Switches and Witness.
type Guard struct {
	Guard   *guard.Guard
	Site    server.Site    // tells Explain whether a page exists
	Traffic traffic.Config // of the settings
	Resting func() bool    // reports whether MongoDB's circuit breaker is open; nil: there is no MongoDB
}

var (
	_ admin.Bans     = (*Guard)(nil)
	_ admin.Switches = (*Guard)(nil)
	_ admin.Witness  = (*Guard)(nil)
)

// Bans implements admin.Bans.
func (g *Guard) Bans() (list []admin.Ban) {
	for _, b := range g.Guard.Bans(time.Now()) {
		list = append(list, admin.Ban{
			Client: b.Prefix, Scope: b.Scope.String(), Since: b.Since, Until: b.Until, Step: b.Step, Reason: b.Reason, By: b.By,
		})
	}
	return list
}

// Ban implements admin.Bans.
func (g *Guard) Ban(b admin.Ban) error {
	scope, err := bans.ParseScope(b.Scope)
	if err == nil {
		_, err = g.Guard.Ban(b.Client, scope, b.Until, b.By, b.Reason, b.Since)
	}
	return refused(err)
}

// refused turns an error of the guard into an answer: the operator asked for something that is not valid.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &web.Error{Status: http.StatusBadRequest, Message: err.Error()}
}

// Unban implements admin.Bans.
func (g *Guard) Unban(client netip.Prefix, by string) admin.Lifted {
	now := time.Now()
	lifted := admin.Lifted{Client: client, Known: g.Guard.Unban(client, by, now)}
	if g.Guard.Shares() {
		lifted.Others = admin.TellOthersLater
		if g.Guard.Stats(now).Shared {
			lifted.Others = admin.TellOthers
		}
	}
	return lifted
}

// Names of the switches, and the state of a kill switch that is not thrown.
const (
	killSwitch    = "kill"
	trafficSwitch = "highTraffic"
	notKilled     = "off"
)

// Switches implements admin.Switches.
func (g *Guard) Switches() []admin.Switch {
	now := time.Now()
	until := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	kill := admin.Switch{Name: killSwitch, State: notKilled, States: []string{notKilled, "api", "pages", "all"}}
	if k := g.Guard.Killed(now); k != nil {
		kill.State, kill.Until, kill.Reason, kill.By, kill.On = k.Cover.String(), until(k.Until), k.Reason, k.By, true
	}
	high := admin.Switch{Name: trafficSwitch, State: traffic.Settings.String(), States: []string{traffic.Settings.String(), "auto", "true", "false"}}
	if o := g.Guard.Traffic(now); o != nil {
		high.State, high.Until, high.Reason, high.By = o.Mode.String(), until(o.Until), o.Reason, o.By
	}
	high.On, high.Why = g.highTraffic(now)
	return []admin.Switch{kill, high}
}

// highTraffic reports whether high-traffic mode is on, and why.
func (g *Guard) highTraffic(now time.Time) (on bool, why string) {
	on, rate := g.Guard.HighTraffic(now)
	mode, why := g.Traffic.Mode, "guard.highTraffic.mode is "+g.Traffic.Mode.String()
	if o := g.Guard.Traffic(now); o != nil {
		mode, why = o.Mode, "by hand"
	}
	if mode == traffic.Auto {
		enter, leave := g.Traffic.Enter, g.Traffic.Leave
		switch {
		case !on:
			why = fmt.Sprintf("%.0f requests a second, it begins above %s", rate, enter)
		case rate > enter.PerSecond():
			why = fmt.Sprintf("%.0f requests a second, more than %s", rate, enter)
		default:
			why = fmt.Sprintf("%.0f requests a second, it ends after %s below %s", rate, limit.FormatDuration(g.Traffic.Hold), leave)
		}
	}
	if !on && mode != traffic.Never && g.Resting != nil && g.Resting() {
		why += "; MongoDB's breaker is open, which refuses the same"
	}
	return on, why
}

// Turn implements admin.Switches.
func (g *Guard) Turn(s admin.Switch) error {
	now := time.Now()
	var until time.Time
	if s.Until != nil {
		until = *s.Until
	}
	switch {
	case s.Name == trafficSwitch:
		o := traffic.Override{By: s.By, Reason: s.Reason, Until: until}
		if err := o.Mode.UnmarshalText([]byte(s.State)); err != nil {
			return refused(err)
		}
		return refused(g.Guard.SetTraffic(o, now))
	case s.State == notKilled:
		g.Guard.Reopen(s.By, now)
		return nil
	}
	cover, err := guard.ParseCover(s.State)
	if err == nil {
		err = g.Guard.Kill(guard.Kill{Cover: cover, Reason: s.Reason, By: s.By, Until: until}, now)
	}
	return refused(err)
}

// Decisions implements admin.Witness.
func (g *Guard) Decisions(most int) []admin.Decision { return decisions(g.Guard.Refusals(most)) }

func decisions(list []guard.Decision) (out []admin.Decision) {
	for _, d := range list {
		out = append(out, admin.Decision(d))
	}
	return out
}

// Decision implements admin.Witness.
func (g *Guard) Decision(id string) (admin.Decision, bool) {
	d, ok := g.Guard.Refusal(id)
	return admin.Decision(d), ok
}

// Explain implements admin.Witness.
func (g *Guard) Explain(q admin.Question) admin.Explanation {
	f := guard.Facts{Now: time.Now(), Client: q.Client, Method: q.Method, Path: q.Path, UserAgent: q.UserAgent, Partial: true}
	if gen := g.Site.Current(); gen != nil {
		_, f.Built = gen.Lookup(site.Path(q.Path))
	}
	e := g.Guard.Explain(f)
	out := admin.Explanation{
		Client: e.Client, Class: e.Class, Rule: e.Rule, Status: e.Status, Reason: e.Reason, Bot: e.Bot,
		Allowed: e.Allowed, Blocked: e.Blocked, Spared: e.Spared, Score: e.Score, Lowered: e.Lowered, Violations: e.Violations, Refusals: decisions(e.Refusals),
	}
	if b := e.Ban; b != nil {
		out.Ban = &admin.ClientBan{Prefix: b.Prefix, Scope: b.Scope.String(), Since: b.Since, Until: b.Until, Step: b.Step, Reason: b.Reason, By: b.By}
	}
	for _, q := range e.Quotas {
		out.Quotas = append(out.Quotas, admin.ClassQuota(q))
	}
	return out
}

// Audit implements admin.Witness.
func (g *Guard) Audit() (out []admin.Entry) {
	for _, e := range g.Guard.Audit() {
		out = append(out, admin.Entry(e))
	}
	return out
}
