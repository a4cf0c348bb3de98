package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/site"
	"freshet/server"
)

// lateness is pages that come at a time, or never.
type lateness map[site.Path]chan struct{}

func (l lateness) Await(ctx context.Context, path site.Path) (bool, error) {
	made, left := l[path]
	if !left {
		return false, nil
	}
	select {
	case <-made:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := lateness{"/blog/soon/": make(chan struct{}), "/blog/never/": make(chan struct{})}
		s := serving(built())
		h := newServer(t, server.Config{Site: s, Late: late}).Handler()
		go func() {
			time.Sleep(2 * time.Second)
			whole := built()
			whole.number++
			whole.put("/blog/soon/", site.KindPage, htmlType, page("Soon", 3000), "blog:soon")
			s.at.Store(whole)
			close(late["/blog/soon/"])
		}()
		for _, row := range []struct {
			path   string
			status int
			took   time.Duration
			header string
			value  string
		}{
			{"/blog/rivers/", 200, 0, "X-Cache", "HIT"},
			{"/blog/none/", 404, 0, "Cache-Control", "no-store"},
			{"/blog/soon", 308, 2 * time.Second, "Location", "/blog/soon/"},
			{"/blog/soon/", 200, 0, "X-Cache", "HIT"},
			{"/blog/never/", 503, 3 * time.Second, "Retry-After", "5"},
			{"/blog/never/", 503, 3 * time.Second, "Cache-Control", "no-store"},
		} {
			start := time.Now()
			w := get(h, row.path)
			if took := time.Since(start); w.Code != row.status || w.Header().Get(row.header) != row.value || took != row.took {
				t.Errorf("%s: %d, %s: %q after %v, want %d and %q after %v", row.path, w.Code, row.header, w.Header().Get(row.header), took,
					row.status, row.value, row.took)
			}
		}
	})
}
