// Package pagestore keeps what the generator made in the page log: objects (the bytes of pages) and generations (which object
// is at which path).
//
// The page log is one append-only file in the state folder, a segment; docs/formats/page-log.md is its format.
// One process writes it ([OpenWriter] takes a lock), any number read it ([OpenReader]). A [Batch] appends objects
// while pages are rendered; its Commit appends the entries and one commit record, and syncs once. A commit is the
// only thing that makes a [Generation], so:
//
//   - A generation is there whole or not at all, whenever the process or the machine stops.
//   - What a failed or abandoned batch wrote is cut off again, by it or by the next writer; the last generation stays.
//   - A Generation never changes and goes on working for as long as somebody holds it, also when the log is compacted
//     underneath it or its writer is closed.
//   - [Generation.Object] returns the bytes that were committed or an error, never other bytes: every record has a
//     checksum. Damage in what was committed is an error that names the file and the place; it is never repaired by
//     forgetting generations silently, and no generation's number is given to another one.
//
// Damage is mended where it can be. A damaged object is named by [Writer.Distrusted] until a batch has kept its bytes anew;
// a batch never takes one for what it was given. A log whose entries, commits or header are damaged is written anew by
// the next writer, with all that can be read of it, as a generation of its own that says so; the damaged file is put aside.
// A log that somebody removes while a writer has it open is written anew by the next commit.
//
// Not promised: that a reader never sees a generation that a failing disk then takes back. Readers in other
// processes accept a commit when they can read it, which may be moments before it is known to be on the disk.
//
// Compaction writes a new segment that holds only the kept generations and what they need, and replaces the old one
// by it; readers move over by themselves.
//
// The package works on Unix systems.
package pagestore
