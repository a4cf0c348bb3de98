package bots

import (
	"embed"
	"fmt"

	"freshet/server/guard/cidr"
)

// A crawler is a search engine with the proofs of a claim to be it.
type crawler struct {
	name    string
	tokens  []string // parts of its user agents, in lower case
	ranges  string   // file with the prefixes that its owner publishes; empty: none
	domains []string // domains of its reverse DNS names, as its owner documents them
}

// crawlers lists the search engines that can be verified. DNS decides about addresses that are newer than the embedded
// prefixes.
var crawlers = []crawler{
	// https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot
	{"Googlebot", []string{"googlebot", "google-inspectiontool", "storebot-google", "adsbot-google", "mediapartners-google", "googleother"},
		"ranges/googlebot.txt", []string{"googlebot.com", "google.com"}},
	// https://www.bing.com/webmasters/help/verify-bingbot-2195837f
	{"Bingbot", []string{"bingbot", "bingpreview", "adidxbot", "msnbot"}, "ranges/bingbot.txt", []string{"search.msn.com"}},
	// https://support.apple.com/en-us/119829
	{"Applebot", []string{"applebot"}, "ranges/applebot.txt", []string{"applebot.apple.com"}},
	// https://yandex.com/support/webmaster/robot-workings/check-yandex-robots.html
	{"YandexBot", []string{"yandexbot", "yandeximages", "yandexmobilebot"}, "", []string{"yandex.com", "yandex.ru", "yandex.net"}},
	// https://help.baidu.com/question?prod_id=99&class=476&id=2996
	{"Baiduspider", []string{"baiduspider"}, "", []string{"baidu.com", "baidu.jp"}},
	{"Yahoo! Slurp", []string{"yahoo! slurp"}, "", []string{"crawl.yahoo.net"}},
}

//go:embed ranges
var rangeFiles embed.FS

// Crawlers returns the names of the search engines that can be verified.
func Crawlers() []string {
	names := make([]string, len(crawlers))
	for i := range crawlers {
		names[i] = crawlers[i].name
	}
	return names
}

// loadRanges parses the embedded prefixes, one set for each crawler; nil: it has none.
func loadRanges() ([]*cidr.Set, error) {
	sets := make([]*cidr.Set, len(crawlers))
	for i := range crawlers {
		name := crawlers[i].ranges
		if name == "" {
			continue
		}
		data, err := rangeFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		prefixes, err := cidr.ParseFile(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		sets[i] = cidr.NewSet(prefixes)
	}
	return sets, nil
}
