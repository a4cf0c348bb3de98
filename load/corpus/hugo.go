package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WriteHugo writes a Hugo site into dir that reads the content tree at content, an absolute path. Its templates make
// the pages that freshet makes, with the same metadata: posts with neighbours and a table of contents, lists of
// twelve, topics, authors, courses, RSS for each of them, a sitemap. Related posts, the search index, JSON feeds and
// llms.txt are left out, which is in Hugo's favour.
func WriteHugo(dir, content string, highlight bool) error {
	for name, text := range map[string]string{
		"hugo.toml":                   fmt.Sprintf(hugoSettings, content, highlight),
		"layouts/baseof.html":         hugoBase,
		"layouts/single.html":         hugoSingle,
		"layouts/list.html":           hugoList,
		"layouts/taxonomy.html":       hugoTaxonomy,
		"layouts/term.html":           hugoList,
		"layouts/home.html":           hugoHome,
		"layouts/404.html":            `{{ define "main" }}<h1>Not found</h1>{{ end }}`,
		"layouts/_partials/card.html": hugoCard,
	} {
		if err := write(dir, File{Name: name, Data: []byte(text)}); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(dir, "static"), 0o777)
}

// EditHugoTemplate changes what every page of the Hugo site at dir shows; n makes the edit different from others.
func EditHugoTemplate(dir string, n int) error {
	text := strings.Replace(hugoBase, "</footer>", fmt.Sprintf("<i hidden>%d</i></footer>", n), 1)
	if err := os.WriteFile(filepath.Join(dir, "layouts", "baseof.html"), []byte(text), 0o666); err != nil {
		return fmt.Errorf("edit template: %w", err)
	}
	return nil
}

const hugoSettings = `baseURL = "http://localhost:8080/"
title = "Freshet"
locale = "en"
contentDir = %q
enableRobotsTXT = true
disableKinds = []
timeout = "10m"

[taxonomies]
  tag = "tags"
  author = "author"

[permalinks.page]
  blog = "/blog/:slug/"

[pagination]
  pagerSize = 12

[services.rss]
  limit = 20

[outputs]
  home = ["html", "rss"]
  section = ["html", "rss"]
  taxonomy = ["html"]
  term = ["html", "rss"]

[markup.goldmark.renderer]
  unsafe = true

[markup.highlight]
  noClasses = false
  codeFences = %t
`

const hugoBase = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ if .IsHome }}{{ site.Title }}{{ else }}{{ .Title }} — {{ site.Title }}{{ end }}</title>
<meta name="description" content="{{ with .Description }}{{ . }}{{ else }}{{ site.Title }}{{ end }}">
<link rel="canonical" href="{{ .Permalink }}">
<meta property="og:title" content="{{ .Title }}">
<meta property="og:type" content="{{ if .IsPage }}article{{ else }}website{{ end }}">
<meta property="og:url" content="{{ .Permalink }}">
<meta property="og:description" content="{{ .Description }}">
<meta name="twitter:card" content="summary">
{{ if .IsPage }}<meta property="article:published_time" content="{{ .Date.Format "2006-01-02T15:04:05Z07:00" }}">
{{ range .Params.tags }}<meta property="article:tag" content="{{ . }}">
{{ end }}<script type="application/ld+json">{{ dict "@context" "https://schema.org" "@type" "BlogPosting" "headline" .Title "datePublished" (.Date.Format "2006-01-02T15:04:05Z07:00") "description" .Description "mainEntityOfPage" .Permalink | jsonify | safeJS }}</script>
{{ end }}{{ range .AlternativeOutputFormats }}<link rel="{{ .Rel }}" type="{{ .MediaType.Type }}" href="{{ .Permalink }}">
{{ end }}</head>
<body>
<header><a href="/">{{ site.Title }}</a>
<nav><a href="/blog/">Blog</a> <a href="/tags/">Topics</a> <a href="/courses/">Courses</a></nav></header>
<main>{{ block "main" . }}{{ end }}</main>
<footer><p>{{ site.Title }}</p></footer>
</body>
</html>
`

const hugoSingle = `{{ define "main" }}
<article>
<h1>{{ .Title }}</h1>
<p>{{ with .Params.author }}<a href="/author/{{ . | urlize }}/">{{ . }}</a>{{ end }}
<time datetime="{{ .Date.Format "2006-01-02" }}">{{ .Date.Format "2 January 2006" }}</time> · {{ .ReadingTime }} min</p>
{{ .TableOfContents }}
{{ .Content }}
<ul>{{ range .GetTerms "tags" }}<li><a href="{{ .RelPermalink }}">{{ .LinkTitle }}</a></li>{{ end }}</ul>
<nav>{{ with .PrevInSection }}<a rel="prev" href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }}
{{ with .NextInSection }}<a rel="next" href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }}</nav>
</article>
{{ end }}
`

const hugoCard = `<article><h2><a href="{{ .RelPermalink }}">{{ .Title }}</a></h2>
<p><time datetime="{{ .Date.Format "2006-01-02" }}">{{ .Date.Format "2 January 2006" }}</time> {{ with .Params.author }}{{ . }}{{ end }} · {{ .ReadingTime }} min</p>
<p>{{ .Description }}</p>
<p>{{ range .GetTerms "tags" }}<a href="{{ .RelPermalink }}">{{ .LinkTitle }}</a> {{ end }}</p></article>
`

const hugoList = `{{ define "main" }}
<h1>{{ .Title }}</h1>
{{ .Content }}
{{ $pages := .Pages }}{{ if eq .RelPermalink "/blog/" }}{{ $pages = .RegularPagesRecursive }}{{ else if eq .Section "courses" }}{{ $pages = .RegularPagesRecursive }}{{ if eq .RelPermalink "/courses/" }}{{ $pages = .Sections }}{{ end }}{{ end }}
{{ if and (eq .Section "courses") (ne .RelPermalink "/courses/") }}<ol>{{ range $pages.ByWeight }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ol>
{{ else }}{{ $p := .Paginate $pages }}{{ range $p.Pages }}{{ partial "card.html" . }}{{ end }}
<nav>{{ with $p.Prev }}<a href="{{ .URL }}">Newer</a>{{ end }} {{ with $p.Next }}<a href="{{ .URL }}">Older</a>{{ end }}</nav>{{ end }}
{{ end }}
`

const hugoTaxonomy = `{{ define "main" }}
<h1>{{ .Title }}</h1>
<ul>{{ range .Data.Terms.Alphabetical }}<li><a href="{{ .Page.RelPermalink }}">{{ .Page.Title }}</a></li>{{ end }}</ul>
{{ end }}
`

const hugoHome = `{{ define "main" }}
<h1>{{ site.Title }}</h1>
{{ range first 6 (where site.RegularPages "Section" "blog") }}{{ partial "card.html" . }}{{ end }}
<ul>{{ range first 6 (site.GetPage "/courses").Sections }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ul>
{{ end }}
`
