// Package shortcodes turns the template syntax of other tools (Hugo and Zola shortcodes, Liquid, Go template actions,
// kramdown's attribute lists, directives, MDX) into Markdown or HTML.
package shortcodes
