package pagestore

import "fmt"

// Rollback commits a new generation that has the entries of a kept one. If c has no Cause, it is the rollback; Pages,
// Documents, Changed and Removed are counted by Rollback. Whether it stays is c.Pinned.
func (w *Writer) Rollback(id uint64, c CommitInfo) (*Generation, error) {
	b := w.Begin() // while it is open, objects stay where they are
	defer b.Abort()
	old, err := w.At(id)
	if err != nil {
		return nil, fmt.Errorf("roll back: %w", err)
	}
	if c.Cause == "" {
		c.Cause = fmt.Sprintf("rollback to generation %d", id)
	}
	c.Pages, c.Documents, c.Rendered, c.Changed, c.Removed = old.Commit.Pages, old.Commit.Documents, 0, 0, 0
	w.mu.Lock()
	w.gather()
	for n := range old.nodes() {
		if _, ok := w.objects[n.object.ID]; !ok && n.traits.Status == 200 {
			w.objects[n.object.ID] = place{n.object.Offset, n.object.Size}
		}
	}
	w.mu.Unlock()
	for was, is := range old.diff(w.Current()) {
		if is == nil {
			c.Removed++
			b.Remove(was.path())
			continue
		}
		e := is.entry()
		docs, err := old.Docs(e)
		if err != nil {
			return nil, fmt.Errorf("roll back %s: %w", e.Path, err)
		}
		if was == nil || !was.sameResponse(is) {
			c.Changed++
			if e.Status == 200 { // nothing makes again what only an older generation had
				if _, err := old.Object(e.Object); err != nil {
					return nil, fmt.Errorf("roll back %s: %w", e.Path, err)
				}
			}
		}
		b.Put(*e, docs)
	}
	gen, err := b.Commit(c)
	if err != nil {
		return nil, fmt.Errorf("roll back to generation %d: %w", id, err)
	}
	return gen, nil
}
