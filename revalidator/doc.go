// Package revalidator keeps a built site equal to its source. It turns webhooks, commands, the source's feed, changed
// files, publication dates and the regular verification into builds.
//
// All of them enter one queue. A single change is built after a few milliseconds. Changes that follow a burst are
// merged for at most 50 ms, each document once. One batch makes one generation, and one build runs at a time. A change
// that arrives during a build is built after it, from the source's state at that time: an older change never overwrites
// a newer one. On-demand work runs before timed work, which waits two seconds at most.
//
// [Revalidator.Accept] writes a [Request] to the disk before it returns. The request is a [Job] until a generation
// holds what it asked for. After a crash jobs are repeated. Repeating is harmless, because the build reads documents
// again and takes no data from a request. Changed files and dates are not journaled: each start looks at everything.
//
// A failed build leaves the last generation in place. While the source cannot be reached, everything waits. The daemon
// tries again after pauses that grow to a few seconds, without end, and then compares the whole site. Any other failure
// is traced to its job, so that one bad request stops no other. That job is retried with growing pauses of its own.
// After MaxTries it is parked with its error. A build that looks at everything includes parked jobs.
package revalidator
