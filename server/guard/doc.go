// Package guard judges requests. It turns plain facts into a verdict, from memory, without waiting.
//
// The rules apply in a fixed order. Health checks pass. Addresses of the allow list are subject only to high-traffic
// mode and load shedding. Then come bans, the blocklist, the kill switch, bots, the limit of the request's class, the
// limit of its fingerprint, high-traffic mode and load shedding. One table, policy.go, defines classes, rules and
// limits. Documentation, response headers and robots.txt are generated from it.
//
// A client is an IPv4 address or an IPv6 /64 network. When a limit first refuses a client, an episode begins. It ends
// after a window without a refusal. One episode is one violation, however many requests it refuses. Three violations
// within an hour cause a ban, and repeated bans last longer. Bad reputation and bot-like requests lower a client's
// limits, but only after an episode: a user agent alone never causes worse treatment. The guard never bans a verified
// search engine, nor an address that may be an undeclared proxy.
//
// All tables have a fixed size. A full table forgets the entry that was not used for the longest time. No part of a
// request becomes a key of something that grows. Servers share their knowledge through a [Ledger]. Without one, or
// while it is away, each server decides alone. Of several bans, lifts or switches, the one that was ordered last
// applies on all servers, in whatever order they hear of them.
//
// Sign-in attempts are counted twice. [Guard.Decide] counts them by address on each server, with or without the ledger.
// [Guard.Attempt] is for the code that signs clients in and therefore knows the account: it counts address and account
// on all servers together. While the ledger is away, it allows this server's share of the limit, at least one attempt.
// If there is no ledger, it allows the whole limit.
package guard
