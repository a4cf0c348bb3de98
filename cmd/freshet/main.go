// Command freshet turns blogs and courses, kept in MongoDB or in Markdown files, into static pages, keeps the pages up to date,
// and serves them.
//
// This package is the one place that knows every other: it reads the settings, opens the parts, and joins them. Each
// command is a file of its own. Results go to standard output, everything else to standard error; the exit status is
// 0 when the work is done (warnings allowed), 1 when it failed or left documents out because of errors, and 2 when
// freshet was called or set up wrongly, which includes every mistake in the settings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // for site.timeZone where the system has no time zones
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if onTerminal(os.Stderr) {
		ends = append(ends, syscall.SIGHUP) // the terminal is closed
	} else {
		signal.Ignore(syscall.SIGHUP) // elsewhere it asks to read the settings again, which commands that go on do
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
