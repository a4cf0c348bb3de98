package revalidator_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"freshet/internal/site"
	"freshet/revalidator"
)

// TestMender tells a daemon of damaged pages: of each page once in a while, and at the end of those that still wait.
func TestMender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []site.Path
		m := revalidator.NewMender(slog.New(slog.DiscardHandler), func(_ context.Context, path site.Path) error {
			told = append(told, path)
			return errors.New("no daemon runs")
		})
		damaged := errors.New("damaged")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		for range 3 {
			m.Damaged("/a/", damaged)
		}
		m.Damaged("/b/", damaged)
		synctest.Wait()
		if want := []site.Path{"/a/", "/b/"}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
		time.Sleep(11 * time.Second)
		m.Damaged("/a/", damaged)
		synctest.Wait()
		if len(told) != 3 {
			t.Errorf("told of %q, want /a/ again", told)
		}
		m.Damaged("/c/", damaged)
		stop()
		if err := <-done; err != nil || told[len(told)-1] != "/c/" {
			t.Errorf("Run ends with %v, told of %q, want /c/ last", err, told)
		}
	})
}
