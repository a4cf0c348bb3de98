package fields

import (
	"fmt"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/site"
)

// A Kind is the type of a Value.
type Kind uint8

// Kinds of values.
const (
	Null Kind = iota // also what is not there
	Bool
	Text
	Number
	Date
	Other // an object, a list, and all else
)

// A Value is the value of a field, as far as Hiding reads it.
type Value struct {
	Kind Kind
	Text string    // Bool, Text and Number as they are written
	Time time.Time // of Date
}

// A rule says how the value of a field that hides is read.
type rule uint8

const (
	_         rule = iota
	byStatus       // a word: draft, published
	byAccess       // a word: who may see it
	byReview       // a word: whether it may be published; no word publishes it
	whenTrue       // true hides
	orShows        // true hides, false publishes
	whenFalse      // false hides
	publishes      // false hides, true or a date publishes
	since          // any date hides
	dated          // a date publishes, nothing hides
	locked         // any text hides
)

// A hider is a field that can hide a document, or publish it.
type hider struct {
	rule
	deletes bool // what hides the document deletes it
	weak    bool // the name means other things too: in a file that an author wrote, only known words count
}

// hiders are the fields that decide whether readers may see a document, by their reduced names.
var hiders = func() map[string]hider {
	out := map[string]hider{}
	add := func(h hider, names ...string) {
		for _, n := range names {
			out[n] = h
		}
	}
	add(hider{rule: byStatus}, "status", "poststatus", "blogstatus", "articlestatus", "pagestatus", "coursestatus", "lessonstatus", "contentstatus",
		"publicationstatus", "publishstatus", "publishingstatus", "publishedstatus", "draftstatus", "visibilitystatus")
	add(hider{rule: byStatus, weak: true}, "state", "poststate", "publicationstate", "publishstate", "workflowstate", "workflowstatus")
	add(hider{rule: byAccess}, "visibility")
	add(hider{rule: byAccess, weak: true}, "privacy", "audience", "accesslevel")
	add(hider{rule: byReview}, "approvalstatus", "moderationstatus", "reviewstatus")
	add(hider{rule: orShows}, "draft", "isdraft")
	add(hider{rule: whenTrue}, "private", "isprivate", "hidden", "ishidden", "archived", "isarchived", "unlisted", "isunlisted", "unpublished", "isunpublished",
		"disabled", "isdisabled", "inactive", "isinactive", "blocked", "isblocked", "banned", "isbanned", "rejected", "isrejected", "suspended", "issuspended", "isspam")
	add(hider{rule: whenTrue, deletes: true}, "deleted", "isdeleted", "softdeleted", "issoftdeleted", "softdelete", "trashed", "istrashed", "intrash", "removed", "isremoved")
	add(hider{rule: publishes}, "published", "ispublished", "publish", "public", "ispublic", "visible", "isvisible")
	add(hider{rule: whenFalse}, "active", "isactive", "enabled", "isenabled", "approved", "isapproved", "listed", "islisted")
	add(hider{rule: since}, "archivedat", "archivedon", "archiveddate", "hiddenat", "unpublishedat", "unpublishedon", "disabledat", "rejectedat")
	add(hider{rule: since, deletes: true}, "deletedat", "deletedon", "deleteddate", "datedeleted", "softdeletedat", "removedat", "trashedat", "deletiondate")
	add(hider{rule: dated}, "publishedat", "publisheddate", "publishdate", "publishedon", "datepublished", "pubdate", "pubdatetime", "publicationdate", "publishat", "publishtime", "publishedtime")
	add(hider{rule: locked}, "password", "postpassword")
	return out
}()

// Words of statuses and of who may see a document, reduced.
var (
	showingWords = words("published publish public live active posted released online visible enabled")
	openWords    = words("public everyone anyone everybody all open world published publish live visible listed global")
	passedWords  = words("approved accepted passed published ok")
	hidingWords  = words("draft drafts draftonly autodraft scheduled schedule future private archived archive pending pendingreview review inreview underreview needsreview reviewing hidden " +
		"unpublished notpublished unlisted inactive disabled rejected denied declined blocked banned suspended wip workinprogress inprogress internal expired offline unapproved " +
		"withdrawn cancelled canceled planned todo idea comingsoon onhold paused inherit spam flagged locked restricted password protected secret")
	deletingWords = words("deleted delete trash trashed removed")
	closedWords   = words("member members membersonly paid premium tiers tier subscribers subscriber registered users user loggedin authenticated team staff admin admins owner author none nobody " +
		"me onlyme friends followers group company organization organisation")
)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}

// Reduce drops what spellings of one name or word differ in: case, blanks, "_" and "-".
func Reduce(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == ' ' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.ToLower(spellings.Replace(s))
}

var spellings = strings.NewReplacer("_", "", "-", "", " ", "")

// Hides reports whether a field of that name, however it is spelled, can hide a document.
func Hides(name string) bool {
	h, ok := hiders[Reduce(name)]
	return ok && h.rule != dated
}

// A Hiding gathers what a document says about whether readers may see it, one field at a time. What hides it always wins
// over what publishes it, wherever either stands. The zero Hiding belongs to a stored document of which nothing was read.
type Hiding struct {
	Authored bool // the document is a file that an author wrote, not one of a database
	verdict  Verdict
}

// A Verdict says whether readers may see a document. One that is neither hidden nor published and has no mistakes says
// nothing about it.
type Verdict struct {
	Hidden    bool
	Published bool   // something says so; Hidden still wins
	Deleted   bool   // it is hidden because it is deleted: not even builds with drafts show it
	Field     string // the field that hides it, as it is spelled
	Why       string // that field and its value; empty: it is not hidden
	Mistakes  []Mistake
}

// A Mistake is a value of a field that can hide a document, from which nobody can tell whether it does. Nothing shows
// such a document.
type Mistake struct{ Field, Message, Remedy string }

// Read takes in one field. Fields of other names say nothing.
func (h *Hiding) Read(name string, v Value) {
	field, ok := hiders[Reduce(name)]
	if !ok || v.Kind == Null || v.Kind == Text && nothing(v.Text) {
		return
	}
	switch field.read(v) {
	case hides:
		h.hide(name, v, field.deletes)
	case deletes:
		h.hide(name, v, true)
	case shows:
		h.verdict.Published = true
	case unknown:
		if field.weak && h.Authored {
			return
		}
		h.verdict.Mistakes = append(h.verdict.Mistakes, Mistake{Field: name, Message: fmt.Sprintf("%s %s does not tell whether readers may see this", name, v.shown()), Remedy: field.remedy(name)})
	}
}

func (h *Hiding) hide(name string, v Value, deleted bool) {
	d := &h.verdict
	if !d.Hidden {
		d.Field, d.Why = name, name+" is "+v.shown()
	}
	d.Hidden, d.Deleted = true, d.Deleted || deleted
}

// Verdict returns what all the fields say together.
func (h *Hiding) Verdict() Verdict { return h.verdict }

// nothing reports whether text stands for a missing value.
func nothing(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "null", "nil", "undefined", "~":
		return true
	}
	return false
}

// shown is a value as messages have it.
func (v Value) shown() string {
	switch v.Kind {
	case Text:
		return fmt.Sprintf("%q", diag.Clip(v.Text, 40))
	case Date:
		return v.Time.UTC().Format(time.RFC3339)
	case Other:
		return "an object or a list"
	}
	return diag.Clip(v.Text, 40)
}

// An effect is what a value does.
type effect uint8

const (
	none effect = iota
	shows
	hides
	deletes
	unknown
)

func (f hider) read(v Value) effect {
	truth, isTruth := v.truth()
	word := Reduce(strings.TrimSpace(v.Text))
	switch f.rule {
	case byStatus, byAccess, byReview:
		open := showingWords
		switch f.rule {
		case byAccess:
			open = openWords
		case byReview:
			open = passedWords
		}
		switch {
		case v.Kind == Bool && truth, v.Kind == Text && open[word]:
			if f.rule == byReview {
				return none
			}
			return shows
		case v.Kind == Text && deletingWords[word]:
			return deletes
		case v.Kind == Bool, v.Kind == Text && (hidingWords[word] || f.rule == byAccess && closedWords[word]):
			return hides
		}
	case whenTrue, orShows:
		date, isDate := v.date()
		switch {
		case isTruth && truth:
			return hides
		case isTruth && f.rule == orShows:
			return shows
		case isTruth:
			return none
		case isDate && f.rule == whenTrue && date:
			return hides
		case isDate && f.rule == whenTrue:
			return none
		}
	case whenFalse, publishes:
		date, isDate := v.date()
		switch {
		case isTruth && !truth:
			return hides
		case isTruth && f.rule == publishes, isDate && date && f.rule == publishes:
			return shows
		case isTruth, isDate && f.rule == publishes:
			return none
		}
	case since:
		date, isDate := v.date()
		switch {
		case isTruth && truth, isDate && date:
			return hides
		case isTruth, isDate:
			return none
		}
	case dated:
		if date, isDate := v.date(); isDate && date {
			return shows
		}
		return none // whether it is a date is not decided here
	case locked:
		if isTruth && !truth {
			return none
		}
		return hides
	}
	return unknown
}

// truth reads true and false in any spelling.
func (v Value) truth() (b, ok bool) {
	if v.Kind == Date || v.Kind == Other {
		return false, false
	}
	return Truth(v.Text)
}

// Truth reads true and false in any spelling. ok is false where s is neither.
func Truth(s string) (b, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "on", "1", "1.0", "y", "t":
		return true, true
	case "false", "no", "off", "0", "0.0", "n", "f":
		return false, true
	}
	return false, false
}

// date reports whether the value is a date, and whether it is more than the zero value with which programs say that there
// is none.
func (v Value) date() (set, ok bool) {
	t := v.Time
	switch v.Kind {
	case Date:
	case Text, Number:
		if strings.HasPrefix(strings.TrimSpace(v.Text), "0000-00-00") {
			return false, true
		}
		d, ok := site.ParseDate(v.Text, time.UTC)
		if t = d.Time; !ok {
			switch word := strings.ToLower(strings.TrimSpace(v.Text)); {
			case word == "none", word == "never":
				return false, true
			case MeantAsDate(word):
				return true, true // meant as one: which day it is does not matter
			}
			return false, false
		}
	default:
		return false, false
	}
	return t.Unix() != 0 && t.Year() > 1, true
}

// MeantAsDate reports whether text that cannot be read as a date was meant as one: whether it has most of the digits of one.
func MeantAsDate(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n >= 6
}

// remedy says what can be written in a field instead.
func (f hider) remedy(name string) string {
	switch f.rule {
	case byStatus:
		return "write published or draft"
	case byAccess:
		return "write public or private"
	case byReview:
		return "write approved or pending"
	case since:
		return "write a date, or remove it"
	}
	return fmt.Sprintf("write %s: true or %s: false", name, name)
}
