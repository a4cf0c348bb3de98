// Package accesslog reads access logs of web servers. It reads the common and combined formats, optionally preceded by
// a host (Apache's vhost_combined) or followed by X-Forwarded-For (nginx's main), and JSON lines as Freshet, nginx and
// Caddy write them.
package accesslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Record is one request of a log.
type Record struct {
	Time      time.Time
	Client    netip.Addr
	Forwarded string // X-Forwarded-For; empty: absent or not logged
	User      string // the signed-in user; empty: none or not logged
	ID        string
	Method    string
	Path      string // decoded once, without the query
	Status    int
	Referer   string // empty: absent or not logged
	UserAgent string
}

// ErrOther reports a readable line that is not a request.
var ErrOther = errors.New("the line is no request")

// Parse parses a line.
func Parse(line string) (Record, error) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "{") {
		return parseJSON([]byte(line))
	}
	return parseCombined(line)
}

// parseCombined parses: host ident user [time] "request" status bytes "referer" "user agent". The last two may be
// absent, and more may follow. A virtual host may come first. Then the address is in the place of ident, which servers
// do not use.
func parseCombined(line string) (Record, error) {
	var r Record
	host, rest, ok := strings.Cut(line, " ")
	if !ok {
		return r, errors.New("the line is in no known format")
	}
	if second, after, ok := strings.Cut(rest, " "); ok {
		if _, err := parseAddr(second); err == nil {
			host, rest = second, after
		}
	}
	head, rest, ok := strings.Cut(rest, " [")
	if !ok {
		return r, errors.New("the line has no time")
	}
	if _, user, ok := strings.Cut(head, " "); ok && user != "-" {
		r.User = user
	}
	stamp, rest, ok := strings.Cut(rest, "] \"")
	if !ok {
		return r, errors.New("the line has no request")
	}
	var err error
	if r.Time, err = time.Parse("02/Jan/2006:15:04:05 -0700", stamp); err != nil {
		return r, fmt.Errorf("the time %q cannot be read", clip(stamp))
	}
	if r.Client, err = parseAddr(host); err != nil {
		return r, err
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return r, errors.New("the request does not end")
	}
	if err := r.request(request); err != nil {
		return r, err
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return r, errors.New("the line has no status")
	}
	if r.Status, err = strconv.Atoi(fields[0]); err != nil || r.Status < 100 || r.Status > 999 {
		return r, fmt.Errorf("the status %q cannot be read", clip(fields[0]))
	}
	if _, after, ok := strings.Cut(rest, "\""); ok {
		var more string
		if r.Referer, more, ok = quoted(after); ok {
			if _, after, ok = strings.Cut(more, "\""); ok {
				r.UserAgent, more, _ = quoted(after)
				r.Forwarded = forwarded(more)
			}
		}
	}
	r.Referer, r.UserAgent = absent(r.Referer), absent(r.UserAgent)
	return r, nil
}

// forwarded finds X-Forwarded-For after the user agent: the first quoted text that is a list of addresses.
func forwarded(rest string) string {
	for {
		_, after, ok := strings.Cut(rest, "\"")
		if !ok {
			return ""
		}
		var text string
		if text, rest, ok = quoted(after); !ok {
			return ""
		}
		if areAddrs(text) {
			return text
		}
	}
}

func areAddrs(list string) bool {
	some := false
	for element := range strings.SplitSeq(list, ",") {
		if element = strings.TrimSpace(element); element == "" {
			continue
		}
		if _, err := parseAddr(element); err != nil {
			return false
		}
		some = true
	}
	return some
}

// quoted reads up to the next unescaped quote, and decodes \" \\ and \xHH.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+3 < len(s) && s[i+1] == 'x':
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
			b.WriteByte(c)
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// request parses the first line of a request.
func (r *Record) request(line string) error {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || method == "" || len(method) > 32 {
		return fmt.Errorf("%w: %q", ErrOther, clip(line))
	}
	target, _, _ := strings.Cut(rest, " ")
	r.Method = method
	return r.target(target)
}

func (r *Record) target(target string) error {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	if scheme, after, ok := strings.Cut(target, "://"); ok && !strings.Contains(scheme, "/") {
		target = "/"
		if i := strings.IndexByte(after, '/'); i >= 0 {
			target = after[i:]
		}
	}
	if !strings.HasPrefix(target, "/") {
		return fmt.Errorf("%w: its target is %q", ErrOther, clip(target))
	}
	if p, err := url.PathUnescape(target); err == nil {
		target = p
	}
	r.Path = target
	return nil
}

// parseJSON parses a JSON object. If several names mean the same field, the first one present is used.
func parseJSON(line []byte) (Record, error) {
	var r Record
	var o object
	if err := json.Unmarshal(line, &o); err != nil {
		return r, errors.New("the line is no JSON object")
	}
	// Caddy puts the request into an object of its own, with headers as lists.
	in := o.object("request")
	headers := in.object("headers")
	if msg := o.text("msg"); msg != "" && msg != "request" && in == nil && o.text("status") == "" {
		return r, ErrOther // Freshet and Caddy log more than requests
	}
	var err error
	if r.Time, err = parseTime(o.text("time", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "date")); err != nil {
		return r, err
	}
	client := o.text("addr", "client", "client_ip", "remote_addr", "remote_ip", "ip", "clientip")
	if in != nil {
		client = first(in.text("client_ip", "remote_ip", "remote_addr"), client)
	}
	if r.Client, err = parseAddr(client); err != nil {
		return r, err
	}
	if list := first(o.text("x_forwarded_for", "http_x_forwarded_for", "xff"), headers.text("X-Forwarded-For")); areAddrs(list) {
		r.Forwarded = list
	}
	if status := o.text("status", "code", "response"); status != "" {
		if r.Status, err = strconv.Atoi(status); err != nil || r.Status < 0 || r.Status > 999 {
			return r, fmt.Errorf("the status %q cannot be read", clip(status))
		}
	}
	r.ID = o.text("request_id", "id")
	r.User = absent(o.text("user", "remote_user", "user_id"))
	r.UserAgent = absent(first(o.text("user_agent", "http_user_agent", "ua", "agent"), headers.text("User-Agent")))
	r.Referer = absent(first(o.text("referer", "http_referer", "referrer"), headers.text("Referer")))
	r.Method = first(o.text("method", "request_method"), in.text("method"))
	if whole := o.text("request"); r.Method == "" && whole != "" {
		return r, r.request(whole)
	}
	if r.Method == "" {
		return r, ErrOther
	}
	if path := o.text("path"); strings.HasPrefix(path, "/") { // Freshet logs a decoded path
		r.Path, _, _ = strings.Cut(path, "?")
		return r, nil
	}
	return r, r.target(first(o.text("uri", "request_uri", "url"), in.text("uri")))
}

// object is a JSON object whose values are decoded when needed.
type object map[string]json.RawMessage

func (o object) object(name string) object {
	var in object
	if json.Unmarshal(o[name], &in) != nil {
		return nil
	}
	return in
}

// text returns the first present member of names: a string, a number, or the first string of a list.
func (o object) text(names ...string) string {
	for _, name := range names {
		raw, ok := o[name]
		if !ok || len(raw) == 0 {
			continue
		}
		switch c := raw[0]; {
		case c == '"':
			var s string
			if json.Unmarshal(raw, &s) == nil && s != "" {
				return s
			}
		case c == '[':
			var list []string
			if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
				return list[0]
			}
		case c == '-' || '0' <= c && c <= '9':
			return string(raw)
		}
	}
	return ""
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// absent returns an empty string for "-".
func absent(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "02/Jan/2006:15:04:05 -0700", "2006-01-02 15:04:05", "2006/01/02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 && n < 1e17 {
		switch {
		case n > 1e14:
			return time.UnixMicro(int64(n)), nil
		case n > 1e11:
			return time.UnixMilli(int64(n)), nil
		}
		return time.UnixMicro(int64(n * 1e6)), nil
	}
	return time.Time{}, fmt.Errorf("the time %q cannot be read", clip(s))
}

func parseAddr(s string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	return netip.Addr{}, fmt.Errorf("the client %q is no address", clip(s))
}

// clip limits what a line can put into an error.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
