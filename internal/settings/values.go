package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"freshet/internal/mongodb"
	"freshet/internal/redisdb"
	"freshet/revalidator/cdn"
	"freshet/revalidator/webhook"
	"freshet/server/guard/limit"
)

// A badValue says why a setting cannot have a value, and which values it can have.
type badValue struct{ message, remedy string }

func (b *badValue) Error() string { return b.message + " (" + b.remedy + ")" }

func bad(remedy, format string, args ...any) error {
	return &badValue{message: fmt.Sprintf(format, args...), remedy: remedy}
}

// mistakes are several mistakes in one value.
type mistakes []error

func (m mistakes) Error() string { return errors.Join(m...).Error() }

// eachItem calls take with each item of a list. It returns the errors of all items that take refuses, as mistakes.
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

func textSetting(key, flag, def, doc string, field func(*Settings) *string, check func(string) (string, error)) setting {
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *Settings, text, _ string) error {
			if check != nil {
				var err error
				if text, err = check(text); err != nil {
					return err
				}
			}
			*field(c) = text
			return nil
		},
		get: func(c *Settings) string { return *field(c) },
	}
}

func pathSetting(key, flag, def, doc string, field func(*Settings) *string, mayBeEmpty bool) setting {
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *Settings, text, base string) error {
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
		get: func(c *Settings) string { return *field(c) },
	}
}

func boolSetting(key, flag string, def bool, doc string, field func(*Settings) *bool) setting {
	return setting{key: key, flag: flag, doc: doc, def: strconv.FormatBool(def), kind: boolean,
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string { return strconv.FormatBool(*field(c)) },
	}
}

func intSetting(key string, def, lowest, highest int, field func(*Settings) *int) setting {
	return setting{key: key, def: strconv.Itoa(def), kind: number,
		set: func(c *Settings, text, _ string) error {
			n, err := strconv.Atoi(text)
			if err != nil || n < lowest || n > highest {
				return bad(fmt.Sprintf("a whole number from %d to %d", lowest, highest), "%s cannot be %q", key, text)
			}
			*field(c) = n
			return nil
		},
		get: func(c *Settings) string { return strconv.Itoa(*field(c)) },
	}
}

// prerenderSetting is a setting whose value is a number of posts, or all.
func prerenderSetting(key string, field func(*Settings) *int) setting {
	return setting{key: key, def: "all",
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string {
			if *field(c) == 0 {
				return "all"
			}
			return strconv.Itoa(*field(c))
		},
	}
}

func percentSetting(key, def string, field func(*Settings) *float64) setting {
	return setting{key: key, def: def,
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string { return formatFloat(*field(c)*100) + "%" },
	}
}

// formatFloat writes f in its shortest form and drops the rounding errors of binary arithmetic.
func formatFloat(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64)
}

func durationSetting(key, def string, lowest time.Duration, field func(*Settings) *time.Duration) setting {
	return setting{key: key, def: def,
		set: func(c *Settings, text, _ string) error {
			d, err := ParseDuration(text)
			if err != nil {
				return err
			}
			if d < lowest {
				return bad("at least "+limit.FormatDuration(lowest), "%s cannot be %q", key, text)
			}
			*field(c) = d
			return nil
		},
		get: func(c *Settings) string { return limit.FormatDuration(*field(c)) },
	}
}

// ParseDuration reads Go's durations (1h30m) and days (7d).
func ParseDuration(text string) (time.Duration, error) {
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

func sizeSetting(key, def string, lowest int64, field func(*Settings) *int64) setting {
	return setting{key: key, def: def,
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string { return formatSize(*field(c)) },
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

func levelSetting(key, flag, def, doc string, field func(*Settings) *slog.Level) setting {
	names := []string{"debug", "info", "warn", "error"}
	return setting{key: key, flag: flag, doc: doc, def: def,
		set: func(c *Settings, text, _ string) error {
			if _, err := oneOf(names...)(text); err != nil {
				return err
			}
			return field(c).UnmarshalText([]byte(text))
		},
		get: func(c *Settings) string { return strings.ToLower(field(c).String()) },
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

// secretSetting is a setting whose value get never shows.
func secretSetting(key string, field func(*Settings) *string, check func(string) (string, error)) setting {
	return setting{key: key,
		set: func(c *Settings, text, _ string) (err error) {
			*field(c), err = check(text)
			return err
		},
		get:    func(*Settings) string { return "" },
		hidden: func(c *Settings) bool { return *field(c) != "" },
	}
}

// listSetting is a setting of any number of items. The default is an empty list.
func listSetting(key string, field func(*Settings) *[]string, check func(item string) error) setting {
	return setting{key: key, kind: items,
		set: func(c *Settings, text, _ string) error {
			*field(c) = nil
			if strings.TrimSpace(text) == "" {
				return nil
			}
			return eachItem(text, func(item string) error {
				*field(c) = append(*field(c), item)
				return check(item)
			})
		},
		get: func(c *Settings) string { return strings.Join(*field(c), ",") },
	}
}

// adminToken checks a token. The error does not repeat it.
func adminToken(text string) (string, error) {
	if text != "" && weak(text) {
		return "", bad(fmt.Sprintf("at least %d characters of ASCII without blanks: openssl rand -hex 32", minSecret), "this is no token that keeps anybody out")
	}
	return text, nil
}

// orNone accepts an empty value too.
func orNone(check func(string) (string, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return check(text)
	}
}

// Loopback reports whether only this machine reaches a listener at address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// mongoURISetting is a setting whose value may hold a secret: get shows the rest.
func mongoURISetting(key, also string, field func(*Settings) *mongodb.URI) setting {
	return setting{key: key, also: also,
		set: func(c *Settings, text, _ string) error {
			*field(c) = mongodb.URI(text) // checked by Settings.check, which knows the database too
			return nil
		},
		get:    func(c *Settings) string { return field(c).String() },
		hidden: func(c *Settings) bool { return string(*field(c)) != field(c).String() },
	}
}

// redisURLSetting is a setting whose value may hold a secret: get shows the rest.
func redisURLSetting(key string, field func(*Settings) *redisdb.URL) setting {
	return setting{key: key,
		set: func(c *Settings, text, _ string) error {
			u := redisdb.URL(text)
			if text != "" {
				if err := u.Check(); err != nil {
					return ofRedis(err)
				}
			}
			*field(c) = u
			return nil
		},
		get:    func(c *Settings) string { return field(c).String() },
		hidden: func(c *Settings) bool { return string(*field(c)) != field(c).String() },
	}
}

func redisPrefix(text string) (string, error) { return text, ofRedis(redisdb.CheckPrefix(text)) }

// ofRedis turns an error of redisdb into a mistake with its remedy.
func ofRedis(err error) error {
	if e, ok := errors.AsType[*redisdb.Error](err); ok {
		return bad(e.Remedy, "%s", e.Message)
	}
	return err
}

// ofMongo turns an error of mongodb into a mistake with its remedy.
func ofMongo(err error) error {
	if e, ok := errors.AsType[*mongodb.Error](err); ok {
		return bad(e.Remedy, "%s", e.Message)
	}
	return err
}

// minSecret is the least number of bytes of a secret. Anybody who has seen a signature can guess a shorter secret.
const minSecret = 16

// weak reports whether a secret is too short, or cannot be sent in a header.
func weak(secret string) bool {
	return len(secret) < minSecret || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// secretsSetting is a setting of secrets, separated by commas. get never shows them.
func secretsSetting(key string, field func(*Settings) *[]webhook.Secret, most int) setting {
	kind := text
	if most > 1 {
		kind = items
	}
	return setting{key: key, kind: kind,
		set: func(c *Settings, text, _ string) error {
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
		get:    func(*Settings) string { return "" },
		hidden: func(c *Settings) bool { return len(*field(c)) > 0 },
	}
}

// cdnSetting is a list of CDNs. loader.cdns checks each of them once all settings are read.
func cdnSetting(key string, field func(*Settings) *[]cdn.Settings) setting {
	fields := map[string]kind{"header": texts, "soft": boolean}
	for _, name := range []string{"kind", "zone", "plan", "service", "url", "method", "body", "everything", "batch", "rate", "token", "by", "verify"} {
		fields[name] = text
	}
	return setting{key: key, kind: objects, fields: fields, def: "[]",
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string {
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

// tableSetting is a mapping. Settings.check checks its names once all settings are read.
func tableSetting[T any](key string, field func(*Settings) *map[string]T, example string) setting {
	return setting{key: key, kind: table, def: "{}",
		set: func(c *Settings, text, _ string) error {
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
		get: func(c *Settings) string {
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

// orEnv lets a second environment variable set the setting.
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

// timeZone checks the name of a time zone. The binary holds all zones, for systems that have none.
func timeZone(text string) (string, error) {
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		return "", bad("a name such as Asia/Kolkata, Europe/Berlin or UTC", "%q is no time zone", text)
	}
	return text, nil
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

func mailAddress(text string) (string, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text {
		return "", bad("such as web@example.com", "%q is no mail address", text)
	}
	return text, nil
}

// directoryURL checks the address of an authority's directory. The error does not repeat it: it may hold a password.
func directoryURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return "", bad("such as https://acme-v02.api.letsencrypt.org/directory", "this is no https address of an authority's directory")
	}
	return text, nil
}
