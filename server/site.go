package server

import (
	"io"

	"freshet/internal/site"
)

// A Generation is one consistent site: what the server answers one request from. It is immutable, or, like a plain
// folder, as good as that. The server asks it twice for a page: what is at the path, and, if that is not in memory,
// the bytes.
type Generation interface {
	// Lookup finds what is at a path. The entry is not changed by the server, nor by anybody later.
	Lookup(site.Path) (*site.Entry, bool)
	// Object reads the bytes of a 200 entry. They are not changed by the server, nor by anybody later. The error is
	// [site.ErrChanged] when Lookup would now answer otherwise.
	Object(site.ObjectRef) ([]byte, error)
	// Number tells generations apart; 0: there is only one, and answers do not tell it.
	Number() uint64
}

// A Site is where generations come from.
type Site interface {
	// Current returns the newest generation; nil, and not an interface around a nil pointer, while there is none.
	Current() Generation
}

// A Pinner is a Generation that knows whether the site was rolled back to it and stays there.
type Pinner interface{ Pinned() bool }

// An Opener is a Generation that may hold objects too big for memory, which the server then streams.
type Opener interface {
	Open(site.ObjectRef) (io.ReadSeekCloser, error)
}

// A Changing is a Generation of number 0 whose pages change.
type Changing interface {
	// Settled reports whether Lookup would give an entry for its path as it did, and has for a while: then it is looked up once a second
	// at most.
	Settled(*site.Entry) bool
}

// notFoundPath is where a site keeps the page that says there is no such page.
const notFoundPath site.Path = "/404.html"
