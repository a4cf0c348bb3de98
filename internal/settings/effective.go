package settings

import (
	"log/slog"
	"net"
	"path/filepath"
	"reflect"

	"freshet/internal/digest"
	"freshet/revalidator/cdn"
)

// Effective is the settings in force, and where each value comes from.
type Effective struct {
	Settings
	File string            // name of the settings file; empty: there is none
	Read []byte            // content of the settings file
	CDNs []cdn.CDN         // Settings.CDN, checked
	From map[string]string // by key: default, freshet.yaml:3, FRESHET_SITE_URL, --url
}

// Quiet returns the settings of the log for a command that prints its result: warnings only, unless log.level is set.
func (e *Effective) Quiet() Log {
	log := e.Log
	if e.From["log.level"] == "default" {
		log.Level = slog.LevelWarn
	}
	return log
}

// Digest returns the digest of all settings but secrets.
func (c *Settings) Digest() digest.Sum {
	h := digest.New()
	for _, s := range allSettings() {
		h.String(s.key)
		h.String(s.get(c))
	}
	return max(h.Sum(), 1)
}

// Differences returns the keys of the settings that differ from those of other. It compares secrets, and names none.
func (e *Effective) Differences(other *Effective) []string {
	var names []string
	for _, s := range allSettings() {
		if s.get(&e.Settings) != s.get(&other.Settings) {
			names = append(names, s.key)
		}
	}
	if len(names) == 0 && !reflect.DeepEqual(e.Settings, other.Settings) {
		names = append(names, "a secret")
	}
	return names
}

// DevListen is the address of freshet dev. A freshet up on its usual port can run beside it.
const DevListen = "localhost:8081"

// Develop changes the settings to those of freshet dev, except for settings that flags give.
func (e *Effective) Develop(given func(flag string) bool) {
	e.CDNs = nil // only this machine sees the pages
	if !given("drafts") {
		e.Build.Drafts = true
	}
	if !given("listen") {
		e.Listen = DevListen
	}
	if !given("url") {
		e.Site.URL = e.LocalURL(e.Listen)
	}
	e.Admin = ""       // freshet up beside it has that address
	e.TLS.Auto = false // no authority gives certificates for localhost
	if !given("public") {
		e.Public = ""
	}
	if !given("state") {
		e.State = filepath.Join(e.State, "dev")
	}
}

// LocalURL returns the address of the site for a reader on this machine, when the server listens at listen.
func (e *Effective) LocalURL(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		host, port = "", "8080"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if e.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
