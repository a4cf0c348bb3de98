// Package bots distinguishes programs from people, as far as a request shows it, and search engines from programs that
// use their names.
//
// [Judge] scores a request's user agent and the headers that browsers send and programs often omit. A score proves
// nothing. A program that names itself (curl, a monitor, a feed reader) is a [Tool] whatever its score. A [Verifier]
// verifies a claim to be a search engine by the addresses that the engine's owner publishes, or by forward-confirmed
// reverse DNS in the background. Until the answer arrives, the claim is pending. Nobody waits for it.
package bots

import "strings"

// Threshold is the lowest score of a bot-like request.
const Threshold = 50

// Points of a score. SpreadPoints is for the guard, which watches clients. The other points come from user agent and
// headers.
const (
	familyPoints = 40 // the user agent names a program
	terse        = 30 // not a browser, and fewer than 10 characters
	noAccept     = 15
	noLanguage   = 10
	noEncoding   = 10
	noReferer    = 15 // a write without Referer and Origin
	noHTML       = 10 // a page is requested, but HTML is not accepted
	SpreadPoints = 20 // more different paths within a minute than a person reads
)

// A Kind is a kind of sender.
type Kind uint8

// The kinds.
const (
	Unjudged Kind = iota // another rule decided before bots were judged
	Person               // a browser, as far as the request shows
	Tool                 // a program that names itself: curl, a monitor, a feed reader, a link preview
	Crawler              // claims to be a search engine; see [Verifier]
	AI                   // collects texts for language models
	Bot                  // its score reaches Threshold
	kinds
)

var kindNames = [kinds]string{"unjudged", "person", "tool", "crawler", "ai", "bot"}

// String returns the kind's name.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Unjudged, Person, Tool, Crawler, AI, Bot} }

// Headers holds what a request says about its sender.
type Headers struct {
	UserAgent, Accept, AcceptLanguage, AcceptEncoding string

	Write   bool // the method is neither GET, HEAD nor OPTIONS
	Page    bool // a GET for a page, not for JSON or a picture
	Referer bool // the request has a Referer or an Origin
	Partial bool // the accept headers are unknown, as in most access logs: their absence costs nothing
}

// A Judgement is the result of judging a request's headers.
type Judgement struct {
	Kind    Kind
	Crawler uint8 // the claimed search engine: an index into the table of crawlers
	Score   uint8
}

// maxUserAgent limits how much of a user agent is read.
const maxUserAgent = 512

// Judge judges a request by its headers.
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
			score += noEncoding // most programs do not send all headers that browsers send
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

// namesProgram reports whether a word of the user agent is a program's name. It compares whole words, because "java" is
// in JavaScript, "go" in Google and "bot" in Cubot, a brand of phones.
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

// toolTokens returns the names of programs that people run on purpose, in lower case.
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
		// link previews, and assistants that fetch a page for a person
		"facebookexternalhit", "twitterbot", "whatsapp/", "telegrambot", "slackbot", "slack-imgproxy", "discordbot", "linkedinbot",
		"mastodon/", "skypeuripreview", "pinterestbot", "chatgpt-user", "perplexity-user", "claude-user", "mistralai-user",
	}
}

// aiTokens returns the names of AICrawlers in lower case.
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

// AICrawlers returns the names by which robots.txt addresses AI crawlers. Applebot-Extended and Google-Extended occur
// only in robots.txt: these crawlers use another name in requests.
func AICrawlers() []string { return append([]string(nil), aiCrawlers[:]...) }
