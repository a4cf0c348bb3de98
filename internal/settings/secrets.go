package settings

import (
	"regexp"
	"strings"

	"freshet/internal/diag"
)

// Mistakes are shown with the line of the settings file and with the value. Both may hold a secret: under its own key,
// under a misspelt key, or after a forgotten quotation mark. Therefore a line is shown only if neither the line nor a key
// around it matches secretive.

// secretive matches names of settings that hold secrets, and addresses that may hold a password.
var secretive = regexp.MustCompile(`(?i)secret|\bredis|token|passw|\buri|whsec_|(mongodb|mongodb\+srv|rediss?)://|://[^\s]*@`)

// credentials matches the part of an address before its host. It matches up to the last @: a password may hold an @, though it
// should not.
var credentials = regexp.MustCompile(`://.*@`)

// shownCredentials matches the same in a remedy, up to the last @ of the word. A remedy is freshet's own text: it may show
// addresses without a password, and name an @ in a later word.
var shownCredentials = regexp.MustCompile(`://[^\s]*@`)

// hideSecrets removes from problems all that may be secret. lines are the lines of the settings file.
func hideSecrets(problems []diag.Problem, lines []string) {
	for i := range problems {
		p := &problems[i]
		if p.Text != "" && aboutSecrets(lines, p.Line) {
			p.Text = ""
		}
		for _, s := range []*string{&p.File, &p.Message} {
			*s = credentials.ReplaceAllLiteralString(*s, "://…@")
		}
		p.Remedy = shownCredentials.ReplaceAllLiteralString(p.Remedy, "://…@")
	}
}

// aboutSecrets reports whether line n, from 1, or a key around it matches secretive.
func aboutSecrets(lines []string, n int) bool {
	if n < 1 || n > len(lines) {
		return true
	}
	depth := len(lines[n-1])
	for i := n - 1; i >= 0; i-- {
		text := strings.TrimLeft(lines[i], " \t")
		indent := len(lines[i]) - len(text)
		table := strings.HasPrefix(text, "[") // of TOML: what follows it is not indented
		if i == n-1 || table || indent < depth || indent == depth && strings.HasPrefix(lines[n-1][min(depth, len(lines[n-1])):], "-") {
			if secretive.MatchString(text) {
				return true
			}
			depth = min(depth, indent)
		}
		if table {
			break
		}
	}
	return false
}
