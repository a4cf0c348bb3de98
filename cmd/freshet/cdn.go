package main

import (
	"errors"
	"log/slog"

	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/revalidator/cdn"
	"freshet/server"
)

// purges makes the CDNs purge what each generation of the page log changes. Nil: the settings name no CDN.
type purges = cdn.Follower[*pagestore.Generation]

// openPurges opens the outbox of the CDNs that the settings name.
func openPurges(eff *settings.Effective, store *pagestore.Writer, logger *slog.Logger) (*purges, error) {
	if len(eff.CDNs) == 0 {
		return nil, nil
	}
	p, err := cdn.Open(cdn.Config{CDNs: eff.CDNs, State: eff.State, Logger: logger})
	if err != nil {
		return nil, err
	}
	f, err := newPurges(p, store)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return f, nil
}

// newPurges joins a purger with the page log and the server's answers.
func newPurges(p *cdn.Purger, store *pagestore.Writer) (*purges, error) {
	return cdn.Follow(p, store, answers())
}

func answers() cdn.Answers { return cdn.Answers{Key: server.PurgeKey, Lasting: server.Lasting} }
