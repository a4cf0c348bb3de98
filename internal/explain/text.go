package explain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"freshet/internal/diag"
)

// Write writes the explanation as text for a terminal.
func (x *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, diag.Printable(fmt.Sprintf(format, args...)))
	}
	line("page", "%s", x.Path)
	switch {
	case x.Status == 200:
		line("answer", "200 %s, %d bytes, ETag %s", x.Type, x.Bytes, x.ETag)
	case x.Location != "":
		line("answer", "%d to %s", x.Status, x.Location)
	default:
		line("answer", "%d", x.Status)
	}
	if x.Remembered != nil {
		line("remembered", "the page is no more since %s", x.Remembered.Format(time.RFC3339))
	}
	if x.Template != "" {
		line("template", "%s, fingerprint %s", x.Template, x.Fingerprint)
	}
	for i, d := range x.Documents {
		name := ""
		if i == 0 {
			name = "documents"
		}
		line(name, "%s at revision %s", d.ID, d.Revision)
	}
	if len(x.Keys) > 0 {
		line("keys", "%s", strings.Join(x.Keys, ", "))
	}
	line("generation", "%d, at %s", x.Generation, x.Changed.Format(time.RFC3339))
	line("cause", "%s", x.Cause)
	if x.Event != "" {
		line("event", "%s", x.Event)
	}
	if x.File != "" {
		line("file", "%s", x.File)
	}
	pinned := ""
	if x.Pinned {
		pinned = ", pinned by a rollback"
	}
	line("site", "generation %d%s", x.Site, pinned)
	switch {
	case x.Pinned:
		line("freshness", "stale: pinned by a rollback, whatever its source says")
	case x.Verified == nil:
		line("freshness", "stale: never compared with its source")
	case x.Fresh:
		line("freshness", "fresh: compared with its source at %s", x.Verified.UTC().Format(time.RFC3339))
	default:
		line("freshness", "stale: compared with its source at %s", x.Verified.UTC().Format(time.RFC3339))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Write writes the reason as text for a terminal.
func (ans *Reason) Write(w io.Writer) error {
	var b bytes.Buffer
	switch {
	case ans.Reason != "":
		fmt.Fprintf(&b, "%s is on no page: %s\n", diag.Printable(ans.Document), diag.Printable(ans.Reason))
		if ans.Remedy != "" {
			fmt.Fprintf(&b, "%s\n", diag.Printable(ans.Remedy))
		}
		for _, p := range ans.Was {
			where := fmt.Sprint(p.Status)
			if p.Location != "" {
				where += " to " + p.Location
			}
			fmt.Fprintf(&b, "%s\n", diag.Printable(fmt.Sprintf("its page at %s is %s since %s: %s (%s)", p.Path, where, p.Since.Format(time.RFC3339), p.Cause, p.Event)))
		}
	case len(ans.Pages) == 0:
		fmt.Fprintf(&b, "%s is on no page yet: the site was not built since it appeared\n", diag.Printable(ans.Document))
	default:
		fmt.Fprintf(&b, "%s is on %s:\n", diag.Printable(ans.Document), diag.Count(len(ans.Pages), "page"))
		for _, p := range ans.Pages {
			fmt.Fprintf(&b, "  %s\n", diag.Printable(string(p)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
