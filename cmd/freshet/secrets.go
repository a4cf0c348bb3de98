package main

import (
	"regexp"
	"strings"

	"freshet/internal/diag"
)

// What is wrong with the settings is told with their lines and values, and these may hold a secret: under its own key,
// under a misspelt one, or behind a quotation mark that was forgotten. So a line is shown only when nothing in it, nor in
// the keys that it is below, has to do with secrets.

// secretive finds what has to do with secrets: names of settings that hold them, and addresses that may hold a password.
var secretive = regexp.MustCompile(`(?i)secret|\bredis|token|passw|\buri|whsec_|(mongodb|mongodb\+srv|rediss?)://|://[^\s]*@`)

// credentials are what an address has before its host. A password may hold anything, an @ that should not be there too.
var credentials = regexp.MustCompile(`://.*@`)

// shownCredentials are those in a remedy, which is freshet's own text: it may show addresses without a password, and speak of an
// @ behind them.
var shownCredentials = regexp.MustCompile(`://[^\s]*@`)

// hideSecrets takes out of problems what may be secret. lines are those of the settings file.
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

// aboutSecrets reports whether a line, from 1, or a key that it stands below, has to do with secrets.
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
