package bots

import (
	"embed"
	"fmt"

	"freshet/server/guard/cidr"
)

// A crawler is one search engine's, with what proves a claim to be it.
type crawler struct {
	name    string
	tokens  []string // in its user agents, in lower case
	ranges  string   // file of the prefixes that its owner publishes; empty: there is none here
	domains []string // of its names in reverse DNS, as its owner documents them
}

// crawlers are the search engines that can be verified. Where the list of prefixes has grown since, DNS decides.
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

// Crawlers are the names of the search engines whose claims can be verified.
func Crawlers() []string {
	names := make([]string, len(crawlers))
	for i := range crawlers {
		names[i] = crawlers[i].name
	}
	return names
}

// loadRanges reads the embedded prefixes, one set a crawler; nil where there are none.
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
