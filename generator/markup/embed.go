package markup

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"freshet/internal/datauri"
	"freshet/internal/digest"
)

// A frame is a kind of page that may be shown within a body.
type frame struct {
	source string // for the Content-Security-Policy
	title  string // when the author gave none
	embed  func(u *url.URL) string
}

var (
	youtubeID = regexp.MustCompile(`^[A-Za-z0-9_-]{6,64}$`)
	digits    = regexp.MustCompile(`^[0-9]{1,20}$`)
	videoID   = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	spotifyID = regexp.MustCompile(`^/(?:embed/)?(track|album|playlist|episode|show|artist)/([A-Za-z0-9]{1,64})$`)
	codepenID = regexp.MustCompile(`^/([A-Za-z0-9_-]{1,64})/(?:pen|embed|embed/preview)/([A-Za-z0-9]{1,64})$`)
)

// frames are the sites whose pages may be embedded, each by an address that sets no cookies before it is played,
// where the site has one. Embed returns that address, or nothing when u is no such page.
var frames = []frame{
	{source: "https://www.youtube-nocookie.com", title: "YouTube video", embed: youtube},
	{source: "https://player.vimeo.com", title: "Vimeo video", embed: func(u *url.URL) string {
		id := u.Path
		switch host(u) {
		case "player.vimeo.com":
			id = strings.TrimPrefix(id, "/video")
		case "vimeo.com":
		default:
			return ""
		}
		id, key, _ := strings.Cut(strings.Trim(id, "/"), "/")
		if !digits.MatchString(id) {
			return ""
		}
		q := "dnt=1"
		if key == "" {
			key = u.Query().Get("h")
		}
		if key != "" && videoID.MatchString(key) {
			q += "&h=" + key
		}
		return "https://player.vimeo.com/video/" + id + "?" + q
	}},
	{source: "https://geo.dailymotion.com", title: "Dailymotion video", embed: func(u *url.URL) string {
		var id string
		switch host(u) {
		case "dailymotion.com":
			id = strings.TrimPrefix(strings.TrimPrefix(u.Path, "/embed"), "/video/")
		case "dai.ly":
			id = strings.TrimPrefix(u.Path, "/")
		case "geo.dailymotion.com":
			id = u.Query().Get("video")
		}
		if !videoID.MatchString(id) {
			return ""
		}
		return "https://geo.dailymotion.com/player.html?video=" + id
	}},
	{source: "https://open.spotify.com", title: "Spotify player", embed: func(u *url.URL) string {
		m := spotifyID.FindStringSubmatch(u.Path)
		if host(u) != "open.spotify.com" || m == nil {
			return ""
		}
		return "https://open.spotify.com/embed/" + m[1] + "/" + m[2]
	}},
	{source: "https://codepen.io", title: "CodePen", embed: func(u *url.URL) string {
		m := codepenID.FindStringSubmatch(u.Path)
		if host(u) != "codepen.io" || m == nil {
			return ""
		}
		return "https://codepen.io/" + m[1] + "/embed/" + m[2]
	}},
}

func host(u *url.URL) string { return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") }

func youtube(u *url.URL) string {
	q := u.Query()
	var id string
	switch strings.TrimPrefix(host(u), "m.") {
	case "youtu.be":
		id = strings.Trim(u.Path, "/")
	case "youtube.com", "youtube-nocookie.com", "music.youtube.com":
		dir, rest, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
		switch dir {
		case "watch":
			id = q.Get("v")
		case "embed", "v", "shorts", "live":
			id = rest
		case "playlist":
			id = "videoseries"
		}
	}
	if !youtubeID.MatchString(id) {
		return ""
	}
	out := "https://www.youtube-nocookie.com/embed/" + id
	sep := "?"
	if list := q.Get("list"); list != "" && youtubeID.MatchString(list) {
		out += sep + "list=" + list
		sep = "&"
	} else if id == "videoseries" {
		return ""
	}
	start := q.Get("start")
	if start == "" {
		start = q.Get("t")
	}
	if s := seconds(start); s > 0 {
		out += sep + "start=" + strconv.Itoa(s)
	}
	return out
}

// seconds reads 90, 90s and 1m30s; 0 when it cannot.
func seconds(s string) int {
	total, n := 0, 0
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9' && n < 1e6:
			n = n*10 + int(c-'0')
		case c == 'h':
			total, n = total+n*3600, 0
		case c == 'm':
			total, n = total+n*60, 0
		case c == 's':
			total, n = total+n, 0
		default:
			return 0
		}
	}
	return total + n
}

// FrameSources are the origins of which pages may be embedded, for frame-src in the Content-Security-Policy.
func FrameSources() []string {
	s := make([]string, len(frames))
	for i := range frames {
		s[i] = frames[i].source
	}
	return s
}

// embedded returns the address under which the page at raw is embedded, and what it is; ok tells whether it may be.
func embedded(raw string) (address, title string, ok bool) {
	if strings.HasPrefix(raw, "//") {
		raw = "https:" + raw
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return "", "", false
	}
	for i := range frames {
		if a := frames[i].embed(u); a != "" {
			return a, frames[i].title, true
		}
	}
	return "", "", false
}

// pictureTypes are the pictures that a body may hold as data: none that can hold a script.
var pictureTypes = []struct{ magic, at, mime string }{
	{"\x89PNG\r\n\x1a\n", "", "image/png"},
	{"\xff\xd8\xff", "", "image/jpeg"},
	{"GIF87a", "", "image/gif"},
	{"GIF89a", "", "image/gif"},
	{"RIFF", "WEBP", "image/webp"},
	{"", "ftypavif", "image/avif"},
	{"", "ftypavis", "image/avif"},
}

func isDataURI(src string) bool {
	src = strings.TrimLeft(src, " \t\n")
	return len(src) >= 5 && strings.EqualFold(src[:5], "data:")
}

func embeddedURL(i int) string { return "data:#" + strconv.Itoa(i) }

// embed keeps the picture of a data URI and returns its number plus one; 0 when it is none that may be shown.
func (w *writer) embed(src string) int {
	data, ok := dataURI(src)
	if ok {
		sum := digest.Bytes(data)
		if i := w.pictures[sum]; i > 0 && bytes.Equal(w.embedded[i-1].Data, data) {
			return i
		}
		if e, ok := pictureOf(data); ok {
			w.embedded = append(w.embedded, e)
			if w.pictures == nil {
				w.pictures = map[digest.Sum]int{}
			}
			w.pictures[sum] = len(w.embedded)
			return len(w.embedded)
		}
	}
	w.problem("data uri", "a picture held as data was dropped: it is no PNG, JPEG, GIF, WebP or AVIF picture",
		"store the picture in one of these formats, or as a file")
	return 0
}

func pictureOf(data []byte) (Embedded, bool) {
	for _, t := range pictureTypes {
		if !bytes.HasPrefix(data, []byte(t.magic)) {
			continue
		}
		if t.at != "" {
			off := 8
			if t.magic == "" {
				off = 4
			}
			if len(data) < off || !bytes.HasPrefix(data[off:], []byte(t.at)) {
				continue
			}
		}
		e := Embedded{Type: t.mime, Data: data}
		e.Width, e.Height, _ = datauri.Size(data)
		return e, true
	}
	return Embedded{}, false
}

// dataURI is the data of a data URI.
func dataURI(src string) ([]byte, bool) {
	meta, payload, ok := strings.Cut(src, ",")
	if !ok {
		return nil, false
	}
	if !strings.HasSuffix(strings.ToLower(strings.TrimSpace(meta)), ";base64") {
		s, err := url.PathUnescape(payload)
		return []byte(s), err == nil
	}
	if strings.Contains(payload, "%") {
		if p, err := url.PathUnescape(payload); err == nil {
			payload = p
		}
	}
	payload = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\n', '\r', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, payload)
	data, err := base64.RawStdEncoding.DecodeString(payload)
	return data, err == nil
}

// base64Bytes is how much of a text is base64 of data URIs.
func base64Bytes(text []byte) int {
	const marker = ";base64,"
	total := 0
	for {
		i := bytes.Index(text, []byte(marker))
		if i < 0 {
			return total
		}
		text = text[i+len(marker):]
		n := 0
		for n < len(text) {
			c := text[n]
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=' {
				n++
				continue
			}
			break
		}
		total += n
		text = text[n:]
	}
}
