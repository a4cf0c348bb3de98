// Package markup turns bodies (Markdown, stored HTML, TipTap/ProseMirror JSON) into one form: safe HTML with its
// headings, and slots for what depends on other documents.
package markup

// Heading is a heading of a body, for the table of contents. ID is the id attribute it has in the HTML.
type Heading struct {
	Level int // 2 to 6
	ID    string
	Text  string
}
