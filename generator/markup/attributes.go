package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// attributes leaves the attributes that the element may have, each in the form the allow-list wants.
func (t *transform) attributes(n *html.Node, class string) {
	old := n.Attr
	attrs := make([]html.Attribute, 0, len(old)+1)
	id, name := "", ""
	for _, a := range old {
		if a.Namespace != "" {
			continue
		}
		switch a.Key {
		case "id":
			id = contentID(a.Val)
		case "name":
			if n.DataAtom == atom.A {
				name = contentID(a.Val)
			}
		case "href":
			if n.DataAtom == atom.A {
				if u, c := cleanURL(a.Val); c != urlRefused && c != urlEmpty {
					attrs = append(attrs, html.Attribute{Key: "href", Val: u})
				} else if c == urlRefused {
					t.w.needles = []string{a.Val, "<a"}
					t.w.refused(a.Val)
				}
			}
		case "src":
			if n.DataAtom == atom.Img {
				attrs = append(attrs, t.picture(a.Val)...)
			}
		case "target":
			if n.DataAtom == atom.A && strings.EqualFold(strings.TrimSpace(a.Val), "_blank") {
				attrs = append(attrs, html.Attribute{Key: "target", Val: "_blank"})
			}
		case "rel":
			if v := relations(a.Val); v != "" {
				attrs = append(attrs, html.Attribute{Key: "rel", Val: v})
			}
		case "width", "height":
			if v := pixels(a.Val); v > 0 && n.DataAtom == atom.Img {
				attrs = append(attrs, html.Attribute{Key: a.Key, Val: strconv.Itoa(v)})
			} else if n.DataAtom == atom.Col && a.Key == "width" && !hasAttr(n, "style") {
				attrs = append(attrs, columnWidth(a.Val)...)
			}
		case "dir":
			attrs = append(attrs, html.Attribute{Key: "dir", Val: strings.ToLower(strings.TrimSpace(a.Val))})
		case "style":
			if n.DataAtom == atom.Col {
				attrs = append(attrs, columnWidth(parseStyle(a.Val)["width"])...)
			}
		case "class", "align", "bgcolor", "color", "data-embedded", "loading", "decoding", "srcset", "sizes", "tabindex":
		case "data-src":
			if n.DataAtom == atom.Img && !hasAttr(n, "src") {
				attrs = append(attrs, t.picture(a.Val)...)
			}
		default:
			attrs = append(attrs, a)
		}
	}
	if id == "" {
		id = name
	}
	if id != "" {
		attrs = append(attrs, html.Attribute{Key: "id", Val: id})
	}
	if class != "" {
		attrs = append(attrs, html.Attribute{Key: "class", Val: class})
	}
	if e := get(n, "data-embedded"); e != "" && n.DataAtom == atom.Img && t.known(e) {
		attrs = append(attrs, html.Attribute{Key: "data-embedded", Val: e})
	}
	n.Attr = attrs
}

// columnWidth is the attribute for the width of a table's column: a share of the table, or pixels.
func columnWidth(s string) []html.Attribute {
	s = strings.TrimSpace(s)
	unit := ""
	number := strings.TrimSuffix(s, "px")
	if strings.HasSuffix(s, "%") {
		unit, number = "%", strings.TrimSuffix(s, "%")
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(f >= 1) || f > 2000 || unit != "" && f > 100 {
		return nil
	}
	return []html.Attribute{{Key: "width", Val: strconv.Itoa(int(f)) + unit}}
}

// known reports whether a picture's number is one that an earlier round gave.
func (t *transform) known(number string) bool {
	i, err := strconv.Atoi(number)
	return err == nil && i > 0 && i <= t.w.known
}

// picture is the attribute for a picture's address.
func (t *transform) picture(src string) []html.Attribute {
	if isDataURI(src) {
		if i := t.w.embed(src); i > 0 {
			return []html.Attribute{{Key: "data-embedded", Val: strconv.Itoa(i)}}
		}
		return nil
	}
	u, c := cleanURL(src)
	switch {
	case c == urlRelative, c == urlAbsolute && !strings.HasPrefix(u, "mailto:") && !strings.HasPrefix(u, "tel:"):
		return []html.Attribute{{Key: "src", Val: u}}
	case c == urlRefused || c == urlAbsolute:
		t.w.needles = []string{src, "<img"}
		t.w.refused(src)
	}
	return nil
}

// relations are the link types that say something to readers or search engines.
func relations(s string) string {
	var keep []string
	for r := range strings.FieldsSeq(strings.ToLower(s)) {
		switch r {
		case "nofollow", "ugc", "sponsored", "noopener", "noreferrer", "license", "author", "external", "me", "tag":
			keep = append(keep, r)
		}
	}
	return strings.Join(keep, " ")
}

// pixels is a length attribute in pixels; 0: none, or of the width available.
func pixels(s string) int {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "px")
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 1 && f <= 10000 {
		return int(f)
	}
	return 0
}
