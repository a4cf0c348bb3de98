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
	for e := range old.All() {
		if _, ok := w.objects[e.Object.ID]; !ok && e.Status == 200 {
			w.objects[e.Object.ID] = place{e.Object.Offset, e.Object.Size}
		}
	}
	w.mu.Unlock()
	for was, is := range old.Diff(w.Current()) {
		if is == nil {
			c.Removed++
			b.Remove(was.Path)
			continue
		}
		docs, err := old.Docs(is)
		if err != nil {
			return nil, fmt.Errorf("roll back %s: %w", is.Path, err)
		}
		if was == nil || !sameResponse(was, is) {
			c.Changed++
		}
		b.Put(*is, docs)
	}
	gen, err := b.Commit(c)
	if err != nil {
		return nil, fmt.Errorf("roll back to generation %d: %w", id, err)
	}
	return gen, nil
}
