package bots

import (
	"fmt"
	"strings"
)

// A Stance is how crawlers for language models are met.
type Stance uint8

// The stances.
const (
	Allow Stance = iota // as everybody
	Pace                // asked to be slow, and limited to it
	Deny                // asked to stay away, and refused
)

var stanceNames = [...]string{"allow", "pace", "deny"}

// String is the stance as it is written in settings.
func (s Stance) String() string { return stanceNames[s] }

// ParseStance reads a stance.
func ParseStance(text string) (Stance, error) {
	for i, name := range stanceNames {
		if text == name {
			return Stance(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no way to meet crawlers: allow, pace or deny", text)
}

// crawlDelay, in seconds, is what paced crawlers are asked for. It stays well within the limit that they are held to.
const crawlDelay = "10"

// Robots is what robots.txt says to crawlers: everybody must keep to disallow, with allow as its exceptions, and those who
// collect texts for language models are met by their stance. It ends with an empty line.
func Robots(ai Stance, disallow, allow []string) string {
	var b strings.Builder
	rules := func() {
		for _, p := range disallow {
			b.WriteString("Disallow: " + p + "\n")
		}
		for _, p := range allow {
			b.WriteString("Allow: " + p + "\n")
		}
		if len(disallow)+len(allow) == 0 {
			b.WriteString("Disallow:\n") // a group without rules would be none
		}
	}
	b.WriteString("User-agent: *\n")
	rules()
	if ai != Allow {
		b.WriteByte('\n')
		for _, name := range aiCrawlers {
			b.WriteString("User-agent: " + name + "\n")
		}
		if ai == Deny {
			b.WriteString("Disallow: /\n")
		} else {
			b.WriteString("Crawl-delay: " + crawlDelay + "\n")
			rules() // a crawler reads its own group only
		}
	}
	b.WriteByte('\n')
	return b.String()
}
