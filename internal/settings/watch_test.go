package settings_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"freshet/internal/settings"
)

// A lockedBuffer may be written while it is read.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestSettingsAreReadAgain hangs up with settings that are the same, that have a mistake, and that are others: only the last
// ones are taken, and secrets are not named by what they are.
func TestSettingsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freshet.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log lockedBuffer
	in := settings.Input{File: file, Flags: pflag.NewFlagSet("", pflag.ContinueOnError)}
	put("site: {title: One}\nlog: {level: debug}\n")
	eff, problems, err := settings.Load(in.File, in.Env, in.Flags)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	hangUp := make(chan os.Signal)
	result := make(chan *settings.Effective, 1)
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { result <- settings.Watch(eff, in, hangUp).Await(t.Context(), eff, logger) }()
	said := func(want string) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), want); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q was not logged:\n%s", want, log.String())
			}
		}
	}
	hangUp <- syscall.SIGHUP
	said("are the same")
	put("site: {titel: Two}\n")
	hangUp <- syscall.SIGHUP
	said("titel")
	select {
	case eff := <-result:
		t.Fatalf("settings with a mistake were taken: %+v", eff)
	default:
	}
	put("site: {title: Three}\nwebhook: {token: not-to-be-shown-0123456789}\n")
	hangUp <- syscall.SIGHUP
	if got := <-result; got == nil || got.Site.Title != "Three" {
		t.Errorf("taken: %+v", got)
	}
	if strings.Contains(log.String(), "not-to-be-shown") {
		t.Errorf("a secret is in the log:\n%s", log.String())
	}
}
