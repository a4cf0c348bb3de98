package highlight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
)

// A Colour is how a group of tokens looks on light and on dark pages. All colours have a contrast of at least 4.5
// against the backgrounds they stand on.
type Colour struct {
	Name        string // of the CSS variable, after "--code-"
	Light, Dark string // #rrggbb
	// LightOn and DarkOn are backgrounds of their own; empty: the block's.
	LightOn, DarkOn string
	types           []chroma.TokenType
	style           string // declarations besides the colour
}

// Backgrounds of code blocks for which the colours are made: any page whose blocks are no darker (light) and no
// lighter (dark) than these keeps the contrast.
const (
	LightBackground = "#eff3f3"
	DarkBackground  = "#1f2a30"
)

// Text on these backgrounds.
const (
	lightText = "#1f2328"
	darkText  = "#e6edf3"
)

// Palette returns the groups of tokens that have a colour. A type that is in no group looks like the one it is a
// kind of, and like text when none of these is.
func Palette() []Colour {
	return []Colour{
		{Name: "comment", Light: "#57606a", Dark: "#9aa5b1", types: []chroma.TokenType{chroma.Comment}, style: "font-style:italic"},
		{Name: "directive", Light: "#57606a", Dark: "#9aa5b1", types: []chroma.TokenType{chroma.CommentPreproc}},
		{Name: "keyword", Light: "#b31d28", Dark: "#ff8a80", types: []chroma.TokenType{chroma.Keyword, chroma.OperatorWord}},
		{Name: "type", Light: "#8a4600", Dark: "#ffb070", types: []chroma.TokenType{
			chroma.KeywordType, chroma.NameClass, chroma.NameException, chroma.NameNamespace}},
		{Name: "function", Light: "#5b33a8", Dark: "#d2b0ff", types: []chroma.TokenType{
			chroma.NameFunction, chroma.NameDecorator, chroma.NameBuiltin}},
		{Name: "name", Light: "#14543f", Dark: "#7ee0b0", types: []chroma.TokenType{
			chroma.NameTag, chroma.NameEntity, chroma.NameLabel, chroma.NameProperty}},
		{Name: "variable", Light: "#7a3b00", Dark: "#f0bd86", types: []chroma.TokenType{chroma.NameVariable, chroma.NameAttribute}},
		{Name: "constant", Light: "#0a4a9e", Dark: "#8cc4ff", types: []chroma.TokenType{
			chroma.Literal, chroma.NameConstant, chroma.KeywordConstant}},
		{Name: "string", Light: "#0a3f75", Dark: "#a8d4ff", types: []chroma.TokenType{chroma.LiteralString}},
		{Name: "escape", Light: "#0b5c5c", Dark: "#7fdbe0", types: []chroma.TokenType{
			chroma.LiteralStringEscape, chroma.LiteralStringInterpol, chroma.LiteralStringRegex}},
		{Name: "operator", Light: "#3f4c57", Dark: "#b9c6d0", types: []chroma.TokenType{chroma.Operator}},
		{Name: "error", Light: "#a01020", Dark: "#ffa8a0", types: []chroma.TokenType{
			chroma.Error, chroma.GenericError, chroma.GenericTraceback}},
		{Name: "prompt", Light: "#57606a", Dark: "#9aa5b1", types: []chroma.TokenType{chroma.GenericPrompt}, style: "user-select:none"},
		{Name: "output", Light: "#3f4c57", Dark: "#b9c6d0", types: []chroma.TokenType{chroma.GenericOutput}},
		{Name: "heading", Light: "#0a4a9e", Dark: "#8cc4ff", types: []chroma.TokenType{
			chroma.GenericHeading, chroma.GenericSubheading}, style: "font-weight:700"},
		{Name: "deleted", Light: "#82071e", Dark: "#ffc2bb", LightOn: "#ffebe9", DarkOn: "#5c1a1e", types: []chroma.TokenType{
			chroma.GenericDeleted}},
		{Name: "inserted", Light: "#0f5323", Dark: "#b4f1c0", LightOn: "#dafbe1", DarkOn: "#12401f", types: []chroma.TokenType{
			chroma.GenericInserted}},
		{Name: "emphasis", Light: lightText, Dark: darkText, types: []chroma.TokenType{chroma.GenericEmph}, style: "font-style:italic"},
		{Name: "strong", Light: lightText, Dark: darkText, types: []chroma.TokenType{chroma.GenericStrong}, style: "font-weight:700"},
		{Name: "underline", Light: lightText, Dark: darkText, types: []chroma.TokenType{
			chroma.GenericUnderline}, style: "text-decoration:underline"},
	}
}

// CSS is the style sheet of code blocks for light and dark pages: dark by the reader's system, unless data-theme on
// the root element says light, and whenever it says dark.
func CSS() string {
	palette := Palette()
	group := map[chroma.TokenType]int{}
	for i := range palette {
		for _, t := range palette[i].types {
			group[t] = i
		}
	}
	var b strings.Builder
	variables := func(dark bool) string {
		var v strings.Builder
		text, on := lightText, LightBackground
		if dark {
			text, on = darkText, DarkBackground
		}
		fmt.Fprintf(&v, "--code-text:%s;--code-ground:%s", text, on)
		for i := range palette {
			c := &palette[i]
			colour, on := c.Light, c.LightOn
			if dark {
				colour, on = c.Dark, c.DarkOn
			}
			fmt.Fprintf(&v, ";--code-%s:%s", c.Name, colour)
			if on != "" {
				fmt.Fprintf(&v, ";--code-%s-ground:%s", c.Name, on)
			}
		}
		return v.String()
	}
	fmt.Fprintf(&b, ":root{%s}\n", variables(false))
	fmt.Fprintf(&b, "@media (prefers-color-scheme:dark){:root:not([data-theme=light]){%s}}\n", variables(true))
	fmt.Fprintf(&b, ":root[data-theme=dark]{%s}\n", variables(true))
	b.WriteString(":where(.chroma){background:var(--code-ground);overflow-x:auto;tab-size:4}\n.chroma{color:var(--code-text)}\n")
	selectors := make([][]string, len(palette))
	done := map[string]bool{}
	for t, class := range classTable.types {
		if i, ok := groupOf(group, t); ok && chroma.StandardTypes[t] == class && !done[class] {
			done[class] = true
			selectors[i] = append(selectors[i], ".chroma ."+class)
		}
	}
	if i, ok := group[chroma.Error]; ok {
		selectors[i] = append(selectors[i], ".chroma ."+errorClass)
	}
	for i := range palette {
		c := &palette[i]
		if len(selectors[i]) == 0 {
			continue
		}
		slices.Sort(selectors[i])
		fmt.Fprintf(&b, "%s{color:var(--code-%s)", strings.Join(selectors[i], ","), c.Name)
		if c.LightOn != "" {
			fmt.Fprintf(&b, ";background:var(--code-%s-ground)", c.Name)
		}
		if c.style != "" {
			b.WriteString(";" + c.style)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// groupOf is the group of a type, or of the type it is a kind of.
func groupOf(group map[chroma.TokenType]int, t chroma.TokenType) (int, bool) {
	for ; t > 0; t = t.Parent() {
		if i, ok := group[t]; ok {
			return i, true
		}
	}
	return 0, false
}
