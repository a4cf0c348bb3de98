package main

import (
	"context"
	"errors"
	"log/slog"

	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
	"freshet/revalidator"
)

// mends answers for stored pages that the server cannot read: readers get the copy in the public folder, and a daemon makes
// damaged pages again.
type mends struct {
	*revalidator.Mender
	public string // the public folder; empty: there is none
}

func newMends(public string, logger *slog.Logger, tell func(context.Context, site.Path) error) *mends {
	return &mends{revalidator.NewMender(logger, tell), public}
}

// unreadable is for server.Config.
func (m *mends) unreadable(e *site.Entry, err error) ([]byte, bool) {
	if _, damaged := errors.AsType[*pagestore.DamageError](err); damaged {
		m.Damaged(e.Path, err)
	}
	return publictree.Copy(m.public, e)
}
