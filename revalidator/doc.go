// Package revalidator keeps a built site true to its source: it turns webhooks, commands, change feeds, changed files,
// publication dates and the regular verification into builds.
//
// All of them feed one queue. A single change is built after a settling time of some milliseconds; what follows several
// at once is merged for at most 50 ms, each document once; one batch makes one generation, and at most one
// build runs at a time. What changes during a build is built after it, from what the source says then, so a newer change
// is neither lost nor overwritten by an older one. On-demand work goes before timed work, which waits two seconds at most.
//
// A [Request] that [Revalidator.Accept] has taken is on the disk before it returns, and is a [Job] until a generation
// holds what it asked for. A crash between any two steps repeats jobs, and repeating is harmless, because documents are
// read again and never taken from a request. Changed files and dates are not journaled: a start looks at everything.
//
// A failed build leaves the last generation as it is. When the source cannot be asked, everything waits and is tried
// again with growing pauses of at most some seconds for as long as it takes, then the whole site is compared. Any other
// failure is traced to the job it belongs to, so that one bad request stops no other; that job is tried again with
// growing pauses of its own, and is parked, with its error, after a set number of tries. A build that looks at everything
// takes parked jobs along.
package revalidator
