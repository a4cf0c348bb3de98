package builder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"freshet/generator"
	"freshet/internal/documents"
	"freshet/internal/site"
)

// heldRemedy tells operators of a running freshet what to do about pages that are held back.
const heldRemedy = "put back what is missing; if it is to go, stop this freshet, run freshet build --allow-shrink, and start it again"

// Values of Refusal.By, as /readyz shows them.
const (
	byShrink    = "shrink guard"
	byTemplates = "templates"
	byBuild     = "build"
)

// obstacles holds why builds are refused, in whole or in part. A source that is away is not among them: the revalidator
// knows of it. Any goroutine may read it.
type obstacles struct {
	mu   sync.Mutex   // protects what follows
	held site.Refusal // pages that the last builds held back
	last site.Refusal // the failure of the last build
}

// list returns what is in the way now.
func (r *obstacles) list() (out []site.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range []site.Refusal{r.held, r.last} {
		if v.By != "" {
			out = append(out, v)
		}
	}
	return out
}

// set replaces a refusal. It keeps its start if the cause is the same.
func set(old *site.Refusal, by, reason, remedy string) {
	since := time.Now().UTC().Truncate(time.Second)
	if old.By == by {
		since = old.Since
	}
	*old = site.Refusal{By: by, Reason: reason, Remedy: remedy, Since: since}
}

// note records how a build ended.
func (r *obstacles) note(ctx context.Context, err error) {
	if ctx.Err() != nil { // the build was told to stop
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	shrink, isShrink := errors.AsType[*generator.ShrinkError](err)
	_, isTheme := errors.AsType[*generator.ThemeError](err)
	switch {
	case err == nil, documents.Unavailable(err): // the revalidator reports a source that is away
		r.last = site.Refusal{}
	case isShrink:
		r.held = site.Refusal{}
		set(&r.last, byShrink, lossOf(shrink)+"; no build is made until they are back", heldRemedy)
	case isTheme:
		set(&r.last, byTemplates, "the templates have mistakes", "the log names file and line")
	default:
		set(&r.last, byBuild, "builds fail", "the log says why")
	}
}

// hold records the pages that a build held back; nil: none. It reports whether that differs from the build before.
func (r *obstacles) hold(e *generator.ShrinkError) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.held
	if e == nil {
		r.held = site.Refusal{}
	} else {
		set(&r.held, byShrink, lossOf(e)+"; they stay as they were, and everything else is built", heldRemedy)
	}
	return was.Reason != r.held.Reason
}

// lossOf says how many pages would go away.
func lossOf(e *generator.ShrinkError) string {
	return fmt.Sprintf("%d of %d pages would go away at once, which is more than build.maxShrink lets", e.Before-e.After, e.Before)
}
