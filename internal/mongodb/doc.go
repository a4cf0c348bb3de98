// Package mongodb reads a site's documents from MongoDB, and is the only package that speaks to it.
//
// A [DB] is one client with its pool. Every command goes through one gate: the circuit breaker says whether it may go
// at all, it has a deadline of its class (blog, list, aggregate), which is also sent to the server as maxTimeMS, and
// a read that a dying connection or a changing replica set has cut is tried once more within that deadline. Ten
// failures within a minute open the breaker; half a minute later, or as soon as a server that could not be reached or
// hung answers again, one command may try, and its success closes it. One may also try as soon as a server answers a
// heartbeat after the breaker has opened, since what opened it may have been over by then. Only what says that the server is unwell counts:
// time-outs, network errors, a server that is shutting down or is no longer primary. A document that is not there, a
// duplicate key, a caller that went away do not.
//
// A [Source] makes [site.Document]s of the collections blogs and courses, and of the settings documents that pages
// show. A scan is whole or it is an error: a cursor that dies half-way, a time-out, or fewer documents than a census of
// their ids has counted report nothing, so that what could not be read is never taken for gone.
//
// A [Feed] tells which documents change: by change streams, whose history is never given up without a look at
// everything, or by polls and censuses of a server that has none.
//
// What goes wrong is an [Error]: one line that names the setting and the remedy. No error, log line or value of this
// package shows the user, the password or the options of the URI. Errors of servers are told apart by their codes
// only, because their texts differ between MongoDB and what is compatible with it.
package mongodb
