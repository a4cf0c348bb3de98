package mongodb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/fields"
	"freshet/internal/site"
)

// mostLeft is a reason for which most documents of a collection are left out: the field that is missing in them.
type mostLeft struct{ coll, field string }

// maxTold is how many documents are each told of, where most of a collection are left out for one reason.
const maxTold = 3

// tellMost says in one line for each collection why most of its documents are left out, and which setting mends it. It
// returns the reasons that need not be told of each document. Where nothing in the whole database is understood as
// published, that is a mistake; drafts that say so are none.
func (s *Source) tellMost(ch *site.Changes) map[mostLeft]bool {
	total := maps.Clone(s.total)
	left, guesses := map[mostLeft]int{}, map[mostLeft]map[string]int{}
	for id, is := range s.issues {
		why := mostLeft{coll: collOf(id)}
		switch {
		case is.unsaid:
			why.field = "status"
		case len(is.skips) > 0 && is.skips[0].ID == id:
			why.field = is.skips[0].Field
			total[why.coll]++
		default:
			continue
		}
		left[why]++
		if is.guess != "" {
			if guesses[why] == nil {
				guesses[why] = map[string]int{}
			}
			guesses[why][is.guess]++
		}
	}
	told := map[mostLeft]bool{}
	for why, n := range left {
		remedy := s.remedy(why, guesses[why])
		if 2*n <= total[why.coll] || remedy == "" {
			continue
		}
		reason := map[string]string{"status": "nothing in them says that they are published", "content": "there is no text in a field that freshet knows", "title": "there is no title in a field that freshet knows"}[why.field]
		p := diag.Problem{Severity: diag.Warning, File: s.db.name + "." + s.db.cfg.real(why.coll), Field: why.field, Remedy: remedy,
			Message: fmt.Sprintf("%d of %d documents are left out: %s", n, total[why.coll], reason)}
		if s.shownDocs == 0 {
			p.Severity = diag.Error
			if why.field == "status" { // those that are skipped have said so
				ch.Skipped = append(ch.Skipped, site.Skip{ID: site.ID(s.db.cfg.real(why.coll)), Field: why.field, Reason: p.Message})
			}
		}
		ch.Problems = append(ch.Problems, p)
		told[why] = n > maxTold
	}
	return told
}

// remedy names the setting that mends a reason; "" where none does.
func (s *Source) remedy(why mostLeft, guesses map[string]int) string {
	guess := "theirs"
	for _, name := range slices.Sorted(maps.Keys(guesses)) {
		if guess == "theirs" || guesses[name] > guesses[guess] {
			guess = name
		}
	}
	switch why.field {
	case "status":
		return "if they are, set mongo.noStatus: published; where a field of theirs says it, name it with mongo.fields: {status: theirs}"
	case "content", "title":
		return fmt.Sprintf("name the field that holds it with mongo.fields: {%s: %s}", why.field, guess)
	}
	return ""
}

// guessText returns the field that holds the longest text of those that are not known; "" where none has a sentence.
func guessText(list fieldList) string {
	best, most := "", 80
	for i := range list {
		name := string(list[i].key)
		b, ok := stringBytes(list[i].v)
		if own, _ := fields.Meaning(name, false); !ok || own != "" || ownNames[name] || list[i].as != "" || len(b) <= most || !strings.Contains(string(b), " ") {
			continue
		}
		best, most = name, len(b)
	}
	return strings.Clone(best)
}
