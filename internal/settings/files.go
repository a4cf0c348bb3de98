package settings

import (
	"log/slog"
	"time"

	"freshet/internal/diag"
	"freshet/server"
	"freshet/server/guard/cidr"
)

// Remedies for mistakes in the files that settings name.
const (
	KeyPairRemedy = "tls.cert is a file with the certificate and its chain, tls.key one with its key, both PEM"
	ListRemedy    = "guard.allow and guard.block name files with an address or a prefix a line"
)

// CheckFiles reads the files that the settings name, and reports their mistakes.
func (e *Effective) CheckFiles() []diag.Problem {
	var problems []diag.Problem
	report := func(key string, err error, remedy string) {
		if err != nil {
			problems = append(problems, diag.Problem{Severity: diag.Error, File: key, Message: err.Error(), Remedy: remedy})
		}
	}
	if e.TLS.Cert != "" {
		_, err := server.OpenKeyPair(e.TLS.Cert, e.TLS.Key, slog.New(slog.DiscardHandler))
		report("tls.cert", err, KeyPairRemedy)
	}
	for key, entries := range map[string][]string{"guard.allow": e.Guard.Policy.Allow, "guard.block": e.Guard.Policy.Block} {
		list, err := cidr.NewList(entries)
		if err == nil {
			_, err = list.Reload(time.Now())
		}
		report(key, err, ListRemedy)
	}
	diag.Sort(problems)
	return problems
}
