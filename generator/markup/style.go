package markup

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"freshet/generator/markup/highlight"
)

// knownClasses are the classes that content may have; all others are dropped, so that no body can look like the
// site's own parts.
var knownClasses = map[string]bool{
	"align-left": true, "align-right": true, "align-center": true, "align-justify": true,
	"float-left": true, "float-right": true,
	"size-25": true, "size-33": true, "size-50": true, "size-66": true, "size-75": true, "size-100": true,
	"mark-yellow": true, "mark-green": true, "mark-blue": true, "mark-pink": true, "mark-red": true, "mark-orange": true,
	"mark-purple": true, "mark-grey": true,
	"text-red": true, "text-green": true, "text-blue": true, "text-orange": true, "text-purple": true, "text-grey": true,
	"alert": true, "alert-note": true, "alert-tip": true, "alert-important": true, "alert-warning": true,
	"alert-caution": true, "alert-title": true,
	"tasks": true, "task": true, "table-wrap": true, "embed": true, "image": true, "table": true,
	"footnotes": true, "footnote-ref": true, "footnote-backref": true,
}

// otherClasses are classes of editors and generators, and what they are here.
var otherClasses = map[string]string{
	"text-left": "align-left", "text-center": "align-center", "text-right": "align-right", "text-justify": "align-justify",
	"has-text-align-left": "align-left", "has-text-align-center": "align-center", "has-text-align-right": "align-right",
	"image-style-side": "float-right", "image-style-align-left": "float-left", "image-style-align-right": "float-right",
	"image-style-align-center": "align-center", "image-style-block-align-left": "align-left",
	"image-style-block-align-right": "align-right", "image_resized": "", "alignleft": "float-left",
	"alignright": "float-right", "aligncenter": "align-center",
	"ql-align-center": "align-center", "ql-align-right": "align-right", "ql-align-justify": "align-justify",
	"marker-yellow": "mark-yellow", "marker-green": "mark-green", "marker-pink": "mark-pink", "marker-blue": "mark-blue",
	"pen-red": "text-red", "pen-green": "text-green",
}

// contentClasses are those of a class attribute that content may have, in order, each once.
func contentClasses(class string) string {
	var keep []string
	for c := range strings.FieldsSeq(class) {
		if o, ok := otherClasses[c]; ok {
			c = o
		}
		if (knownClasses[c] || c != "" && strings.HasPrefix(c, "language-") && c == "language-"+highlight.Language(c[9:])) &&
			!slices.Contains(keep, c) {
			keep = append(keep, c)
		}
	}
	return strings.Join(keep, " ")
}

var langTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

func isLang(s string) bool { return langTag.MatchString(s) }

func isDir(s string) bool {
	return strings.EqualFold(s, "ltr") || strings.EqualFold(s, "rtl") || strings.EqualFold(s, "auto")
}

// parseStyle reads the declarations of a style attribute: names and values in lower case.
func parseStyle(s string) map[string]string {
	if s == "" {
		return nil
	}
	m := map[string]string{}
	for d := range strings.SplitSeq(s, ";") {
		k, v, ok := strings.Cut(d, ":")
		if !ok {
			continue
		}
		v = strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "!important")))
		m[strings.ToLower(strings.TrimSpace(k))] = v
	}
	return m
}

// classes are the classes of n: those it has, and those that its style and its presentational attributes ask for.
func (t *transform) classes(n *html.Node, style map[string]string) string {
	if len(n.Attr) == 0 && n.DataAtom != atom.Center {
		return ""
	}
	class := contentClasses(get(n, "class"))
	add := func(prefix, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			return
		}
		for c := range strings.FieldsSeq(class) {
			if strings.HasPrefix(c, prefix) {
				return
			}
		}
		class = strings.TrimSpace(class + " " + prefix + value)
	}
	alignment := func(v string) {
		switch v {
		case "start":
			v = "left"
		case "end":
			v = "right"
		case "middle":
			v = "center"
		}
		add("align-", v, "left", "right", "center", "justify")
	}
	switch n.DataAtom {
	case atom.Center:
		alignment("center")
	case atom.Img, atom.Figure, atom.Table:
		switch v := strings.ToLower(get(n, "align")); v {
		case "left", "right":
			add("float-", v, "left", "right")
		default:
			alignment(v)
		}
		if style["margin-left"] == "auto" && style["margin-right"] == "auto" {
			alignment("center")
		}
		add("size-", percentClass(style["width"]), "25", "33", "50", "66", "75", "100")
		if w := get(n, "width"); strings.HasSuffix(w, "%") {
			add("size-", percentClass(w), "25", "33", "50", "66", "75", "100")
		}
	default:
		alignment(strings.ToLower(get(n, "align")))
	}
	alignment(style["text-align"])
	add("float-", style["float"], "left", "right")
	switch n.DataAtom {
	case atom.Mark, atom.Span, atom.Font:
		background := style["background-color"]
		if background == "" {
			background = style["background"]
		}
		if background == "" && n.DataAtom == atom.Mark {
			background = get(n, "data-color")
		}
		add("mark-", hue(background, true), "yellow", "green", "blue", "pink", "red", "orange", "purple", "grey")
		color := style["color"]
		if color == "" {
			color = get(n, "color")
		}
		add("text-", hue(color, false), "red", "green", "blue", "orange", "purple", "grey")
	}
	return class
}

// percentClass is the nearest of the widths that there are classes for; empty when s is no percentage.
func percentClass(s string) string {
	p, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !ok {
		return ""
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
	if err != nil || f <= 0 || f > 1000 {
		return ""
	}
	best := 25
	for _, c := range []int{33, 50, 66, 75, 100} {
		if math.Abs(f-float64(c)) < math.Abs(f-float64(best)) {
			best = c
		}
	}
	return strconv.Itoa(best)
}

// emphasis turns a span that only looks emphasised into the element that says so.
func (t *transform) emphasis(n *html.Node, style map[string]string) {
	if n.DataAtom != atom.Span || style == nil {
		return
	}
	to := atom.Span
	weight, _ := strconv.Atoi(style["font-weight"])
	switch {
	case style["font-weight"] == "bold" || style["font-weight"] == "bolder" || weight >= 600:
		to = atom.Strong
	case style["font-style"] == "italic" || style["font-style"] == "oblique":
		to = atom.Em
	case strings.Contains(style["text-decoration"], "line-through"):
		to = atom.S
	case strings.Contains(style["text-decoration"], "underline"):
		to = atom.U
	}
	n.DataAtom, n.Data = to, to.String()
}

// negated reports whether the style of an element takes back what the element says: every paste from Google Docs stands in a
// b that is not bold.
func negated(n *html.Node, style map[string]string) bool {
	if style == nil {
		return false
	}
	switch n.DataAtom {
	case atom.B, atom.Strong:
		w := style["font-weight"]
		weight, err := strconv.Atoi(w)
		return w == "normal" || w == "lighter" || w == "initial" || w == "unset" || err == nil && weight < 600
	case atom.I, atom.Em:
		s := style["font-style"]
		return s == "normal" || s == "initial" || s == "unset"
	case atom.U, atom.S, atom.Strike, atom.Del, atom.Ins:
		for _, key := range [...]string{"text-decoration", "text-decoration-line"} {
			if d, _, _ := strings.Cut(style[key], " "); d == "none" || d == "initial" || d == "unset" {
				return true
			}
		}
	case atom.Sub, atom.Sup:
		return style["vertical-align"] == "baseline"
	case atom.Mark:
		b := style["background-color"]
		if b == "" {
			b = style["background"]
		}
		return b == "transparent" || b == "none" || b == "initial" || b == "unset"
	}
	return false
}

// namedColors are the CSS names that editors write.
var namedColors = map[string]string{
	"yellow": "yellow", "lime": "green", "green": "green", "blue": "blue", "cyan": "blue", "aqua": "blue", "pink": "pink",
	"magenta": "pink", "fuchsia": "pink", "red": "red", "orange": "orange", "purple": "purple", "violet": "purple",
	"grey": "grey", "gray": "grey", "gold": "yellow", "lightgreen": "green", "lightblue": "blue", "lightyellow": "yellow",
	"salmon": "red", "maroon": "red", "navy": "blue", "teal": "green", "olive": "green", "lightgrey": "grey",
	"lightgray": "grey", "silver": "grey", "crimson": "red", "darkred": "red", "darkgreen": "green", "darkblue": "blue",
}

// hue is the class of a colour; empty for none, for black, white and what is near the text's own colour.
func hue(color string, background bool) string {
	name := namedColors[color]
	if name == "" {
		r, g, b, ok := rgb(color)
		if !ok {
			return ""
		}
		name = hueOf(r, g, b, background)
	}
	if !background {
		switch name {
		case "yellow":
			return "orange"
		case "pink":
			return "purple"
		}
	}
	return name
}

func hueOf(r, g, b float64, background bool) string {
	hi, lo := max(r, g, b), min(r, g, b)
	light, chroma := (hi+lo)/2, hi-lo
	if chroma < 0.12 {
		if background && light < 0.97 && light > 0.6 || !background && light > 0.35 && light < 0.75 {
			return "grey"
		}
		return ""
	}
	var h float64
	switch hi {
	case r:
		h = math.Mod((g-b)/chroma+6, 6)
	case g:
		h = (b-r)/chroma + 2
	default:
		h = (r-g)/chroma + 4
	}
	switch h *= 60; {
	case h < 15 || h >= 345:
		if light > 0.75 {
			return "pink"
		}
		return "red"
	case h < 42:
		return "orange"
	case h < 70:
		return "yellow"
	case h < 170:
		return "green"
	case h < 255:
		return "blue"
	case h < 290:
		return "purple"
	}
	return "pink"
}

var (
	hexColor = regexp.MustCompile(`^#([0-9a-f]{3,8})$`)
	rgbColor = regexp.MustCompile(`^rgba?\(\s*([0-9.]+)\s*[, ]\s*([0-9.]+)\s*[, ]\s*([0-9.]+)`)
	hslColor = regexp.MustCompile(`^hsla?\(\s*([0-9.]+)(?:deg)?\s*[, ]\s*([0-9.]+)%\s*[, ]\s*([0-9.]+)%`)
)

// rgb reads #abc, #aabbcc, rgb() and hsl(); the parts are 0 to 1.
func rgb(s string) (r, g, b float64, ok bool) {
	if m := hexColor.FindStringSubmatch(s); m != nil {
		h := m[1]
		if len(h) < 6 {
			h = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
		}
		v, err := strconv.ParseUint(h[:6], 16, 32)
		return float64(v>>16) / 255, float64(v>>8&255) / 255, float64(v&255) / 255, err == nil
	}
	if m := rgbColor.FindStringSubmatch(s); m != nil {
		return number(m[1]) / 255, number(m[2]) / 255, number(m[3]) / 255, true
	}
	if m := hslColor.FindStringSubmatch(s); m != nil {
		h, sat, l := number(m[1])/60, number(m[2])/100, number(m[3])/100
		c := (1 - math.Abs(2*l-1)) * sat
		x := c * (1 - math.Abs(math.Mod(h, 2)-1))
		switch int(h) {
		case 0:
			r, g = c, x
		case 1:
			r, g = x, c
		case 2:
			g, b = c, x
		case 3:
			g, b = x, c
		case 4:
			r, b = x, c
		default:
			r, b = c, x
		}
		return r + l - c/2, g + l - c/2, b + l - c/2, true
	}
	return 0, 0, 0, false
}

func number(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64) // a wrong number is no colour, and no harm
	return f
}
