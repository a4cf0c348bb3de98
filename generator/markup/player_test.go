package markup_test

import (
	"strings"
	"testing"

	"freshet/generator/markup"
	"freshet/internal/site"
)

// TestPlayers: files of the site that browsers play become players, written in whatever form; nothing starts by itself, and
// what is elsewhere stays a link.
func TestPlayers(t *testing.T) {
	for _, test := range []struct {
		format     site.Format
		body, want string
	}{
		{site.Markdown, "![The weir](weir.MP4 \"A weir\")", `<video controls="" preload="metadata" aria-label="The weir"></video>`},
		{site.Markdown, "![](/talk.mp3?v=2)", `<audio controls="" preload="metadata"></audio>`},
		{site.Markdown, `<video src="a/b.webm" autoplay onplay="x()" title="Clip"></video>`, `<video controls="" preload="metadata" aria-label="Clip"></video>`},
		{site.HTML, `<p>a</p><video controls><source src="../c.mp4" type="video/mp4">old browser</video>`, `<video controls="" preload="metadata"></video>`},
		{site.HTML, `<audio src="s.opus" loop></audio>`, `<audio controls="" preload="metadata"></audio>`},
		{site.HTML, `<iframe src="/clip.ogv"></iframe>`, `<video controls="" preload="metadata"></video>`},
		{site.HTML, `<video src="https://other.example/c.mp4"></video>`, `<a href="https://other.example/c.mp4"`},
		{site.HTML, `<audio src="/stream"></audio>`, `<a`},
		{site.Markdown, "![p](pic.png)", `<img alt="p"`},
	} {
		got := string(render(t, markup.Input{Format: test.format, Body: site.Body{Text: []byte(test.body), Line: 1}}).HTML)
		if !strings.Contains(got, test.want) || strings.Contains(got, "autoplay") || strings.Contains(got, "onplay") {
			t.Errorf("%s\n is  %s\nwant %s", test.body, got, test.want)
		}
	}
}
