// Package publictree keeps the newest generation of a page log as ordinary files, for web servers and hosts that serve a folder.
//
// [Tree.Sync] brings the folder up to a generation after that was committed. It changes only files that differ. Every file is
// whole at any time, and a page changes after the files that it links to. The files are not synced one by one: a marker in the
// tree names the generation and the boot of the machine. After a crash of the machine, Sync compares every file.
//
// A file may have compressed forms beside it (index.html.br), for web servers that send those as they are. A form never belongs to
// another version of the file beside it.
//
// Files that freshet did not write stay as they are. If one has the name of a page, that page has no file, and Sync returns a
// [*ForeignError] after it has done everything else.
//
// The package works on Unix systems.
package publictree
