package contentdir

import (
	"path"
	"slices"
	"strings"

	"freshet/internal/digest"
	"freshet/internal/site"
)

// languages are the codes that count as a language in names of files and folders. Codes that are also common words
// or technologies are left out.
var languages = set("ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fil", "fr", "ga", "gl", "gu",
	"he", "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "kk", "km", "kn", "ko", "ky", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "my", "nb", "ne", "nl", "nn",
	"or", "pa", "pl", "ps", "pt", "ro", "ru", "sa", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "uz", "vi", "zh")

// words are those languages whose codes a blog may well use as a category ("it", "ml" for machine learning). Inside a
// blog or the pages such a folder is a language only for files that have a counterpart in another language.
var words = set("be", "ca", "cs", "et", "ga", "hr", "id", "it", "ka", "ml", "ms", "my", "ne", "or", "pa", "pl", "ps", "sa", "si", "te")

// languageOf returns the BCP 47 tag that a name stands for: "pt_br" is pt-BR; empty when it is no language's. Tags have
// no letter case (RFC 5646, section 2.1.1).
func languageOf(name string) string {
	main, sub, composite := strings.Cut(strings.ReplaceAll(name, "_", "-"), "-")
	if !languages[strings.ToLower(main)] || composite && len(sub) < 2 {
		return ""
	}
	tag, ok := site.KnownLanguage(name)
	if !ok {
		return ""
	}
	return tag
}

// likelyLanguage is the language of a file as far as its front matter, which says own, and its path tell without the other files.
func (s *Source) likelyLanguage(name, own string) string {
	n, _ := markdownName(path.Base(name))
	top, _, _ := strings.Cut(name, "/")
	return cmpOr(cmpOr(own, n.lang), cmpOr(languageOf(top), s.language))
}

// A tongue is what a file's path says of its language. For example fr/posts/x.md, posts/fr/x.md and posts/x.fr.md all have
// the tag fr and the key posts/x; posts/x.md and posts/x/index.md have no tag and the same key.
type tongue struct {
	tag  string // BCP 47; empty: the path says nothing of it
	key  string // the path without its language, extension and bundle file: what translations have in common
	word bool   // the tag may be a category's name: it counts only beside a counterpart
}

// tongueOf reads the language in a path. dir is the folder that the file is in.
func tongueOf(name string, dir *folder) tongue {
	n, ok := markdownName(path.Base(name))
	if !ok {
		return tongue{key: name}
	}
	out := tongue{tag: n.lang}
	folders := []string{}
	if dir.path != "" {
		folders = strings.Split(dir.path, "/")
	}
	at := -1 // of the folder that stands for a language
	if len(folders) > 0 {
		for _, i := range languagePlaces(dir, len(folders)) {
			if lang := languageOf(folders[i]); lang != "" {
				at, out.word = i, i > 0 && n.lang == "" && words[strings.ToLower(folders[i])]
				out.tag = cmpOr(out.tag, lang)
				break
			}
		}
	}
	if at >= 0 {
		folders = slices.Delete(folders, at, at+1)
	}
	if n.text == noText {
		folders = append(folders, n.stem)
	}
	out.key = strings.Join(folders, "/")
	return out
}

// languagePlaces are the places in a folder's path where a name may stand for a language: at the top of the tree, and, of a
// blog or the pages, the folder that it is in and those right inside it.
func languagePlaces(dir *folder, n int) []int {
	places := []int{0}
	if dir.zone == blogZone || dir.zone == draftZone || dir.zone == pageZone {
		zone := strings.Count(dir.zoneRoot().path, "/")
		for _, i := range [...]int{zone - 1, zone + 1} {
			if i > 0 && i < n {
				places = append(places, i)
			}
		}
	}
	return places
}

// translation enters a Markdown file into those that are translations of each other, or takes it out. Each of them looks
// different when one comes or goes.
func (t *tree) translation(st *scanState, r *record, add bool) {
	if !r.isMarkdown {
		return
	}
	g := tongueOf(r.path, r.dir)
	key := digest.String(g.key)
	mates := t.translations[key]
	if g.tag != "" {
		mates = append(t.originals(g.key), mates...)
	}
	for _, o := range mates {
		st.dirty[o] = true
		for _, rival := range t.rivals[o.rivals] {
			st.dirty[rival] = true
		}
	}
	if g.tag == "" {
		return
	}
	group := slices.DeleteFunc(slices.Clone(t.translations[key]), func(o *record) bool { return o == r })
	if add {
		i, _ := slices.BinarySearchFunc(group, r.path, recordPath)
		group = slices.Insert(group, i, r)
	} else {
		delete(st.dirty, r)
	}
	if t.translations[key] = group; len(group) == 0 {
		delete(t.translations, key)
	}
}

// originals are the files without a language that a key of theirs finds.
func (t *tree) originals(key string) []*record {
	var out []*record
	for _, ext := range [...]string{".md", ".markdown", ".mdx", ".mkd"} {
		if r := t.record(key + ext); r != nil && r.text == noText {
			out = append(out, r)
		}
	}
	if f := t.folder(key, false); f != nil {
		for _, r := range f.named {
			if r.name().lang == "" {
				out = append(out, r)
			}
		}
	}
	return out
}

// group returns the digest that a file has in common with its translations; 0: it has none.
func (t *tree) group(r *record) digest.Sum {
	g := tongueOf(r.path, r.dir)
	key := digest.String(g.key)
	n := len(t.translations[key])
	if g.tag == "" && n == 0 || g.tag != "" && n+len(t.originals(g.key)) < 2 {
		return 0
	}
	return max(key, 1)
}

// pathLang is the language that a file's path gives it; empty: none.
func (t *tree) pathLang(r *record) string {
	g := tongueOf(r.path, r.dir)
	if g.word && t.group(r) == 0 {
		return ""
	}
	return g.tag
}

// lang is a file's language: what it says itself, else its path, else the nearest folder's own text. Empty: the site's.
func (t *tree) lang(r *record) string {
	if r.lang != "" {
		return r.lang
	}
	if lang := t.pathLang(r); lang != "" {
		return lang
	}
	for f := r.dir; f != nil; f = f.parent {
		for _, o := range f.named {
			if o.givesLang() {
				return o.lang
			}
		}
	}
	return ""
}

// isForeign reports whether a language is another than the site's.
func (t *tree) isForeign(lang string) bool {
	return lang != "" && !site.SameLanguage(lang, t.s.language)
}

// slugLang is the language that a post's slug carries because of its path; empty: none.
func (t *tree) slugLang(r *record) string {
	if lang := t.pathLang(r); t.isForeign(lang) {
		return lang
	}
	return ""
}

// areTranslations reports whether there are documents in more than one language.
func (t *tree) areTranslations(rs []*record) bool {
	return slices.ContainsFunc(rs, func(r *record) bool { return t.lang(r) != t.lang(rs[0]) })
}

// inherit marks what takes its language from the folder's text that r is.
func (t *tree) inherit(st *scanState, r *record) {
	if !r.givesLang() {
		return
	}
	for _, o := range r.dir.members() {
		st.dirty[o] = true
		for _, rival := range t.rivals[o.rivals] {
			st.dirty[rival] = true
		}
	}
}

// givesLang reports whether a file sets the language of what is in its folder.
func (r *record) givesLang() bool {
	return r.lang != "" && r.name().lang == "" && (r.text == sectionOwn || r.text == indexOwn && r.dir.zone != blogZone)
}

// translated is the slug of a document whose path says that it is in another language than the site's. It carries the
// language whether or not the original is there, so that adding a language renames nothing.
func (t *tree) translated(slug site.Slug, lang string) site.Slug {
	if !t.isForeign(lang) {
		return slug
	}
	suffix := strings.ToLower(lang)
	if strings.HasSuffix(string(slug), "-"+suffix) {
		return slug
	}
	return slug.WithSuffix(suffix)
}

// folderLang is the language that a course's folder stands for by its place; empty: none.
func folderLang(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return languageOf(first)
}

// courseGroup is group for a course that is a folder.
func (t *tree) courseGroup(f *folder) digest.Sum {
	key := f.path
	if folderLang(f.path) != "" {
		_, key, _ = strings.Cut(f.path, "/")
	}
	if key == "" {
		return 0
	}
	has := func(name string) bool { d := t.folder(name, false); return d != nil && d.markdown > 0 }
	n := 0
	if has(key) {
		n++
	}
	for l := range t.langs {
		if has(l + "/" + key) {
			n++
		}
	}
	if n < 2 {
		return 0
	}
	return max(digest.String("course:"+key), 1)
}
