package desk

import (
	"freshet/internal/pagestore"
	"freshet/server"
	"freshet/server/admin"
)

// Generations shows the newest generations of a page log's history, at most limit.
func Generations(history []pagestore.Commit, limit int) []admin.Generation {
	shown := []admin.Generation{}
	for _, c := range history[:min(limit, len(history))] {
		shown = append(shown, admin.Generation{
			Generation: c.Generation, Time: c.Time.UTC(), Cause: c.Cause, Documents: c.Documents, Pages: c.Pages, Rendered: c.Rendered,
			Changed: c.Changed, Removed: c.Removed, Pinned: c.Pinned,
		})
	}
	return shown
}

// Status shows how a server is.
func Status(s *server.Server) admin.Status { return admin.Status(s.Status()) }
