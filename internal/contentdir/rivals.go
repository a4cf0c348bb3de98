package contentdir

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"freshet/internal/digest"
)

// put adds a record or replaces the one at its path. A nil record is a file that vanished.
func (t *tree) put(st *scanState, r *record) {
	if r == nil {
		return
	}
	old := t.record(r.path)
	if old != nil {
		t.remove(st, old)
		r.rev = old.rev
		delete(st.lost, r.path)
	}
	dir, _ := path.Split(r.path)
	r.dir = t.folder(strings.TrimSuffix(dir, "/"), true)
	i, _ := slices.BinarySearchFunc(r.dir.files, r.path, recordPath)
	r.dir.files = slices.Insert(r.dir.files, i, r)
	if r.isMarkdown && r.text != noText {
		r.dir.named = append(r.dir.named, r)
	}
	t.note(r, true)
	t.rival(st, r)
	t.count(r, +1)
	t.translation(st, r, true)
	t.touch(st, r)
	if old == nil {
		t.inherit(st, r)
	} else if old.lang != r.lang {
		t.inherit(st, old)
		t.inherit(st, r)
	}
	st.dirty[r] = true
}

func recordPath(r *record, p string) int { return strings.Compare(r.path, p) }

// rival enters a post into those that ask for the same slug: a blog that has the same name in another year, or
// translations. Each of them looks different when one comes or goes.
func (t *tree) rival(st *scanState, r *record) {
	r.rivals = 0
	if !r.isMarkdown || r.broken || r.p == nil || r.p.stored || r.p.draft || r.p.to != "" || !r.dated && r.dir.zone != blogZone {
		return
	}
	name, _, date := plainName(r)
	if !r.p.published.IsZero() {
		date = r.p.published
	}
	r.day = 0
	if !date.IsZero() {
		r.day = int32(date.Year()*10000 + int(date.Month())*100 + date.Day())
	}
	r.rivals = max(digest.String(string((&builder{t: t}).meta(r, name).Slug)), 1)
	group := t.rivals[r.rivals]
	for _, o := range group {
		st.dirty[o] = true
	}
	i, _ := slices.BinarySearchFunc(group, r.path, recordPath)
	t.rivals[r.rivals] = slices.Insert(group, i, r)
}

// rivalsOf are the posts that ask for a post's address, it among them, the first of which has it: those in the site's
// language before translations, then by path.
func (t *tree) rivalsOf(r *record) []*record {
	if r.rivals == 0 || len(t.rivals[r.rivals]) < 2 {
		return nil
	}
	own := t.slugLang(r)
	var native, foreign []*record
	for _, o := range t.rivals[r.rivals] {
		switch {
		case t.slugLang(o) != own:
		case t.isForeign(t.lang(o)):
			foreign = append(foreign, o)
		default:
			native = append(native, o)
		}
	}
	return append(native, foreign...)
}

// rivalSuffix is what tells a post apart from those before it that ask for its address, and the first of them: its
// language where that is another than theirs, else its year, or its date where one of them is of that year. It is empty
// where the post is the first, or nothing tells it apart.
func (t *tree) rivalSuffix(r *record) (suffix string, first *record) {
	rivals := t.rivalsOf(r)
	if len(rivals) < 2 || rivals[0] == r {
		return "", nil
	}
	lang := t.lang(r)
	byLang := t.isForeign(lang)
	byDay := strconv.Itoa(int(r.day / 10000))
	if r.day == 0 {
		byDay = ""
	}
	for _, o := range rivals {
		if o == r {
			break
		}
		byLang = byLang && t.lang(o) != lang
		switch {
		case o.day == r.day:
			byDay = ""
		case byDay != "" && o.day/10000 == r.day/10000:
			byDay = fmt.Sprintf("%d-%02d-%02d", r.day/10000, r.day/100%100, r.day%100)
		}
	}
	if byLang {
		return strings.ToLower(lang), rivals[0]
	}
	return byDay, rivals[0]
}

func (t *tree) unrival(st *scanState, r *record) {
	if r.rivals == 0 {
		return
	}
	group := slices.DeleteFunc(t.rivals[r.rivals], func(o *record) bool { return o == r })
	for _, o := range group {
		st.dirty[o] = true
	}
	if t.rivals[r.rivals] = group; len(group) == 0 {
		delete(t.rivals, r.rivals)
	}
	r.rivals = 0
}

// note takes what there is to say about a file up, or drops it.
func (t *tree) note(r *record, add bool) {
	if r.notes == nil {
		return
	}
	if add && (len(r.notes.problems) > 0 || r.notes.skip != nil) {
		t.noted[r.path] = r
	} else {
		delete(t.noted, r.path)
	}
	for i := range r.notes.uses {
		u := &r.notes.uses[i]
		k := t.kinds[u.Kind]
		if k == nil {
			k = &kindSum{}
			t.kinds[u.Kind] = k
		}
		at, _ := slices.BinarySearchFunc(k.files, r.path, func(f kindUse, p string) int { return strings.Compare(f.path, p) })
		if add {
			k.count += u.Count
			k.files = slices.Insert(k.files, at, kindUse{r.path, u})
			continue
		}
		k.count -= u.Count
		if k.files = slices.Delete(k.files, at, at+1); len(k.files) == 0 {
			delete(t.kinds, u.Kind)
		}
	}
}

func (t *tree) remove(st *scanState, r *record) {
	if r == nil {
		return
	}
	t.unrival(st, r)
	t.translation(st, r, false)
	t.count(r, -1)
	t.touch(st, r)
	if i, ok := slices.BinarySearchFunc(r.dir.files, r.path, recordPath); ok {
		r.dir.files = slices.Delete(r.dir.files, i, i+1)
	}
	r.dir.named = slices.DeleteFunc(r.dir.named, func(o *record) bool { return o == r })
	t.note(r, false)
	delete(st.dirty, r)
	if r.unit != "" {
		st.units[r.unit] = true
	}
	if r.rev != 0 {
		st.lost[r.path] = true
		st.units[r.path] = true
	}
	for f := r.dir; f.parent != nil && len(f.files) == 0 && len(f.dirs) == 0; f = f.parent {
		f.parent.dirs = slices.DeleteFunc(f.parent.dirs, func(d *folder) bool { return d == f })
	}
}

// count adds a file to the sums of the folders above it, or takes it away.
func (t *tree) count(r *record, d int) {
	if !r.isMarkdown {
		return
	}
	_, isNumbered := numbered(r.name().stem)
	if text := r.isText(); text {
		r.dir.ownTexts += d
	} else if isNumbered && !r.dated {
		r.dir.numFiles += d
	}
	for f := r.dir; f != nil; f = f.parent {
		was := f.markdown > 0
		f.markdown += d
		if f.parent != nil && was != (f.markdown > 0) {
			if _, ok := numbered(f.base()); ok {
				f.parent.numDirs += d
			}
		}
		switch {
		case r.dir.zone != freeZone:
			if f.zone == freeZone {
				f.special += d
			}
		case r.isText():
			f.texts += d
		case r.dated:
			f.dated += d
		default:
			f.undated += d
		}
	}
	if first, _, _ := strings.Cut(r.path, "/"); languageOf(first) != "" {
		t.langs[first] += d
		if t.langs[first] == 0 {
			delete(t.langs, first)
		}
	}
}

// touch marks what may look different because a file came or went: the folders above it, its folder's other texts,
// README files above it in a blog, and the translations of its course.
func (t *tree) touch(st *scanState, r *record) {
	if !r.isMarkdown {
		return
	}
	for f := r.dir; f != nil; f = f.parent {
		st.touched[f] = true
		if f == r.dir || f.zone == blogZone || f.zone == draftZone {
			for _, o := range f.named {
				st.dirty[o] = true
			}
		}
	}
	t.touchCourses(st, r)
}

// touchCourses marks the courses that a file's course is a translation of, or they of it.
func (t *tree) touchCourses(st *scanState, r *record) {
	first, rest, _ := strings.Cut(r.path, "/")
	tagged := languageOf(first) != ""
	if !tagged {
		rest = r.path
	}
	mark := func(prefix string) {
		for at := range len(rest) {
			if rest[at] != '/' {
				continue
			}
			f := t.folder(prefix+rest[:at], false)
			if f == nil {
				return
			}
			if courseAbove(f) == f {
				st.units[f.path] = true
			}
		}
	}
	if tagged {
		mark("")
	}
	for l := range t.langs {
		mark(l + "/")
	}
}

// reclass finds folders that have become courses or ceased to be, and marks all that is in them.
func (t *tree) reclass(st *scanState) {
	var mark func(f *folder)
	mark = func(f *folder) {
		for _, r := range f.files {
			if r.isMarkdown {
				st.dirty[r] = true
			}
		}
		for _, d := range f.dirs {
			mark(d)
		}
	}
	for f := range st.touched {
		if now := f.isCourse(); now != f.course {
			f.course = now
			mark(f)
		}
	}
}
