package site

import (
	"time"

	"freshet/internal/digest"
)

// A Kind says what a page is. It decides the order in which files change in the public tree.
type Kind uint8

// Kinds in the order in which public files change: what others link to comes first.
const (
	KindAsset    Kind = iota + 1 // hashed assets and files published as they are
	KindPage                     // posts, courses, lessons, pages
	KindList                     // home, lists, topics, authors, search
	KindFeed                     // feeds, sitemap, robots, llms.txt
	KindRedirect                 // 301 and 410: no file of their own
	KindHidden                   // served by freshet, but not in the public tree
)

// A DocRef is a document at a revision.
type DocRef struct {
	ID       ID
	Revision Revision
}

// An ObjectRef finds an object, a page's bytes, in the page log.
type ObjectRef struct {
	ID     digest.Sum // names the bytes: its hexadecimal form is their ETag
	Offset int64
	Size   int64
}

// An Entry is what one generation has at one path.
type Entry struct {
	Path        Path
	Kind        Kind
	Status      int       // 200, 301, 308 or 410
	Object      ObjectRef // of a 200
	Type        string    // content type
	Location    string    // of a redirect
	Keys        []string  // for explain and CDN purge: blog:<slug>, tag:<tag>, list:blog …
	Template    string    // entry template or built-in writer
	Fingerprint digest.Sum
	Cause       string     // why it was rendered
	Origin      string     // who asked for that; kept in the page log and not in memory
	Generation  uint64     // in which it was last changed
	Changed     time.Time  // when that was committed, whole seconds
	Remembered  time.Time  // not zero: a memory of a page that was here, and since when
	Source      digest.Sum // what its document says, whatever its name: finds where the content moved to; 0: nothing to find
	Doc         ID         // the document whose own page this is; empty for lists and assets
}
