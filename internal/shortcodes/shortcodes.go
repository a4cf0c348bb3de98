package shortcodes

import (
	"html"
	"net/url"
	"strconv"
	"strings"

	"freshet/internal/diag"
)

// known translates the tags that the tools bring along or that most themes have.
func (t *translator) known(n *node, before string) (string, bool) {
	if n.closes() {
		return "", false
	}
	if n.syntax == directive && !n.self {
		return t.textDirective(n)
	}
	switch name := n.base(); name {
	case "youtube", "youtube-lite", "youtubelite", "youtube-embed":
		id := n.get(0, "id", "video", "videoId", "v", "url", "src")
		if u, err := url.Parse(id); err == nil && u.Host != "" {
			return media(id), true
		}
		if id = strings.Trim(id, "/"); id != "" {
			return media("https://www.youtube.com/watch?v=" + url.QueryEscape(id)), true
		}
	case "vimeo", "vimeo-simple":
		if id := n.get(0, "id", "video"); id != "" {
			return media("https://vimeo.com/" + url.PathEscape(strings.TrimPrefix(id, "https://vimeo.com/"))), true
		}
	case "iframe", "embed":
		if u := n.get(0, "src", "url", "href"); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "//") {
			return media("https:" + strings.TrimPrefix(u, "https:")), true
		}
	case "tweet", "twitter", "x", "tweet-simple", "twitter-simple", "x-simple":
		id, user := n.get(0, "id", "url"), n.get(-1, "user")
		if strings.Contains(id, "/") {
			return n.link(mdText(id), id), true
		}
		if user == "" && n.get(1) != "" {
			user, id = id, n.get(1)
		}
		if id != "" && strings.Trim(id, "0123456789") == "" {
			if user == "" {
				user = "i/web"
			}
			u := "https://x.com/" + user + "/status/" + url.PathEscape(id)
			return n.link(mdText(u), u), true
		}
	case "instagram", "instagram-simple":
		if id := n.get(0, "id"); id != "" {
			u := "https://www.instagram.com/p/" + url.PathEscape(id) + "/"
			return n.link(mdText(u), u), true
		}
	case "gist":
		u := n.get(-1, "url")
		if u == "" {
			if id := n.get(1, "id"); id != "" {
				u = "https://gist.github.com/" + n.get(0, "user") + "/" + id
			} else if id := n.get(0); id != "" {
				u = "https://gist.github.com/" + id
			}
		}
		if u != "" {
			return n.link(mdText(u), u), true
		}
	case "figure", "image", "img", "picture", "imgproc", "resize-image", "fig", "responsive-image", "lazyimg", "screenshot", "blogimage", "zoom":
		return t.figure(n, before)
	case "video", "audio":
		if src := n.get(0, "src", "url", "file", "mp4", "webm"); src != "" {
			return "<" + name + ` controls src="` + attr(src) + `"></` + name + ">", true
		}
	case "ref", "relref":
		if p := n.get(0, "path", "name", "url"); p != "" {
			return reference(p), true
		}
	case "static-ref", "siteurl", "relurl", "absurl", "rel-url", "url-for", "get-url":
		if p := n.get(0, "path", "name", "url"); p != "" {
			return strings.TrimPrefix(p, "@"), true
		}
	case "param", "meta", "page-param":
		key := n.get(0, "name", "key")
		if v, ok := t.value(key); ok {
			return v, true
		}
		t.dropped("Hugo parameter \""+key+"\"", n.start, "write the value itself, or set it in this file's front matter")
		return "", true
	case "comment", "hide", "todo", "hidden":
		return "", n.paired || n.self
	case "toc", "table-of-contents", "tableofcontents":
		return "", true
	case "highlight", "code", "codeblock", "code-block", "prism", "command", "console", "terminal", "sourcecode":
		if n.paired && n.syntax != directive {
			lang := n.get(0, "lang", "language", "type")
			if n.syntax == fencedDiv {
				lang = ""
			}
			return t.codeFence(n, lang, before), true
		}
	case "mermaid", "plantuml", "graphviz", "dot":
		if n.paired && n.syntax != directive {
			return t.codeFence(n, name, before), true
		}
	case "details", "expand", "collapse", "collapsible", "spoiler", "accordion", "accordion-item", "toggle", "dropdown", "solution", "hint-box", "discussion":
		if n.paired {
			sum := n.get(0, "summary", "title", "header", "label")
			if sum == "" || n.syntax != fencedDiv && sum == "true" {
				sum = titled(name)
			}
			return t.details(n, sum, before), true
		}
	case "tab", "tabitem", "tab-item", "codetab", "tabbed", "step":
		if n.paired {
			return t.tab(n, before), true
		}
	case "quote", "blockquote", "epigraph", "pullquote":
		if n.paired {
			return t.quote(n, "", n.get(-1, "author", "source", "cite"), before), true
		}
	case "button", "btn", "link-button", "linkbutton", "cta", "link", "a", "external-link", "extlink":
		href := n.get(-1, "href", "url", "link", "to", "relref")
		if href == "" {
			href = n.get(0)
		}
		if href == "" {
			break
		}
		label := n.get(-1, "text", "label", "title", "content")
		if n.paired {
			if in := strings.TrimSpace(t.inner(n.inner)); in != "" {
				label = in
			}
		}
		if label == "" {
			label = href
		}
		if strings.Contains(label, "\n\n") {
			return label + "\n\n[" + mdText(href) + "](" + mdURL(href) + ")", true
		}
		return n.link(label, href), true
	case "kbd", "mark", "sub", "sup", "small", "abbr", "u", "del", "ins", "em", "strong", "q":
		in := n.get(0)
		if n.paired {
			in = t.inner(n.inner)
		}
		return "<" + name + ">" + in + "</" + name + ">", in != "" || n.paired
	case "br", "newline", "linebreak":
		return "<br>", true
	case "hr", "divider":
		if n.place != inText {
			return "<hr>", true
		}
		return "\n---\n", true
	case "katex", "math", "latex":
		if n.paired {
			return "$$" + t.inner(n.inner) + "$$", true
		}
	case "tabpane", "tabs", "tab-pane", "code-tabs", "codetabs", "steps", "columns", "column", "col", "row", "cards", "cardpane", "card-group", "grid", "center", "centered",
		"rawhtml", "raw-html", "html", "unsafe", "raw", "md", "markdown", "markdownify", "div", "section", "block", "blocks", "content", "panel-group",
		"accordion-group", "codegroup", "code-group", "filetree", "group-tab", "instructor", "fragment":
		if n.paired {
			lines := strings.Count(t.src[n.start:n.end], "\n")
			return strings.Repeat("\n", lines) + t.inner(n.inner), true
		}
	case "challenge", "exercise", "exercises", "activity", "testimonial", "overview":
		// Their content brings its own heading.
		if n.paired {
			return t.inner(n.inner), true
		}
	case "objectives", "questions", "keypoints":
		if n.paired {
			return t.quote(n, "**"+map[string]string{"objectives": "Objectives", "questions": "Questions", "keypoints": "Key points"}[name]+"**", "", before), true
		}
	default:
		if kind, ok := alertKind(name); ok && n.paired {
			return t.alert(n, kind, before), true
		}
	}
	return "", false
}

// textDirective translates :name[text]{…}: its text stays.
func (t *translator) textDirective(n *node) (string, bool) {
	in := t.inner(n.inner)
	switch name := n.base(); name {
	case "kbd", "mark", "sub", "sup", "small", "abbr", "u", "del", "ins", "em", "strong", "q":
		return "<" + name + ">" + in + "</" + name + ">", true
	case "a", "link", "button", "btn":
		if href := n.get(-1, "href", "url", "to", "link"); href != "" {
			return n.link(in, href), true
		}
	case "span", "text":
		return in, true
	}
	t.dropped(n.label(), n.start, n.remedy())
	return in, true
}

// link is a link as Markdown, or as HTML where Markdown is not read. label is Markdown.
func (n *node) link(label, href string) string {
	if n.place == inHTML {
		return `<a href="` + attr(href) + `">` + spanHTML(label) + "</a>"
	}
	return "[" + label + "](" + mdURL(href) + ")"
}

// alertKind maps the boxes of themes to the five alerts of Markdown.
func alertKind(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "alert", "notice", "callout", "admonition", "note", "info", "information", "pageinfo", "primary", "secondary", "aside", "box", "seealso", "prereq", "message", "banner", "panel":
		return "NOTE", true
	case "tip", "success", "hint", "check", "done", "starlight":
		return "TIP", true
	case "important", "attention", "prerequisite", "prerequisites":
		return "IMPORTANT", true
	case "warning", "warn", "caveat":
		return "WARNING", true
	case "caution", "danger", "error", "bug", "failure":
		return "CAUTION", true
	}
	return "", false
}

// alert makes a quote that begins with [!NOTE].
func (t *translator) alert(n *node, kind, before string) string {
	title := n.get(-1, "title", "header", "heading")
	for _, a := range n.args {
		v := a.val
		switch strings.ToLower(a.name) {
		case "", "type", "color", "kind", "style", "level", "context":
			if k, ok := alertKind(v); ok {
				kind = k
			} else if a.name == "" && title == "" && v != "" && strings.ContainsAny(v, " ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
				title = v
			}
		}
	}
	head := "[!" + kind + "]"
	if title != "" {
		head += " " + t.sub(title)
	}
	return t.quote(n, head, "", before)
}

// sub translates an argument, which may hold tags of its own.
func (t *translator) sub(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("{{", "", "}}", "", "{%", "", "%}", "").Replace(s)), " ")
}

// block puts Markdown where n stands: apart from the HTML around it.
func (t *translator) block(n *node, md string) string {
	if n.place == inHTML {
		return "\n\n" + strings.Trim(md, "\n") + "\n\n"
	}
	return md
}

// quote makes a quote of what a tag holds. Lines stay lines where the tags have lines of their own.
func (t *translator) quote(n *node, head, author, before string) string {
	switch n.place {
	case inCell:
		inner := strings.TrimSpace(t.inner(n.inner))
		if kind, rest, ok := strings.Cut(strings.TrimPrefix(head, "[!"), "]"); ok {
			head = "**" + kind[:1] + strings.ToLower(kind[1:]) + ":** " + strings.TrimSpace(rest)
		}
		return strings.TrimSpace(strings.TrimSpace(head) + " " + inner)
	case inHTML:
		t.splitHTML(n)
		inside := *n
		inside.place = inText
		return t.block(n, t.quote(&inside, head, author, ""))
	}
	inner := strings.Trim(t.inner(n.inner), " \t")
	margin := strings.TrimRight(before, " \t>") // what is no margin: a list marker, text
	prefix := before + "> "
	if margin != "" {
		prefix = strings.Repeat(" ", len(before)) + "> "
		if ListMarker(strings.TrimSpace(margin)) == 0 {
			before, prefix = "", "> "
			head = "\n\n" + "> " + head
		} else {
			head = "> " + head
		}
	} else {
		head = "> " + head
	}
	first, rest, multi := strings.Cut(inner, "\n")
	var b strings.Builder
	b.WriteString(strings.TrimRight(head, " "))
	if strings.TrimSpace(first) != "" {
		if strings.TrimSpace(head) == ">" {
			b.WriteByte(' ')
			b.WriteString(strings.TrimSpace(first))
		} else {
			b.WriteString("\n" + prefix + strings.TrimSpace(first))
		}
	} else if strings.HasPrefix(head, "> **") {
		b.WriteString("\n" + strings.TrimRight(prefix, " "))
	}
	if multi {
		lines := strings.Split(rest, "\n")
		lead := strings.Repeat(" ", len(before)-len(strings.TrimLeft(before, " ")))
		for i, l := range lines {
			if i == len(lines)-1 && strings.Trim(l, " \t>") == "" {
				if author == "" {
					b.WriteByte('\n')
				}
				break
			}
			b.WriteString("\n" + strings.TrimRight(prefix+strings.TrimPrefix(strings.TrimPrefix(l, before), lead), " "))
		}
	}
	if author != "" {
		b.WriteString("\n" + strings.TrimRight(prefix, " ") + "\n" + prefix + "— " + author + "\n")
	}
	if !multi {
		b.WriteByte('\n')
	}
	return b.String()
}

func (t *translator) details(n *node, summary, before string) string {
	if n.place == inCell {
		return "**" + summary + "** " + strings.TrimSpace(t.inner(n.inner))
	}
	if n.place == inHTML {
		t.splitHTML(n)
		before = ""
	}
	inner := t.inner(n.inner)
	if !strings.HasPrefix(strings.TrimLeft(inner, " \t"), "\n") {
		inner = "\n" + before + inner
	}
	if rest := strings.TrimLeft(inner, " \t")[1:]; !strings.HasPrefix(strings.TrimLeft(rest, " \t>"), "\n") {
		inner = "\n" + inner
	}
	end := ""
	if !strings.HasSuffix(strings.TrimRight(inner, " \t>"), "\n") {
		end = "\n\n"
	} else if !strings.HasSuffix(strings.TrimRight(inner, " \t>"), "\n\n") {
		end = "\n" + blankMargin(before)
	}
	return "<details><summary>" + html.EscapeString(summary) + "</summary>" + inner + end + "</details>"
}

// blankMargin is the beginning of a line that continues before's containers.
func blankMargin(before string) string {
	if strings.Trim(before, " >") == "" {
		return before
	}
	return ""
}

// codeFence makes a fence around code, longer than any inside.
func (t *translator) codeFence(n *node, lang, before string) string {
	inner := t.held(n)
	if lang != "" && !identifier(strings.NewReplacer("+", "p", "#", "s").Replace(lang)) {
		lang = ""
	}
	switch n.place {
	case inHTML:
		return preHTML(inner, lang)
	case inCell:
		return "<code>" + html.EscapeString(strings.Join(strings.Fields(inner), " ")) + "</code>"
	}
	mark := "```"
	for strings.Contains(inner, mark) {
		mark += "`"
	}
	margin := blankMargin(before)
	if !strings.HasPrefix(strings.TrimLeft(inner, " \t"), "\n") {
		inner = "\n" + margin + strings.TrimLeft(inner, " ")
	} else {
		inner = strings.TrimLeft(inner, " \t")
	}
	if trimmed := strings.TrimRight(inner, " \t"); strings.HasSuffix(trimmed, "\n") {
		inner = trimmed + margin
	} else {
		inner += "\n" + margin
	}
	lead := ""
	if strings.Trim(before, " >") != "" && ListMarker(strings.TrimSpace(before)) == 0 {
		lead = "\n\n"
	}
	return lead + mark + lang + inner + mark
}

// tab makes a bold heading and its content; code where the tab holds code.
func (t *translator) tab(n *node, before string) string {
	label := n.get(0, "header", "label", "title", "name", "tabName", "value")
	lang := n.get(-1, "lang", "codelang", "language")
	head := ""
	if label != "" && !strings.ContainsAny(label, "<>\n") {
		head = "**" + strings.Trim(mdText(label), "*") + "**"
	}
	if n.place == inCell {
		return head + " " + strings.TrimSpace(t.inner(n.inner))
	}
	if n.place == inHTML {
		t.splitHTML(n)
		inside := *n
		inside.place = inText
		return t.block(n, t.tab(&inside, ""))
	}
	written := t.src[n.end:n.closing.start]
	if (lang != "" && lang != "markdown" || n.base() == "codetab") && !strings.Contains(written, "```") {
		return head + "\n\n" + blankMargin(before) + t.codeFence(n, lang, blankMargin(before))
	}
	inner := t.inner(n.inner)
	if !strings.HasPrefix(strings.TrimLeft(inner, " \t"), "\n") {
		return head + "\n\n" + inner
	}
	return head + "\n" + inner
}

// figure makes a <figure> on one line, or a plain <img> where there is no caption.
func (t *translator) figure(n *node, before string) (string, bool) {
	src := n.get(0, "src", "image_path", "filename", "image", "source", "url", "path", "file", "link_src", "name")
	if src == "" {
		return "", false
	}
	caption := n.get(-1, "caption")
	title := n.get(-1, "title")
	alt := n.get(-1, "alt")
	if alt == "" {
		alt = title
		if alt == "" {
			alt = caption
		}
	}
	img := `<img src="` + attr(src) + `" alt="` + attr(plainArg(alt)) + `"`
	for _, k := range [...]string{"width", "height"} {
		if v, err := strconv.Atoi(strings.TrimSuffix(n.get(-1, k), "px")); err == nil && v > 0 {
			img += " " + k + `="` + strconv.Itoa(v) + `"`
		}
	}
	img += ">"
	if link := n.get(-1, "link", "href"); link != "" {
		img = `<a href="` + attr(link) + `">` + img + "</a>"
	}
	var cap []string
	if title != "" {
		cap = append(cap, "<strong>"+argHTML(title)+"</strong>")
	}
	if n.paired {
		if in := strings.TrimSpace(t.inner(n.inner)); in != "" && caption == "" {
			caption = in
		}
	}
	if caption != "" {
		cap = append(cap, argHTML(caption))
	}
	if a := n.get(-1, "attr", "attribution", "credit"); a != "" {
		a = argHTML(a)
		if l := n.get(-1, "attrlink"); l != "" {
			a = `<a href="` + attr(l) + `">` + a + "</a>"
		}
		cap = append(cap, a)
	}
	if strings.Trim(before, " >\t") != "" && ListMarker(strings.TrimSpace(before)) == 0 && len(cap) == 0 {
		return img, true
	}
	out := "<figure>" + img
	if len(cap) > 0 {
		out += "<figcaption>" + strings.Join(cap, " ") + "</figcaption>"
	}
	return out + "</figure>", true
}

// media is the form in which a rich-text editor stores a video; markup makes it a player or a link.
func media(u string) string {
	return `<figure class="media"><oembed url="` + attr(u) + `"></oembed></figure>`
}

// argHTML renders the little Markdown that captions have: links, code, bold and italic.
func argHTML(s string) string {
	return spanHTML(html.EscapeString(strings.Join(strings.Fields(s), " ")))
}

// spanHTML renders the same in HTML, whose tags stay.
func spanHTML(s string) string {
	if !strings.ContainsAny(s, "[`*_") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		switch s[i] {
		case '<':
			if end := tagEndHTML(s, i); end > 0 {
				b.WriteString(s[i:end])
				i = end
				continue
			}
		case '[':
			if mid := strings.Index(s[i:], "]("); mid > 0 {
				if end := strings.IndexByte(s[i+mid:], ')'); end > 0 && !strings.Contains(s[i+1:i+mid], "[") {
					b.WriteString(`<a href="` + s[i+mid+2:i+mid+end] + `">` + s[i+1:i+mid] + "</a>")
					i += mid + end + 1
					continue
				}
			}
		case '`', '*', '_':
			mark, tag := s[i:i+1], "em"
			if s[i] == '`' {
				tag = "code"
			} else if strings.HasPrefix(s[i:], mark+mark) {
				mark, tag = mark+mark, "strong"
			}
			if end := strings.Index(s[i+len(mark):], mark); end > 0 && (s[i] != '_' || i == 0 || s[i-1] == ' ') {
				b.WriteString("<" + tag + ">" + s[i+len(mark):i+len(mark)+end] + "</" + tag + ">")
				i += 2*len(mark) + end
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// plainArg drops that little Markdown.
func plainArg(s string) string {
	s = argHTML(s)
	var b strings.Builder
	in := false
	for _, r := range s {
		switch {
		case r == '<':
			in = true
		case r == '>' && in:
			in = false
		case !in:
			b.WriteRune(r)
		}
	}
	return html.UnescapeString(b.String())
}

func mdText(s string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "<", "&lt;").Replace(s)
}

func mdURL(s string) string {
	if strings.ContainsAny(s, " ()") {
		return "<" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(s) + ">"
	}
	return s
}

func titled(name string) string {
	switch name {
	case "solution":
		return "Solution"
	case "discussion":
		return "Discussion"
	case "spoiler":
		return "Show more"
	}
	return "Details"
}

// value looks a front-matter value up.
func (t *translator) value(key string) (string, bool) {
	if t.param == nil || key == "" {
		return "", false
	}
	return t.param(key)
}

// expression translates {{ … }} of Zola, Liquid and Go.
func (t *translator) expression(n *node) string {
	s := n.raw
	if n.call {
		if out, ok := t.known(n, "x"); ok {
			return out
		}
		t.dropped("Zola shortcode \""+n.name+"\"", n.start, n.remedy())
		return ""
	}
	if strings.HasPrefix(s, "/*") {
		return ""
	}
	if out, ok := t.goLiteral(n); ok {
		return out
	}
	head, filters, _ := strings.Cut(s, "|")
	head = strings.TrimSpace(head)
	switch {
	case len(head) >= 2 && (head[0] == '"' || head[0] == '\'') && head[len(head)-1] == head[0] && !strings.Contains(head[1:len(head)-1], head[:1]):
		// {{ "/x" | relative_url }}
		return head[1 : len(head)-1]
	case strings.EqualFold(head, "toc"), strings.EqualFold(head, ">toc"), head == ".TableOfContents", head == ".Page.TableOfContents", head == "page.toc", head == "content", head == ".Content":
		return ""
	case head == "site.baseurl", head == "site.url", head == "site.base_url", head == "config.base_url", head == ".Site.BaseURL", head == "$site.base":
		return ""
	}
	if name, ok := pageValue(head); ok {
		if v, ok := t.value(name); ok {
			return v
		}
		if head[0] == '.' || strings.HasPrefix(head, "$.") {
			t.dropped("Go template action", n.start, n.remedy())
			return ""
		}
	} else if head[0] == '.' {
		t.dropped("Go template action", n.start, n.remedy())
		return ""
	}
	word, _, _ := strings.Cut(head, " ")
	switch word {
	case "if", "else", "end", "range", "with", "define", "block", "template", "partial", "printf", "print", "println", "len", "index", "eq", "ne", "and", "or", "not", "len)", "now",
		"safeHTML", "site.Params", "dict", "slice", "default", "i18n", "T", "ref", "relref", "readFile":
		t.dropped("Go template action", n.start, n.remedy())
		return ""
	}
	if filters != "" || strings.HasPrefix(head, "site.") || strings.HasPrefix(head, "page.") || strings.HasPrefix(head, "include.") {
		t.dropped("Liquid output", n.start, n.remedy())
		return ""
	}
	t.dropped("template expression", n.start, n.remedy())
	return ""
}

// pageValue is the front-matter key that an expression names: page.x (Liquid, Zola), .Params.x and .Page.Title (Go),
// $frontmatter.x (Vue), frontmatter.x (MDX).
func pageValue(s string) (string, bool) {
	s = strings.TrimPrefix(s, "$")
	rest := s
	for _, p := range [...]string{"page.", "frontmatter.", ".Page.", ".Params.", ".", "Page."} {
		if after, ok := strings.CutPrefix(rest, p); ok {
			rest = after
		}
	}
	for _, p := range [...]string{"frontmatter.", "Params.", "params.", "data."} {
		rest = strings.TrimPrefix(rest, p)
	}
	if rest == s || !identifier(rest) {
		return "", false
	}
	return rest, true
}

// goLiteral translates actions of Go whose arguments are all written out: {{raw `…`}} shows what it holds, and
// {{image "a.png" 300 200}} what the shortcode of that name would.
func (t *translator) goLiteral(n *node) (string, bool) {
	word, rest, _ := strings.Cut(n.raw, " ")
	if word == "" || !identifier(word) || strings.Contains(word, ".") {
		word, rest, _ = strings.Cut(n.raw, "`")
		if rest == "" || !identifier(strings.TrimSpace(word)) {
			return "", false
		}
		word, rest = strings.TrimSpace(word), "`"+rest
	}
	rest = strings.TrimSpace(rest)
	if rest == "" || strings.IndexByte("\"`", rest[0]) < 0 {
		return "", false
	}
	args := parseArgs(rest, 0)
	switch word {
	case "raw", "print", "println", "safeHTML", "safe", "html", "noescape", "unsafe":
		var b strings.Builder
		for _, a := range args {
			b.WriteString(a.val)
		}
		return shown(b.String()), true
	case "image", "figure", "img", "video", "audio", "youtube", "vimeo", "iframe", "gist", "tweet", "link":
		return t.known(&node{piece: piece{syntax: shortcode, name: word, args: args, start: n.start, end: n.end, place: n.place}}, "x")
	}
	return "", false
}

// liquid translates the statements that only Liquid has; ok false leaves a statement to the common names.
func (t *translator) liquid(n *node) (string, bool) {
	if n.call {
		return "", false
	}
	switch n.name {
	case "comment":
		return "", true
	case "post_url":
		return reference(n.get(0)), true
	case "link":
		p := strings.TrimSpace(strings.TrimPrefix(n.raw, "link"))
		return "/" + strings.TrimPrefix(p, "/"), true
	case "if", "unless", "case", "ifchanged":
		// Which branch holds cannot be known; the first is what the author wrote first.
		t.dropped("Liquid tag \""+n.name+"\"", n.start, "the first branch stays; write what should be there")
		if !n.paired {
			return "", true
		}
		branch := n.inner
		for i := range branch {
			if s := &branch[i]; s.syntax == statement && (s.name == "else" || s.name == "elsif" || s.name == "when" && n.name != "case") {
				branch = branch[:i]
				break
			}
		}
		return t.inner(branch), true
	case "for", "tablerow", "capture":
		t.dropped("Liquid tag \""+n.name+"\"", n.start, "it was left out with its content; write what should be there")
		return "", true
	case "include", "include_relative", "include_cached", "render":
		file := n.get(0)
		n.piece.name = file
		if out, ok := t.known(&node{piece: piece{syntax: statement, name: file, args: dropFirst(n.args), start: n.start, end: n.end}}, "x"); ok && out != "" {
			return out, true
		}
		t.dropped("Liquid include \""+diag.Clip(file, 40)+"\"", n.start, "write its content here as Markdown or HTML")
		return "", true
	case "else", "elsif", "when", "break", "continue", "endraw":
		return "", true
	case "assign", "increment", "decrement", "cycle", "layout", "seo", "feed_meta", "set", "import", "extends", "block":
		t.dropped("Liquid tag \""+n.name+"\"", n.start, "it was left out; write what should be there")
		return "", true
	}
	if strings.HasPrefix(n.name, "end") {
		return "", true
	}
	return "", false
}

// reference is the address of a document that its name may find wherever it lies: what resolves addresses looks for
// "@name" beside the document, from the content folder, and then everywhere.
func reference(name string) string {
	if name == "" || name[0] == '#' || name[0] == '@' || strings.Contains(name, "://") {
		return name
	}
	return "@" + name
}

func dropFirst(args []arg) []arg {
	for i, a := range args {
		if a.name == "" {
			return append(append([]arg(nil), args[:i]...), args[i+1:]...)
		}
	}
	return args
}
