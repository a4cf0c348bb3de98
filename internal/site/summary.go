package site

// A Summary is what lists say of a body. The page's renderer makes it, so that it says what the page says.
type Summary struct {
	Heading string // the first heading of the first level, else the first heading: the title of a document without another
	Excerpt string // the beginning as plain text: what the author marks, else the first paragraph that says something
	Minutes int    // reading time, rounded up; code is not read
}
