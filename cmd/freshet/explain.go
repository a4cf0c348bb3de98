package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"freshet/internal/diag"
	"freshet/internal/documents"
	"freshet/internal/pagestore"
	"freshet/internal/settings"
	"freshet/internal/site"
)

func (inv *invocation) explainCommand() *cobra.Command {
	var whyNot string
	cmd := &cobra.Command{
		Use:   "explain URL | --why-not DOCUMENT",
		Short: "Say why a page is as it is, or why a document has none",
		Long: `Says what made the page at a URL or path: its documents, its template, the generation that last
changed it, what caused that and who asked for it. With --why-not, says why a document is on no page,
and what became of a page that it had; it is named by its file, its slug, or in MongoDB its collection
and _id (blogs:65f0…).`,
		Example: "  freshet explain /blog/",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("why-not") {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: inv.start(func(ctx context.Context, cmd *cobra.Command, args []string) error {
			eff, err := inv.load(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("why-not") {
				return inv.whyNot(ctx, eff, whyNot)
			}
			return inv.explain(eff, args[0])
		}),
	}
	inv.jsonFlag(cmd)
	cmd.Flags().StringVar(&whyNot, "why-not", "", "say why this `document` is on no page: its file, its slug, or collection:_id")
	settings.AddFlags(cmd.Flags(), "source", "content", "state", "public", "drafts", "log")
	return cmd
}

// An explanation is what is known of a page.
type explanation struct {
	Path        site.Path  `json:"path"`
	Status      int        `json:"status"`
	Type        string     `json:"type,omitempty"`
	Bytes       int64      `json:"bytes,omitempty"`
	ETag        string     `json:"etag,omitempty"`
	Location    string     `json:"location,omitempty"`
	Remembered  *time.Time `json:"remembered,omitempty"` // since when a page is no more
	Template    string     `json:"template,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	Documents   []document `json:"documents"`
	Keys        []string   `json:"keys"`
	Generation  uint64     `json:"generation"` // that last changed it
	Changed     time.Time  `json:"changed"`
	Cause       string     `json:"cause"`
	Event       string     `json:"event,omitempty"` // who asked for that: a command, the file watch, a job with its event and when it was accepted
	File        string     `json:"file,omitempty"`  // in the public folder
	Site        uint64     `json:"site"`            // the newest generation
	Pinned      bool       `json:"pinned"`
	Verified    *time.Time `json:"verified,omitempty"` // when the site was last compared with its source
	Fresh       bool       `json:"fresh"`
}

type document struct {
	ID       site.ID `json:"id"`
	Revision string  `json:"revision"`
}

func (inv *invocation) explain(eff *settings.Effective, arg string) error {
	p, ok := site.PathIn(arg)
	if !ok {
		return misuse("a path such as /blog/, or the page's whole address", "%q is no address", arg)
	}
	r, err := inv.openReader(eff)
	if err != nil {
		return err
	}
	gen := r.Current()
	e, ok := gen.Lookup(p)
	if !ok && !strings.HasSuffix(string(p), "/") && path.Ext(string(p)) == "" {
		e, ok = gen.Lookup(p + "/")
	}
	if !ok {
		hint := "freshet explain --why-not DOCUMENT says why a document has no page"
		if near := nearestPath(gen, p); near != "" {
			hint = fmt.Sprintf("there is a page at %s", near)
		}
		return failed(fmt.Errorf("there is no page at %s in generation %d", diag.Printable(string(p)), gen.ID), hint)
	}
	x, err := explainEntry(eff, gen, e)
	if err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(x)
	}
	inv.printExplanation(x)
	return nil
}

// nearestPath is the path of the generation that p is probably a slip of.
func nearestPath(gen *pagestore.Generation, p site.Path) site.Path {
	var paths []string
	for e := range gen.All() {
		paths = append(paths, string(e.Path))
	}
	slices.Sort(paths)
	return site.Path(diag.Nearest(string(p), paths))
}

func explainEntry(eff *settings.Effective, gen *pagestore.Generation, e *site.Entry) (*explanation, error) {
	docs, err := gen.Docs(e)
	if err != nil {
		return nil, fmt.Errorf("read what made %s: %w", e.Path, err)
	}
	origin, err := gen.Origin(e)
	if err != nil {
		return nil, fmt.Errorf("read who asked for %s: %w", e.Path, err)
	}
	verified, err := pagestore.Verified(eff.State)
	if err != nil {
		return nil, err
	}
	x := &explanation{
		Path: e.Path, Status: e.Status, Type: e.Type, Location: e.Location, Template: e.Template, Documents: []document{},
		Keys: append([]string{}, e.Keys...), Generation: e.Generation, Changed: e.Changed.UTC(), Cause: e.Cause, Event: origin, Site: gen.ID, Pinned: gen.Pinned(),
	}
	if e.Status == 200 {
		x.Bytes, x.ETag, x.Fingerprint = e.Object.Size, `"`+e.Object.ID.String()+`"`, e.Fingerprint.String()
		if eff.Public != "" && e.Kind != site.KindHidden {
			name := string(e.Path)
			if strings.HasSuffix(name, "/") {
				name += "index.html"
			}
			x.File = filepath.Join(eff.Public, filepath.FromSlash(name))
		}
	}
	if !e.Remembered.IsZero() {
		since := e.Remembered.UTC()
		x.Remembered = &since
	}
	for _, d := range docs {
		x.Documents = append(x.Documents, document{d.ID, d.Revision.String()})
	}
	if !verified.IsZero() {
		x.Verified, x.Fresh = &verified, !gen.Pinned() && time.Since(verified) < eff.ISR.Revalidate
	}
	return x, nil
}

func (inv *invocation) printExplanation(x *explanation) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(inv.stdout, "%-12s %s\n", name, diag.Printable(fmt.Sprintf(format, args...)))
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
}

// A reason is an answer to freshet explain --why-not.
type reason struct {
	Document string      `json:"document"`
	Reason   string      `json:"reason,omitempty"` // why it is on no page; empty: it is
	Remedy   string      `json:"remedy,omitempty"`
	Pages    []site.Path `json:"pages"`         // of the newest generation that it is on
	Was      []wasPage   `json:"was,omitempty"` // pages that it had
}

// A wasPage is an address at which a document had its page, or still has it: then no build has taken it away.
type wasPage struct {
	Path     site.Path `json:"path"`
	Status   int       `json:"status"` // that it is answered with
	Location string    `json:"location,omitempty"`
	Since    time.Time `json:"since"`
	Cause    string    `json:"cause"`
	Event    string    `json:"event,omitempty"` // who asked
}

func (inv *invocation) whyNot(ctx context.Context, eff *settings.Effective, name string) (err error) {
	source, err := documents.Open(ctx, documentsConfig(&eff.Settings, inv.logger(eff.Quiet())))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	changes, err := source.Scan(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the documents: %w", err)
	}
	now := time.Now().UTC()
	snap, _ := site.NewSnapshot(now, eff.Build.Drafts).Apply(changes, now)
	ans := whyNot(snap, changes, contentName(eff.Content, name), now)
	absent := ans == nil
	if absent {
		ans = &reason{Document: contentName(eff.Content, name), Reason: "it is not in " + source.String(), Pages: []site.Path{}}
	}
	if err := inv.addPages(eff, ans); err != nil {
		return err
	}
	if absent && len(ans.Was) == 0 {
		return failed(fmt.Errorf("there is no document %s in %s", name, source.String()), source.Naming())
	}
	if inv.json {
		return inv.printJSON(ans)
	}
	inv.printReason(ans)
	return nil
}

func (inv *invocation) printReason(ans *reason) {
	w := inv.stdout
	switch {
	case ans.Reason != "":
		fmt.Fprintf(w, "%s is on no page: %s\n", diag.Printable(ans.Document), diag.Printable(ans.Reason))
		if ans.Remedy != "" {
			fmt.Fprintf(w, "%s\n", diag.Printable(ans.Remedy))
		}
		for _, p := range ans.Was {
			where := fmt.Sprint(p.Status)
			if p.Location != "" {
				where += " to " + p.Location
			}
			fmt.Fprintf(w, "%s\n", diag.Printable(fmt.Sprintf("its page at %s is %s since %s: %s (%s)", p.Path, where, p.Since.Format(time.RFC3339), p.Cause, p.Event)))
		}
	case len(ans.Pages) == 0:
		fmt.Fprintf(w, "%s is on no page yet: the site was not built since it appeared\n", diag.Printable(ans.Document))
	default:
		fmt.Fprintf(w, "%s is on %s:\n", diag.Printable(ans.Document), plural(len(ans.Pages), "page"))
		for _, p := range ans.Pages {
			fmt.Fprintf(w, "  %s\n", diag.Printable(string(p)))
		}
	}
}

// contentName returns the name that the content tree has for a file: its path below the folder. Another name is returned as
// it is.
func contentName(folder, name string) string {
	top, err := filepath.Abs(folder)
	file, fileErr := filepath.Abs(name)
	if err == nil && fileErr == nil {
		if rel, err := filepath.Rel(top, file); err == nil && rel != "." && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(name)
}

// addPages lists the pages that the document is on, or was.
func (inv *invocation) addPages(eff *settings.Effective, ans *reason) error {
	r, err := inv.openReader(eff)
	if _, none := errors.AsType[*noSiteError](err); none && ans.Reason != "" {
		return nil
	}
	if err != nil {
		return err
	}
	gen := r.Current()
	former := pathsNamed(ans.Document)
	for _, e := range gen.Sorted() {
		if ans.Reason != "" {
			if e.Doc != "" && (string(e.Doc) == ans.Document || slices.Contains(former, e.Path)) {
				origin, err := gen.Origin(e)
				if err != nil {
					return fmt.Errorf("read who asked for %s: %w", e.Path, err)
				}
				since := e.Changed
				if !e.Remembered.IsZero() {
					since = e.Remembered
				}
				ans.Was = append(ans.Was, wasPage{e.Path, e.Status, e.Location, since.UTC(), e.Cause, origin})
			}
			continue
		}
		docs, err := gen.Docs(e)
		if err != nil {
			return fmt.Errorf("read what made %s: %w", e.Path, err)
		}
		if slices.ContainsFunc(docs, func(d site.DocRef) bool { return string(d.ID) == ans.Document }) {
			ans.Pages = append(ans.Pages, e.Path)
		}
	}
	return nil
}

// whyNot says why readers cannot see the document that name stands for: its ID, its file or its slug. It returns nil
// when there is no such document.
func whyNot(snap *site.Snapshot, changes *site.Changes, name string, now time.Time) *reason {
	named := pathsNamed(name)
	for _, s := range changes.Skipped {
		slug := fileSlug(s.ID)
		if string(s.ID) == name || slices.Contains(named, site.PostPath(slug)) || slices.Contains(named, site.CoursePath(slug)) {
			why := s.Reason
			if s.Field != "" {
				why = s.Field + ": " + why
			}
			return &reason{Document: string(s.ID), Reason: why, Remedy: "mend it: freshet build says where and how", Pages: []site.Path{}}
		}
	}
	path := site.PathNamed(name)
	for d := range snap.Docs() {
		m := site.MetaOf(d)
		if c, ok := d.(*site.Course); ok {
			if ans := whyNotLesson(c, name, now, snap); ans != nil {
				return ans
			}
		}
		if string(d.DocID()) != name && (m == nil || m.Source != name && string(m.Slug) != name) && (path == "" || site.PathOf(d) != path) {
			continue
		}
		ans := &reason{Document: string(d.DocID()), Pages: []site.Path{}}
		if snap.Visible(d.DocID()) != nil || m == nil {
			return ans
		}
		ans.Reason, ans.Remedy = hidden(snap, d, m, now)
		return ans
	}
	return nil
}

// fileSlug is the slug that a file gives a document whose front matter cannot be read.
func fileSlug(id site.ID) site.Slug {
	base := path.Base(string(id))
	if base = strings.TrimSuffix(base, path.Ext(base)); base == "index" || base == "_index" {
		base = path.Base(path.Dir(string(id)))
	}
	return site.Slug(base)
}

// pathsNamed are where the page of a document may be that was named by blog:<slug>, course:<slug>, page:<path> or its slug.
func pathsNamed(name string) []site.Path {
	return []site.Path{site.PathNamed(name), site.PostPath(site.Slug(name)), site.CoursePath(site.Slug(name))}
}

// hidden says why a document is not visible, and what makes it so.
func hidden(snap *site.Snapshot, d site.Document, m *site.Meta, now time.Time) (why, remedy string) {
	switch {
	case !m.Expires.IsZero() && !m.Expires.After(now):
		return "it expired at " + m.Expires.Format(time.RFC3339), "move its expiry date, or remove it"
	case m.Deleted:
		return m.Hidden, "take that back to publish it"
	case m.Hidden != "":
		return "it is a draft: " + m.Hidden, "publish it, or build with --drafts"
	case m.Draft:
		return "it is a draft: nothing says that it is published", "write status: published, or build with --drafts"
	case m.Published.After(now):
		return "it is scheduled for " + m.Published.Format(time.RFC3339), "wait for its date, or build with --drafts"
	}
	p := site.PathOf(d)
	if other := snap.At(p); other != nil {
		return fmt.Sprintf("its address %s belongs to %s", p, other.DocID()), "give one of them another slug"
	}
	return "another document has its place", "give one of them another slug"
}

// whyNotLesson is whyNot for the lessons of a course.
func whyNotLesson(c *site.Course, name string, now time.Time, snap *site.Snapshot) *reason {
	for _, m := range c.Modules {
		for _, l := range m.Lessons {
			if string(l.ID) != name && l.Source != name {
				continue
			}
			ans := &reason{Document: string(l.ID), Pages: []site.Path{}}
			switch {
			case snap.Visible(c.ID) == nil:
				why, remedy := hidden(snap, c, &c.Meta, now)
				ans.Reason, ans.Remedy = fmt.Sprintf("of its course %s: %s", c.ID, why), remedy
			case l.Body.IsZero():
				ans.Reason, ans.Remedy = "it has no text", "the curriculum names it all the same"
			case !l.Open:
				ans.Reason, ans.Remedy = "its text may not be shown", "the curriculum names it all the same; set free: true to show it"
			}
			return ans
		}
	}
	return nil
}
