// Package cdn tells CDNs which pages they are to forget, and looks whether they did.
//
// Promises. What [Purger.Purge] has accepted is on the disk, in the outbox, and is done however often the process
// ends: repeating a purge is harmless, losing one is not. Every accepted purge ends verified, which means that the
// pages were fetched through the CDN and were those of the generation or a later one, or alarmed: one Error in the log
// with what to do, counted and shown by [Purger.Stats] until the CDN has the pages after all, which is tried for as
// long as it takes. A newer purge of a page takes the place of an older one. No CDN is asked more often than its
// limits allow. More pages than can be named within those limits are purged by purging everything, which is said.
//
// Words. A purge waits for settle before it is sent, so that servers which follow the page log have the new
// generation and what they answered from the old one has arrived. Reading back is fetching a page as a reader does. Of
// up to [samplePages] pages that were purged together all are read back, of more a spread sample, which then speaks
// for all of them.
//
// When things fail. A CDN that is away, limits requests or fails is asked again with back-off and jitter, no sooner
// than its Retry-After says. One that refuses the token or the request is an alarm at once. One that accepts and does
// not purge is asked again, the second time by URL if it was by key, and is an alarm after AlarmAfter. A damaged
// outbox purges everything. What cannot be written to the outbox is purged all the same, but not accepted.
//
// Not promised: that every place where a CDN keeps copies was looked at. Reading back sees the copy that is nearest
// to the daemon, in the encodings that browsers ask for.
package cdn
