package server

import (
	"bytes"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
)

// redirects are the rules of a _redirects file, in the syntax that Netlify and Cloudflare Pages share:
//
//	# from      to            status
//	/old/       /new/         301
//	/blog/*     /posts/:splat
//	/u/:name/   /users/:name  302!
//
// The first rule that matches wins. A path's last slash does not matter. Without a status it is 301; 200 answers with
// the file at the target, 404 and 410 with that status. A file wins over a rule unless the status ends in "!".
// Rules with query parameters, conditions, or a host to match are left out.
type redirects struct {
	exact    map[string]int // rule number by path without its last slash
	patterns []int          // numbers of rules with placeholders
	rules    []rule

	text    []byte
	info    fs.FileInfo
	settled bool
}

type rule struct {
	from   []string // segments; of a pattern alone
	to     string
	status int
	force  bool
}

// matched is a rule applied to a path.
type matched struct {
	to     string
	status int
	force  bool
}

// ruleProblem is why a line was left out.
type ruleProblem struct {
	line   int
	reason string
}

// maxPatterns bounds the rules that every request is compared with.
const maxPatterns = 1000

func parseRedirects(text []byte) (*redirects, []ruleProblem) {
	rs := &redirects{exact: make(map[string]int), text: text}
	var problems []ruleProblem
	n := 0
	for raw := range bytes.Lines(text) {
		n++
		line, _, _ := strings.Cut(" "+strings.TrimSpace(string(raw)), " #")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if reason := rs.add(words); reason != "" {
			problems = append(problems, ruleProblem{n, reason})
		}
	}
	return rs, problems
}

// add adds the rule of a line's words, or returns why it cannot.
func (rs *redirects) add(words []string) string {
	from := words[0]
	if !strings.HasPrefix(from, "/") {
		return "the path to match does not begin with a slash"
	}
	r := rule{status: 301}
	rest := words[1:]
	if len(rest) > 0 && strings.Contains(rest[0], "=") && !strings.ContainsAny(rest[0][:1], "/h") {
		return "query parameters cannot be matched"
	}
	if len(rest) > 0 {
		if status, force, ok := parseStatus(rest[0]); ok { // "/old 410"
			r.status, r.force, r.to, rest = status, force, from, rest[1:]
			if status != 404 && status != 410 {
				return "the target is missing"
			}
		} else {
			r.to, rest = rest[0], rest[1:]
		}
	}
	if r.to == "" {
		return "the target is missing"
	}
	if len(rest) > 0 {
		var ok bool
		if r.status, r.force, ok = parseStatus(rest[0]); !ok {
			return "the status is none of 200, 301, 302, 303, 307, 308, 404 and 410"
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return "conditions cannot be matched"
	}
	if !strings.HasPrefix(r.to, "/") && (!isAbsolute(r.to) || r.status == 200) {
		return "the target is neither a path nor a web address"
	}
	if host, ok := targetHost(r.to); ok && strings.ContainsAny(host, ":*") && hasPlaceholder(host) {
		return "a placeholder in the target's host would let readers choose it"
	}
	isPattern := strings.Contains(from, "*") || strings.Contains(from, "/:") // what is escaped stands for itself
	if plain, err := url.PathUnescape(from); err == nil {
		from = plain // requests are compared decoded
	}
	key := trimSlash(from)
	if !isPattern {
		if _, ok := rs.exact[key]; !ok { // the first wins
			rs.exact[key] = len(rs.rules)
		}
		rs.rules = append(rs.rules, r)
		return ""
	}
	if i := strings.IndexByte(from, '*'); i >= 0 && (i != len(from)-1 || from[i-1] != '/') {
		return "a star must be the last segment"
	}
	if len(rs.patterns) == maxPatterns {
		return "too many rules with placeholders"
	}
	r.from = strings.Split(key[1:], "/")
	rs.patterns = append(rs.patterns, len(rs.rules))
	rs.rules = append(rs.rules, r)
	return ""
}

func parseStatus(s string) (status int, force, ok bool) {
	s, force = strings.CutSuffix(s, "!")
	status, err := strconv.Atoi(s)
	if err != nil {
		return 0, false, false
	}
	switch status {
	case 200, 301, 302, 303, 307, 308, 404, 410:
		return status, force, true
	}
	return 0, false, false
}

// targetHost is the part of a whole URL before its path.
func targetHost(to string) (string, bool) {
	_, rest, ok := strings.Cut(to, "://")
	if !ok || strings.HasPrefix(to, "/") {
		return "", false
	}
	host, _, _ := strings.Cut(rest, "/")
	return host, true
}

// hasPlaceholder reports whether a host holds ":name" and not only a port.
func hasPlaceholder(host string) bool {
	_, after, ok := strings.Cut(host, ":")
	if !ok {
		return strings.Contains(host, "*")
	}
	_, err := strconv.Atoi(after)
	return err != nil
}

func trimSlash(p string) string {
	if len(p) > 1 {
		return strings.TrimSuffix(p, "/")
	}
	return p
}

// match applies the first rule that path matches. A nil *redirects has no rules.
func (rs *redirects) match(path string) (matched, bool) {
	if rs == nil || len(rs.rules) == 0 {
		return matched{}, false
	}
	whole := path
	path = trimSlash(path)
	first, found := rs.exact[path]
	var segs []string
	for _, n := range rs.patterns {
		if found && n > first {
			break
		}
		if segs == nil {
			segs = strings.Split(path[1:], "/")
		}
		r := &rs.rules[n]
		if names, ok := bind(r.from, segs); ok {
			if last := len(names) - 1; last >= 0 && names[last].name == "splat" && names[last].value != "" {
				names[last].value += whole[len(path):] // the slash at the end
			}
			return matched{expand(r.to, names, r.status != 200), r.status, r.force}, true
		}
	}
	if !found {
		return matched{}, false
	}
	r := &rs.rules[first]
	return matched{r.to, r.status, r.force}, true
}

// binding is what a placeholder stands for.
type binding struct{ name, value string }

// bind matches segments with a pattern's.
func bind(pattern, segs []string) ([]binding, bool) {
	var names []binding
	for i, p := range pattern {
		if p == "*" {
			return append(names, binding{"splat", strings.Join(segs[min(i, len(segs)):], "/")}), true
		}
		if i >= len(segs) {
			return nil, false
		}
		switch {
		case strings.HasPrefix(p, ":") && len(p) > 1:
			if segs[i] == "" {
				return nil, false
			}
			names = append(names, binding{p[1:], segs[i]})
		case p != segs[i]:
			return nil, false
		}
	}
	return names, len(pattern) == len(segs)
}

// expand puts the matched values into a target. For a redirect it percent-encodes them, so that they stay parts of the
// path.
func expand(to string, names []binding, escape bool) string {
	if len(names) == 0 {
		return to
	}
	var b strings.Builder
	for to != "" {
		i := strings.IndexByte(to, ':')
		if i < 0 {
			break
		}
		b.WriteString(to[:i])
		to = to[i+1:]
		end := 0
		for end < len(to) && (to[end] == '_' || '0' <= to[end] && to[end] <= '9' || 'a' <= to[end]|0x20 && to[end]|0x20 <= 'z') {
			end++
		}
		known := false
		for _, n := range names {
			if n.name == to[:end] {
				if escape {
					n.value = (&url.URL{Path: n.value}).EscapedPath()
				}
				b.WriteString(n.value)
				known = true
				break
			}
		}
		if known {
			to = to[end:]
		} else {
			b.WriteByte(':') // a port, or the colon of https:
		}
	}
	b.WriteString(to)
	return b.String()
}
