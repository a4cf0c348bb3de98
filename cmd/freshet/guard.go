package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"freshet/internal/mongodb"
	"freshet/internal/redisdb"
	"freshet/internal/settings"
	"freshet/internal/site"
	"freshet/internal/web"
	"freshet/server"
	"freshet/server/admin"
	"freshet/server/guard"
	"freshet/server/guard/bans"
	"freshet/server/guard/limit"
	"freshet/server/guard/traffic"
)

// openGuard makes the guard of the settings, and reads its lists and what it has kept in the state folder; an empty one
// keeps nothing. What servers share is in redis; nil: each goes by what it sees itself.
func openGuard(eff *settings.Effective, state string, redis *redisdb.DB, logger *slog.Logger) (*guard.Guard, error) {
	cfg := eff.Guard.Policy
	cfg.Logger = logger.With("part", "guard")
	cfg.Resolver = net.DefaultResolver
	cfg.File = guardFile(state, eff.Listen)
	if redis != nil {
		cfg.Ledger = redis.Ledger()
	}
	g, err := guard.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := g.Open(time.Now()); err != nil {
		return nil, failed(err, settings.ListRemedy+"; the rest is in the state folder")
	}
	return g, nil
}

// guardFile is where the guard of a server keeps bans and switches. Servers of one state folder listen at different
// addresses, so that each has a file of its own; at port 0 no server finds its own again, and keeps nothing.
func guardFile(state, listen string) string {
	if _, port, err := net.SplitHostPort(listen); state == "" || err != nil || port == "0" {
		return ""
	}
	name := strings.NewReplacer("[", "", "]", "", ":", "-", "%", "-", string(filepath.Separator), "-").Replace(listen)
	return filepath.Join(state, "guard-"+strings.TrimLeft(name, "-"))
}

// followBreaker tells the guard whether MongoDB's circuit breaker is open, until ctx ends.
func followBreaker(ctx context.Context, g *guard.Guard, db *mongodb.DB) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		g.SetBreaker(mongoRests(db))
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// mongoRests reports whether MongoDB's circuit breaker is open.
func mongoRests(db *mongodb.DB) bool { return db.Stats().Breaker.State == "open" }

// A guardDesk is the guard as operators meet it.
type guardDesk struct {
	guard   *guard.Guard
	site    server.Site
	traffic traffic.Config // of the settings
	resting func() bool    // whether MongoDB's circuit breaker is open; nil: there is no MongoDB
}

var (
	_ admin.Bans     = (*guardDesk)(nil)
	_ admin.Switches = (*guardDesk)(nil)
	_ admin.Witness  = (*guardDesk)(nil)
)

// Bans implements admin.Bans.
func (d *guardDesk) Bans() (list []admin.Ban) {
	for _, b := range d.guard.Bans(time.Now()) {
		list = append(list, admin.Ban{
			Client: b.Prefix, Scope: b.Scope.String(), Since: b.Since, Until: b.Until, Step: b.Step, Reason: b.Reason, By: b.By,
		})
	}
	return list
}

// Ban implements admin.Bans.
func (d *guardDesk) Ban(b admin.Ban) error {
	scope, err := bans.ParseScope(b.Scope)
	if err == nil {
		_, err = d.guard.Ban(b.Client, scope, b.Until, b.By, b.Reason, b.Since)
	}
	return refused(err)
}

// refused is an error of what an operator asked for.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &web.Error{Status: http.StatusBadRequest, Message: err.Error()}
}

// Unban implements admin.Bans.
func (d *guardDesk) Unban(client netip.Prefix, by string) admin.Lifted {
	now := time.Now()
	lifted := admin.Lifted{Client: client, Known: d.guard.Unban(client, by, now)}
	if d.guard.Shares() {
		lifted.Others = admin.TellOthersLater
		if d.guard.Stats(now).Shared {
			lifted.Others = admin.TellOthers
		}
	}
	return lifted
}

// The switches of the guard.
const (
	killSwitch    = "kill"
	trafficSwitch = "highTraffic"
	notKilled     = "off"
)

// Switches implements admin.Switches.
func (d *guardDesk) Switches() []admin.Switch {
	now := time.Now()
	until := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	kill := admin.Switch{Name: killSwitch, State: notKilled, States: []string{notKilled, "api", "pages", "all"}}
	if k := d.guard.Killed(now); k != nil {
		kill.State, kill.Until, kill.Reason, kill.By, kill.On = k.Cover.String(), until(k.Until), k.Reason, k.By, true
	}
	high := admin.Switch{Name: trafficSwitch, State: traffic.Settings.String(), States: []string{traffic.Settings.String(), "auto", "true", "false"}}
	if o := d.guard.Traffic(now); o != nil {
		high.State, high.Until, high.Reason, high.By = o.Mode.String(), until(o.Until), o.Reason, o.By
	}
	high.On, high.Why = d.highTraffic(now)
	return []admin.Switch{kill, high}
}

// highTraffic tells whether high-traffic mode is on, and why.
func (d *guardDesk) highTraffic(now time.Time) (on bool, why string) {
	on, rate := d.guard.HighTraffic(now)
	mode, why := d.traffic.Mode, "guard.highTraffic.mode is "+d.traffic.Mode.String()
	if o := d.guard.Traffic(now); o != nil {
		mode, why = o.Mode, "by hand"
	}
	if mode == traffic.Auto {
		enter, leave := d.traffic.Enter, d.traffic.Leave
		switch {
		case !on:
			why = fmt.Sprintf("%.0f requests a second, it begins above %s", rate, enter)
		case rate > enter.PerSecond():
			why = fmt.Sprintf("%.0f requests a second, more than %s", rate, enter)
		default:
			why = fmt.Sprintf("%.0f requests a second, it ends after %s below %s", rate, limit.FormatDuration(d.traffic.Hold), leave)
		}
	}
	if !on && mode != traffic.Never && d.resting != nil && d.resting() {
		why += "; MongoDB's breaker is open, which refuses the same"
	}
	return on, why
}

// Turn implements admin.Switches.
func (d *guardDesk) Turn(s admin.Switch) error {
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
		return refused(d.guard.SetTraffic(o, now))
	case s.State == notKilled:
		d.guard.Reopen(s.By, now)
		return nil
	}
	cover, err := guard.ParseCover(s.State)
	if err == nil {
		err = d.guard.Kill(guard.Kill{Cover: cover, Reason: s.Reason, By: s.By, Until: until}, now)
	}
	return refused(err)
}

// Refusals implements admin.Witness.
func (d *guardDesk) Refusals(most int) any {
	if list := d.guard.Refusals(most); list != nil {
		return list
	}
	return []guard.Decision{}
}

// Refusal implements admin.Witness.
func (d *guardDesk) Refusal(id string) (any, bool) { return d.guard.Refusal(id) }

// Explain implements admin.Witness.
func (d *guardDesk) Explain(q admin.Question) any {
	f := guard.Facts{Now: time.Now(), Client: q.Client, Method: q.Method, Path: q.Path, UserAgent: q.UserAgent, Partial: true}
	if gen := d.site.Current(); gen != nil {
		_, f.Built = gen.Lookup(site.Path(q.Path))
	}
	return d.guard.Explain(f)
}

// Audit implements admin.Witness.
func (d *guardDesk) Audit() any {
	if list := d.guard.Audit(); list != nil {
		return list
	}
	return []guard.Entry{}
}
