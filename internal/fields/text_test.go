package fields_test

import (
	"testing"

	"freshet/internal/fields"
)

func TestCharacters(t *testing.T) {
	for s, want := range map[string]string{
		"Tom &amp; Jerry&#39;s": "Tom & Jerry's", "AT&T; R&D": "AT&T; R&D", "About `&amp;`": "About `&amp;`", "&amp;lt;": "&lt;", "plain": "plain", "caf&eacute;": "café",
	} {
		if got := fields.Characters(s); got != want {
			t.Errorf("Characters(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestPlainText(t *testing.T) {
	for s, want := range map[string]string{
		"":      "",
		"Plain": "Plain",
		" Open\n <b>today</b> &amp; <a href=\"/x\">tomorrow</a> ": "Open today & tomorrow",
		"<p>One</p><p>Two<br>lines</p>":                           "One\nTwo lines",
		"a<b":                                                     "a",
		"a < b":                                                   "a < b",
		"<script>x()</script>a<style>b{}</style><!-- c -->": "a",
		"<svg><text>a</text></svg>b<svg/>c":                 "b\nc",
		"<script>x()":                                       "",
		"<ul><li>a</li><li>b</li></ul>":                     "a\nb",
		"&lt;b&gt;":                                         "<b>",
	} {
		if got := fields.PlainText(s); got != want {
			t.Errorf("PlainText(%q) = %q, want %q", s, got, want)
		}
	}
}
