// Package guard judges requests: plain facts in, a verdict out, from memory, without waiting for anything.
//
// The order is fixed: health checks pass; addresses of the allow list pass everything but high-traffic mode; then bans and the
// blocklist, the kill switch, bots, the limit of the request's class, the limit of its fingerprint, high-traffic mode, and
// load shedding. The policy (classes, rules, limits) is one table, policy.go, from which documentation, response headers
// and lines of robots.txt are made.
//
// A client is an IPv4 address, or an IPv6 network of 64 bits. Its first refusal by a limit begins an episode, which ends
// after a window without one; an episode is one violation, however many requests it refused. Three within an hour are a
// ban, which grows with repetition. Reputation and the look of a bot lower a client's limits, but only after an episode, so
// that nobody is treated worse for a user agent alone. Search engines whose addresses prove them are never banned, nor are
// addresses behind which a proxy may stand that nobody declared.
//
// Everything has a fixed size. When tables are full, what was used the longest ago is forgotten; nothing that a request
// says is a key of anything that grows. Servers share what they know through a [Ledger]; without one, or when it is
// away, each goes on by itself. Of bans, lifts and switches the one that was ordered last stands on all servers, whoever hears of
// what first.
//
// Attempts to sign in are counted twice. [Guard.Decide] counts those of an address, on each server by itself, whatever becomes of
// the ledger. [Guard.Attempt], for who signs clients in and so knows the account, counts address and account on all servers together;
// while the ledger is away it lets through a server's share of the limit, at least one, and without a ledger all of it.
package guard
