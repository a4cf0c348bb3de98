// Package templates is the built-in theme: the templates of every page and the assets they load.
//
// An entry template (post.html, list.html …) is executed under its own name. It calls layout.html, which holds the
// frame of all pages and calls "main", which every entry defines; an entry may define "head" too, for links that only
// its page needs. The parts live in partials/ and are called by their file name, so that replacing one file is enough
// for one wish: partials/mark.html is the logo, partials/card.html a post in a list, partials/footer.html the foot.
//
// Templates use html/template's functions and
//
//	date t      "2 January 2006"
//	isodate t   RFC 3339
//	dict k v …  a map, to hand several values to a partial
//	initials s  the first letters of a name's first and last words, upper case
//	join l s    strings.Join
//
// All that a page shows comes from its view (package generator/plan). Pages hold no inline script and no inline
// style; the ids they use begin with "fs-", so that they never meet an id of the content.
package templates

import "embed"

// FS holds the theme: *.html, partials/*.html and assets/*.
//
//go:embed *.html partials/*.html assets/*
var FS embed.FS
