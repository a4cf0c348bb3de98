package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestParts runs parts of which one stands behind the others, and ends them by a signal and by a failure.
func TestParts(t *testing.T) {
	broken := errors.New("broken")
	for _, row := range []struct {
		name   string
		fails  error // of one part
		fallen error // of the one behind
		want   error
	}{
		{"told to stop", nil, nil, nil},
		{"told to stop, and says so", context.Canceled, nil, nil},
		{"one fails", broken, nil, broken},
		{"the one behind fails", nil, broken, broken},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended []string
				var p parts
				p.close(func() error { ended = append(ended, "disk"); return nil })
				p.close(func() error { ended = append(ended, "listener"); return net.ErrClosed })
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				p.runBehind(func(ctx context.Context) error {
					if row.fallen != nil {
						return row.fallen
					}
					<-ctx.Done()
					ended = append(ended, "behind")
					return nil
				})
				p.run(func(ctx context.Context) error {
					<-ctx.Done()
					time.Sleep(time.Second) // it drains
					ended = append(ended, "slow")
					return nil
				})
				p.run(func(ctx context.Context) error {
					if row.fails != nil {
						return row.fails
					}
					<-ctx.Done()
					return nil
				})
				if err := p.Run(ctx); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
					t.Errorf("Run = %v, want %v", err, row.want)
				}
				if err := p.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
				want := []string{"slow", "behind", "listener", "disk"}
				if row.fallen != nil {
					want = slices.DeleteFunc(want, func(s string) bool { return s == "behind" })
				}
				if !slices.Equal(ended, want) {
					t.Errorf("ended in the order %q, want %q", ended, want)
				}
			})
		})
	}
}
