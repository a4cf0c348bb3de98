package contentdir

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/site"
)

func (r *reader) number(f *field, to *float64) bool {
	n, ok := r.numberOf(f.val)
	if !ok {
		r.warn(f, fmt.Sprintf("%s %q is not a number", f.key, diag.Clip(f.val.s, 40)), "write digits only")
		return false
	}
	*to = n
	return true
}

// numberOf reads what is no less than nothing; in a document of MongoDB's it may have a currency beside it.
func (r *reader) numberOf(v *value) (float64, bool) {
	if r.out.stored {
		n, ok := site.ParseAmount(v.s)
		return n, ok && n >= 0 && n <= 1e12
	}
	return numberOf(v.s)
}

func numberOf(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	return n, err == nil && n >= 0 && n <= 1e12
}

func (r *reader) absolute(f *field, to *string) bool {
	u, err := url.Parse(strings.TrimSpace(f.val.s))
	if f.val.kind != text || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.warn(f, fmt.Sprintf("%s %q is not a web address", f.key, diag.Clip(f.val.s, 40)), "write it in full, with https://")
		return false
	}
	*to = u.String()
	return true
}

func (r *reader) menu(v *value) {
	switch v.kind {
	case text:
		r.out.nav = r.out.nav || strings.EqualFold(v.s, "main")
	case list:
		for _, it := range v.items {
			r.menu(it)
		}
	case table:
		if m := v.lookup("main"); m != nil {
			r.out.nav = true
			if w := m.lookup("weight"); w != nil && !r.out.weighted {
				if n, err := strconv.Atoi(w.s); err == nil {
					r.out.weight, r.out.weighted = n, true
				}
			}
		}
	}
}

func boolOf(v *value) (b, ok bool) {
	switch strings.ToLower(v.s) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// terms reads tags or categories.
func (r *reader) terms(v *value) []string {
	if r.blanks && v.kind == text && !strings.Contains(v.s, ",") {
		return appendNew(nil, strings.Fields(v.s)...)
	}
	return stringsOf(v)
}

// stringsOf reads a list or a comma-separated string; empty and repeated items are left out.
func stringsOf(v *value) []string {
	switch v.kind {
	case list:
		var out []string
		for _, it := range v.items {
			switch it.kind {
			case table:
				for _, k := range [...]string{"name", "title", "label"} {
					if n := it.lookup(k); n != nil && n.s != "" {
						out = append(out, clean(n.s))
						break
					}
				}
			case list:
				for _, in := range it.items {
					if in.kind != table && in.kind != list {
						out = append(out, clean(in.s))
					}
				}
			case null:
			default:
				out = append(out, clean(it.s))
			}
		}
		return appendNew(nil, out...)
	case text, number, boolean, moment:
		var out []string
		for _, s := range strings.Split(v.s, ",") {
			out = append(out, clean(s))
		}
		return appendNew(nil, out...)
	}
	return nil
}

// linesOf reads a list of sentences: commas do not part them.
func linesOf(v *value) []string {
	if v.kind == list {
		return stringsOf(v)
	}
	var out []string
	for _, s := range strings.Split(v.s, "\n") {
		out = appendNew(out, clean(strings.TrimLeft(s, "-*• ")))
	}
	return out
}

// clean trims and collapses white space.
func clean(s string) string { return strings.Join(strings.Fields(s), " ") }

func appendNew(list []string, more ...string) []string {
	const few = 32 // up to so many, a map costs more than it saves
	if len(more) > few {
		seen := make(map[string]bool, len(list)+len(more))
		for _, s := range list {
			seen[s] = true
		}
		for _, s := range more {
			if s != "" && !seen[s] {
				seen[s] = true
				list = append(list, s)
			}
		}
		return list
	}
	for _, s := range more {
		if s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

func pictureOf(v *value) site.Picture {
	switch v.kind {
	case text:
		return site.Picture{Src: strings.TrimSpace(v.s)}
	case list:
		if len(v.items) > 0 {
			return pictureOf(v.items[0])
		}
	case table:
		var p site.Picture
		for _, k := range [...]string{"url", "src", "image", "imageUrl", "path", "file", "filename", "relative"} {
			if s := v.lookup(k); s != nil && s.kind == text && s.s != "" {
				p.Src = strings.TrimSpace(s.s)
				break
			}
		}
		for _, k := range [...]string{"alt", "caption", "title"} {
			if s := v.lookup(k); s != nil && s.kind == text && s.s != "" {
				p.Alt = clean(s.s)
				break
			}
		}
		return p
	}
	return site.Picture{}
}

func authorsOf(v *value) []site.Author {
	var out []site.Author
	seen := map[string]bool{}
	add := func(a site.Author) {
		a.Name = clean(a.Name)
		if a.Name != "" && !seen[a.Name] {
			seen[a.Name] = true
			out = append(out, a)
		}
	}
	switch v.kind {
	case text, number:
		for _, n := range site.SplitNames(v.s) {
			add(site.Author{Name: n})
		}
	case list:
		for _, it := range v.items {
			switch it.kind {
			case table:
				for _, a := range authorsOf(it) {
					add(a)
				}
			case text, number:
				if strings.Contains(it.s, "](") || strings.Contains(it.s, " and ") && !strings.Contains(it.s, ",") {
					for _, n := range site.SplitNames(it.s) {
						add(site.Author{Name: n})
					}
				} else {
					add(site.Author{Name: site.BareName(it.s)})
				}
			}
		}
	case table:
		a := site.Author{}
		for _, k := range [...]string{"name", "title", "display_name", "displayName", "id"} {
			if s := v.lookup(k); s != nil && s.kind == text {
				a.Name = site.BareName(s.s)
				break
			}
		}
		for _, k := range [...]string{"image", "avatar", "picture", "photo", "image_url"} {
			if s := v.lookup(k); s != nil {
				a.Image = pictureOf(s).Src
				break
			}
		}
		add(a)
	}
	return out
}

func instructorsOf(v *value) []site.Instructor {
	var out []site.Instructor
	if v.kind == table {
		get := func(names ...string) string {
			for _, k := range names {
				if s := v.lookup(k); s != nil {
					if s.kind == text {
						return clean(s.s)
					}
					if p := pictureOf(s); p.Src != "" {
						return p.Src
					}
				}
			}
			return ""
		}
		in := site.Instructor{Name: get("name"), Title: get("title", "role", "designation"), Image: get("image", "avatar", "photo"), Bio: get("bio", "description", "about")}
		if in.Name != "" {
			out = append(out, in)
		}
		return out
	}
	if v.kind == list {
		for _, it := range v.items {
			out = append(out, instructorsOf(it)...)
		}
		return out
	}
	for _, a := range authorsOf(v) {
		out = append(out, site.Instructor{Name: a.Name})
	}
	return out
}
