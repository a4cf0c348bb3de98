// Package bots tells programs from people, as far as a request shows it, and search engines from those who borrow their
// names.
//
// [Judge] scores what a request says of itself: its user agent's family, the headers that browsers send and programs forget.
// A score proves nothing. A program that says what it is (curl, a monitor, a feed reader) is a [Tool] whatever its score.
// Who claims to be a search engine is believed by the addresses that its owner publishes, or by forward-confirmed reverse
// DNS, which a [Verifier] asks for in the background; until there is an answer, the claim is pending, and nobody waits.
package bots

import "strings"

// Threshold is the score from which on a request looks like a bot's.
const Threshold = 50

// Points of a score. Those above the line are what the user agent and the headers show; the others are for who
// watches clients.
const (
	familyPoints = 40 // the user agent names a program
	terse        = 30 // no browser, and fewer than 10 characters
	noAccept     = 15
	noLanguage   = 10
	noEncoding   = 10
	noReferer    = 15 // a write that says nothing of where it comes from
	noHTML       = 10 // a page is asked for, but not HTML
	SpreadPoints = 20 // for more different paths within a minute than anybody reads
)

// A Kind is what sends a request.
type Kind uint8

// The kinds.
const (
	Unjudged Kind = iota // something else decided before anybody looked
	Person               // a browser, as far as can be told
	Tool                 // a program that says what it is: curl, a monitor, a feed reader, a preview of links
	Crawler              // claims to be a search engine's; see [Verifier]
	AI                   // collects texts for language models
	Bot                  // its score reaches the threshold
	kinds
)

var kindNames = [kinds]string{"unjudged", "person", "tool", "crawler", "ai", "bot"}

// String is the kind's name.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Unjudged, Person, Tool, Crawler, AI, Bot} }

// Headers is what a request says of itself.
type Headers struct {
	UserAgent, Accept, AcceptLanguage, AcceptEncoding string

	Write   bool // the method is neither GET, HEAD nor OPTIONS
	Page    bool // a GET for a page, not for JSON or a picture
	Referer bool // Referer or Origin is there
	Partial bool // the accept headers are not known, as in most logs: they are not missed
}

// A Judgement is what a request's headers show.
type Judgement struct {
	Kind    Kind
	Crawler uint8 // whom a Crawler claims to be: an index into the table of crawlers
	Score   uint8
}

// maxUserAgent bounds how much of a user agent is read.
const maxUserAgent = 512

// Judge scores a request.
func Judge(h Headers) Judgement {
	ua := h.UserAgent
	if len(ua) > maxUserAgent {
		ua = ua[:maxUserAgent]
	}
	ua = strings.ToLower(ua)
	j := Judgement{Kind: Person}
	score := 0
	program := namesProgram(ua)
	if program {
		score += familyPoints
	}
	if len(ua) < 10 && !strings.Contains(ua, "mozilla") {
		score += terse
	}
	if h.Partial {
		if program {
			score += noEncoding // hardly any sends all that browsers do
		}
	} else {
		if h.Accept == "" {
			score += noAccept
		} else if h.Page && !strings.Contains(h.Accept, "text/html") {
			score += noHTML
		}
		if h.AcceptLanguage == "" {
			score += noLanguage
		}
		if h.AcceptEncoding == "" {
			score += noEncoding
		}
		if h.Write && !h.Referer {
			score += noReferer
		}
	}
	j.Score = uint8(min(score, 255))
	switch {
	case containsAny(ua, aiTokens()):
		j.Kind = AI
	case claims(ua, &j.Crawler):
		j.Kind = Crawler
	case containsAny(ua, toolTokens()):
		j.Kind = Tool
	case score >= Threshold:
		j.Kind = Bot
	}
	return j
}

func containsAny(ua string, tokens []string) bool {
	for _, t := range tokens {
		if strings.Contains(ua, t) {
			return true
		}
	}
	return false
}

// claims finds the search engine that a user agent names.
func claims(ua string, which *uint8) bool {
	for i := range crawlers {
		if containsAny(ua, crawlers[i].tokens) {
			*which = uint8(i)
			return true
		}
	}
	return false
}

// namesProgram reports whether one of a user agent's words is that of a program. Words are compared whole, because
// "java" is in JavaScript, "go" in Google and "bot" in the telephones of Cubot.
func namesProgram(ua string) bool {
	for word := range strings.FieldsFuncSeq(ua, notWord) {
		if strings.HasSuffix(word, "bot") && word != "cubot" || strings.HasPrefix(word, "headless") {
			return true
		}
		switch word {
		case "bots", "crawler", "spider", "scraper", "crawl", "curl", "libcurl", "wget", "python", "java", "php", "perl",
			"ruby", "rust", "puppeteer", "selenium", "playwright", "scrapy", "phantomjs", "okhttp", "aiohttp", "httpx",
			"axios", "libwww", "httpclient", "webdriver":
			return true
		}
	}
	return strings.HasPrefix(ua, "go-http-client") || strings.HasPrefix(ua, "go ") || strings.HasPrefix(ua, "node-fetch") ||
		strings.Contains(ua, "spider") || strings.Contains(ua, "crawler")
}

func notWord(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// toolTokens are what programs call themselves that people run, or had run for them, on purpose. They are in lower case.
func toolTokens() []string {
	return []string{
		"curl/", "wget/", "httpie/", "xh/", "postmanruntime/", "insomnia/", "k6/", "artillery", "apachebench/", "hey/", "wrk/",
		// monitors and orchestrators
		"uptimerobot", "pingdom", "statuscake", "betterstack", "better uptime", "site24x7", "updown.io", "checkly", "datadog",
		"newrelic", "nagios", "check_http", "zabbix", "prometheus/", "blackbox-exporter", "grafana", "kube-probe/", "googlehc/",
		"elb-healthchecker/", "uptime-kuma", "consul health check",
		// feed readers
		"feedly", "inoreader", "newsblur", "freshrss", "miniflux", "tiny tiny rss", "netnewswire", "feedbin", "reeder", "nextcloud-news",
		"thunderbird/", "rss guard", "liferea",
		// previews of links, and pages that a person asked an assistant for
		"facebookexternalhit", "twitterbot", "whatsapp/", "telegrambot", "slackbot", "slack-imgproxy", "discordbot", "linkedinbot",
		"mastodon/", "skypeuripreview", "pinterestbot", "chatgpt-user", "perplexity-user", "claude-user", "mistralai-user",
	}
}

// aiTokens are the user agents of AICrawlers in lower case.
func aiTokens() []string { return aiLower[:] }

var aiCrawlers = [...]string{
	"AI2Bot", "Amazonbot", "anthropic-ai", "Applebot-Extended", "Bytespider", "CCBot", "Claude-SearchBot", "Claude-Web", "ClaudeBot",
	"cohere-ai", "Diffbot", "DuckAssistBot", "FacebookBot", "Google-Extended", "GPTBot", "ImagesiftBot", "Meta-ExternalAgent",
	"OAI-SearchBot", "Omgilibot", "PerplexityBot", "Timpibot", "YouBot",
}

var aiLower = func() (lower [len(aiCrawlers)]string) {
	for i, name := range aiCrawlers {
		lower[i] = strings.ToLower(name)
	}
	return lower
}()

// AICrawlers are the names by which robots.txt addresses those who collect texts for language models. Two of them,
// Applebot-Extended and Google-Extended, are asked for in robots.txt alone: they crawl under another name.
func AICrawlers() []string { return append([]string(nil), aiCrawlers[:]...) }
