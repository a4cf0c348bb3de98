package bots

import (
	"fmt"
	"strings"
)

// A Stance is how the site treats AI crawlers.
type Stance uint8

// The stances.
const (
	Allow Stance = iota // treat them like everybody
	Pace                // ask them to be slow, and limit them
	Deny                // ask them to stay away, and refuse them
)

var stanceNames = [...]string{"allow", "pace", "deny"}

// String returns the stance's name in settings.
func (s Stance) String() string { return stanceNames[s] }

// ParseStance parses the name of a stance.
func ParseStance(text string) (Stance, error) {
	for i, name := range stanceNames {
		if text == name {
			return Stance(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no way to meet crawlers: allow, pace or deny", text)
}

// crawlDelay, in seconds, is what robots.txt asks of paced crawlers. It is well within their limit.
const crawlDelay = "10"

// Robots returns the rules of robots.txt. No crawler may visit disallow, except for allow. AI crawlers get rules by
// their stance. The text ends with an empty line.
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
			b.WriteString("Disallow:\n") // a group without rules would be ignored
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
			rules() // a crawler reads only its own group
		}
	}
	b.WriteByte('\n')
	return b.String()
}
