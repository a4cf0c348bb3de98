package markup

import (
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// players are the elements that play files of the site itself, by the ending of their names.
var players = map[string]string{
	".mp4": "video", ".m4v": "video", ".webm": "video", ".ogv": "video", ".mov": "video",
	".mp3": "audio", ".m4a": "audio", ".aac": "audio", ".ogg": "audio", ".oga": "audio", ".opus": "audio", ".wav": "audio", ".flac": "audio",
}

// playerOf returns the element that plays what is at an address: video or audio; empty: it is neither.
func playerOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return players[strings.ToLower(path.Ext(u.Path))]
}

// player writes a player. It starts only when its reader wants it to.
func (w *writer) player(name string, ref Ref, im img) {
	w.raw("<" + name)
	w.slot(ref)
	w.raw(` controls="" preload="metadata"`)
	label := im.alt
	if isBlank(label) {
		label = im.title
	}
	if !isBlank(label) {
		w.attr("aria-label", label)
	}
	w.attr("id", w.takeID(im.id))
	w.attr("class", im.class)
	w.raw("></" + name + ">")
}

// play replaces a video or audio element by a picture of the same address, which the writer makes a player. It reports
// whether the address is that of a file of the site itself.
func (t *transform) play(n *html.Node, src, title string) bool {
	address, class := cleanURL(src)
	if class != urlRelative || playerOf(address) == "" {
		return false
	}
	img := element(atom.Img, "src", src, "alt", strings.TrimSpace(title))
	for _, key := range [...]string{"width", "height", "id"} {
		if v := get(n, key); v != "" && (n.DataAtom == atom.Video || key == "id") {
			img.Attr = append(img.Attr, html.Attribute{Key: key, Val: v})
		}
	}
	replace(n, img)
	return true
}
