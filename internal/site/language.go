package site

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"freshet/internal/digest"
)

// Language writes a language tag as BCP 47 does: "PT_br" is pt-BR, "zh-hant-tw" is zh-Hant-TW. ok is false when s does
// not have the shape of a tag: a language of two or three letters, then a script, a region and variants, each optional.
func Language(s string) (tag string, ok bool) {
	parts := strings.Split(strings.ReplaceAll(strings.TrimSpace(s), "_", "-"), "-")
	if len(s) > maxLanguageBytes || len(parts[0]) < 2 || len(parts[0]) > 3 {
		return "", false
	}
	for i, p := range parts {
		if p == "" || len(p) > 8 {
			return "", false
		}
		for _, c := range []byte(p) {
			if !isLetter(c) && (i == 0 || c < '0' || c > '9') {
				return "", false
			}
		}
		p = strings.ToLower(p)
		switch {
		case i > 0 && len(p) == 2:
			p = strings.ToUpper(p)
		case i > 0 && len(p) == 4 && isLetter(p[0]):
			p = strings.ToUpper(p[:1]) + p[1:]
		}
		parts[i] = p
	}
	return strings.Join(parts, "-"), true
}

// maxLanguageBytes is longer than any language tag with script, region and a variant.
const maxLanguageBytes = 35

// KnownLanguage returns the tag that s is when its language, script and region are registered ones; "node-js" has the
// shape of a tag and is none.
func KnownLanguage(s string) (tag string, ok bool) {
	tag, ok = Language(s)
	if !ok {
		return "", false
	}
	_, err := language.Parse(tag)
	return tag, err == nil
}

// SameLanguage reports whether text in one language serves readers of the other: the tags are equal, or one of them only
// adds a region or script. "en" and "en-GB" are the same; "pt-BR" and "pt-PT" are not.
func SameLanguage(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a == b || strings.HasPrefix(a, b+"-") || strings.HasPrefix(b, a+"-")
}

// Translations returns the visible documents of a translation group, by language, then ID; none for group 0.
func (s *Snapshot) Translations(group digest.Sum) []Document {
	if group == 0 {
		return nil
	}
	var out []Document
	name := groupName(group)
	for c := range s.names[ByGroup].From(claim{path: name}) {
		if c.path != name {
			break
		}
		out = append(out, c.doc)
	}
	slices.SortStableFunc(out, func(a, b Document) int { return strings.Compare(MetaOf(a).Lang, MetaOf(b).Lang) })
	return out
}

// Languages returns how many visible documents name each language. A document without a language of its own is in the
// site's and is not counted.
func (s *Snapshot) Languages() map[string]int { return s.languages }

// countLanguage adds d to the visible documents of its language, or with -1 takes it away. The map is this snapshot's own.
func (s *Snapshot) countLanguage(d Document, by int) {
	m := MetaOf(d)
	if m == nil || m.Lang == "" {
		return
	}
	if s.languages[m.Lang] += by; s.languages[m.Lang] == 0 {
		delete(s.languages, m.Lang)
	}
}

func cloneLanguages(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return maps.Clone(m)
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
