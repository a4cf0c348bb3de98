// Package cdn purges pages from CDNs and verifies the purge.
//
// Promises. A purge that [Purger.Purge] has accepted is in the outbox on the disk, and is done even if the process
// ends: repeating a purge is harmless, losing one is not. Every accepted purge ends verified or alarmed. Verified means
// that the pages were fetched through the CDN and came from this generation or a later one. Alarmed means one Error in
// the log with a remedy; [Purger.Stats] counts and shows it, and the purge is tried until the CDN has the pages. A
// newer purge of a page replaces an older one. No CDN gets more requests than its limits allow. If too many pages
// change, everything is purged instead, and the log says so.
//
// Words. A purge waits for Config.Settle before it is sent: by then, servers that follow the page log have the new
// generation, and their earlier answers have reached the CDN. Reading back means fetching a page as a reader does. If
// at most [samplePages] pages were purged together, all are read back. Otherwise a sample is read back and decides for
// all.
//
// Failures. A CDN that is away, limits requests or fails is asked again with back-off and jitter, never before its
// Retry-After. A CDN that refuses the token or the request raises an alarm at once. A CDN that accepts a purge without
// doing it is asked again, by URL if the last try was by key, and raises an alarm after Config.AlarmAfter. A damaged
// outbox causes a purge of everything. A purge that cannot be written to the outbox is done, but Purge returns an
// error.
//
// Not promised: that every cache of a CDN was checked. Reading back sees only the copy nearest to the daemon, in the
// encodings that browsers request.
package cdn
