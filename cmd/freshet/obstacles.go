package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"freshet/generator"
	"freshet/internal/documents"
	"freshet/revalidator"
	"freshet/server"
)

// heldRemedy is what operators of a running freshet can do about documents that are held back.
const heldRemedy = "put back what is missing; if it is to go, stop this freshet, run freshet build --allow-shrink, and start it again"

// Who refuses builds, as /readyz names them.
const (
	byShrink    = "shrink guard"
	byTemplates = "templates"
	byBuild     = "build"
)

// obstacles are why builds are not made, or not whole, besides a source that is away. It is for anybody to read.
type obstacles struct {
	mu   sync.Mutex // protects what follows
	held revalidator.Refusal
	last revalidator.Refusal // of the last build
}

// list implements revalidator.Config.Refused.
func (r *obstacles) list() (out []revalidator.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range []revalidator.Refusal{r.held, r.last} {
		if v.By != "" {
			out = append(out, v)
		}
	}
	return out
}

// set says why, since now if it was not said before.
func set(old *revalidator.Refusal, by, reason, remedy string) {
	since := time.Now().UTC().Truncate(time.Second)
	if old.By == by {
		since = old.Since
	}
	*old = revalidator.Refusal{By: by, Reason: reason, Remedy: remedy, Since: since}
}

// note takes in how the last build ended.
func (r *obstacles) note(ctx context.Context, err error) {
	if ctx.Err() != nil { // it was told to stop
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	shrink, isShrink := errors.AsType[*generator.ShrinkError](err)
	_, isTheme := errors.AsType[*generator.ThemeError](err)
	switch {
	case err == nil, documents.Unavailable(err): // of the latter the revalidator knows
		r.last = revalidator.Refusal{}
	case isShrink:
		r.held = revalidator.Refusal{}
		set(&r.last, byShrink, lossOf(shrink)+"; no build is made until they are back", heldRemedy)
	case isTheme:
		set(&r.last, byTemplates, "the templates have mistakes", "the log names file and line")
	default:
		set(&r.last, byBuild, "builds fail", "the log says why")
	}
}

// hold takes in what a build has held back; nil: nothing. It reports whether that is news.
func (r *obstacles) hold(e *generator.ShrinkError) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.held
	if e == nil {
		r.held = revalidator.Refusal{}
	} else {
		set(&r.held, byShrink, lossOf(e)+"; they stay as they were, and everything else is built", heldRemedy)
	}
	return was.Reason != r.held.Reason
}

func lossOf(e *generator.ShrinkError) string {
	return fmt.Sprintf("%d of %d pages would go away at once, which is more than build.maxShrink lets", e.Before-e.After, e.Before)
}

// tellHeld logs what is held back, when it begins, changes and ends.
func (b *builds) tellHeld(e *generator.ShrinkError) {
	switch news := b.obstacles.hold(e); {
	case !news:
	case e == nil:
		b.logger.Info("nothing is held back any more")
	default:
		b.logger.Error("documents that are gone are held back: their pages stay as they were, everything else is built", "lost", e.Before-e.After, "pages", e.Before,
			"error", e, "remedy", heldRemedy)
	}
}

// shownRefusals are refusals as the server tells them.
func shownRefusals(list []revalidator.Refusal) []server.Refusal {
	var out []server.Refusal
	for _, r := range list {
		out = append(out, server.Refusal(r))
	}
	return out
}
