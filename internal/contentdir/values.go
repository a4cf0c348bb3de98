package contentdir

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"freshet/internal/diag"
	"freshet/internal/frontmatter"
	"freshet/internal/site"
)

func (r *reader) number(f *frontmatter.Field, to *float64) bool {
	n, ok := r.numberOf(f.Val)
	if !ok {
		r.warn(f, fmt.Sprintf("%s %q is not a number", f.Key, diag.Clip(f.Val.Text, 40)), "write digits only")
		return false
	}
	*to = n
	return true
}

// numberOf reads what is no less than nothing; in a document of MongoDB's it may have a currency beside it.
func (r *reader) numberOf(v *frontmatter.Value) (float64, bool) {
	if r.out.stored {
		n, ok := site.ParseAmount(v.Text)
		return n, ok && n >= 0 && n <= 1e12
	}
	return numberOf(v.Text)
}

func numberOf(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), ",", ""), 64)
	return n, err == nil && n >= 0 && n <= 1e12
}

func (r *reader) absolute(f *frontmatter.Field, to *string) bool {
	u, err := url.Parse(strings.TrimSpace(f.Val.Text))
	if f.Val.Kind != frontmatter.Text || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		r.warn(f, fmt.Sprintf("%s %q is not a web address", f.Key, diag.Clip(f.Val.Text, 40)), "write it in full, with https://")
		return false
	}
	*to = u.String()
	return true
}

func (r *reader) menu(v *frontmatter.Value) {
	switch v.Kind {
	case frontmatter.Text:
		r.out.nav = r.out.nav || strings.EqualFold(v.Text, "main")
	case frontmatter.List:
		for _, it := range v.Items {
			r.menu(it)
		}
	case frontmatter.Table:
		if m := v.Lookup("main"); m != nil {
			r.out.nav = true
			if w := m.Lookup("weight"); w != nil && !r.out.weighted {
				if n, err := strconv.Atoi(w.Text); err == nil {
					r.out.weight, r.out.weighted = n, true
				}
			}
		}
	}
}

// terms reads tags or categories.
func (r *reader) terms(v *frontmatter.Value) []string {
	if r.blanks && v.Kind == frontmatter.Text && !strings.Contains(v.Text, ",") {
		return appendNew(nil, strings.Fields(v.Text)...)
	}
	return stringsOf(v)
}

// stringsOf reads a list or a comma-separated string; empty and repeated items are left out.
func stringsOf(v *frontmatter.Value) []string {
	switch v.Kind {
	case frontmatter.List:
		var out []string
		for _, it := range v.Items {
			switch it.Kind {
			case frontmatter.Table:
				for _, k := range [...]string{"name", "title", "label"} {
					if n := it.Lookup(k); n != nil && n.Text != "" {
						out = append(out, clean(n.Text))
						break
					}
				}
			case frontmatter.List:
				for _, in := range it.Items {
					if in.Kind != frontmatter.Table && in.Kind != frontmatter.List {
						out = append(out, clean(in.Text))
					}
				}
			case frontmatter.Null:
			default:
				out = append(out, clean(it.Text))
			}
		}
		return appendNew(nil, out...)
	case frontmatter.Text, frontmatter.Number, frontmatter.Boolean, frontmatter.Moment:
		var out []string
		for _, s := range strings.Split(v.Text, ",") {
			out = append(out, clean(s))
		}
		return appendNew(nil, out...)
	}
	return nil
}

// linesOf reads a list of sentences: commas do not part them.
func linesOf(v *frontmatter.Value) []string {
	if v.Kind == frontmatter.List {
		return stringsOf(v)
	}
	var out []string
	for _, s := range strings.Split(v.Text, "\n") {
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

func pictureOf(v *frontmatter.Value) site.Picture {
	switch v.Kind {
	case frontmatter.Text:
		return site.Picture{Src: strings.TrimSpace(v.Text)}
	case frontmatter.List:
		if len(v.Items) > 0 {
			return pictureOf(v.Items[0])
		}
	case frontmatter.Table:
		var p site.Picture
		for _, k := range [...]string{"url", "src", "image", "imageUrl", "path", "file", "filename", "relative"} {
			if s := v.Lookup(k); s != nil && s.Kind == frontmatter.Text && s.Text != "" {
				p.Src = strings.TrimSpace(s.Text)
				break
			}
		}
		for _, k := range [...]string{"alt", "caption", "title"} {
			if s := v.Lookup(k); s != nil && s.Kind == frontmatter.Text && s.Text != "" {
				p.Alt = clean(s.Text)
				break
			}
		}
		return p
	}
	return site.Picture{}
}

func authorsOf(v *frontmatter.Value) []site.Author {
	var out []site.Author
	seen := map[string]bool{}
	add := func(a site.Author) {
		a.Name = clean(a.Name)
		if a.Name != "" && !seen[a.Name] {
			seen[a.Name] = true
			out = append(out, a)
		}
	}
	switch v.Kind {
	case frontmatter.Text, frontmatter.Number:
		for _, n := range site.SplitNames(v.Text) {
			add(site.Author{Name: n})
		}
	case frontmatter.List:
		for _, it := range v.Items {
			switch it.Kind {
			case frontmatter.Table:
				for _, a := range authorsOf(it) {
					add(a)
				}
			case frontmatter.Text, frontmatter.Number:
				if strings.Contains(it.Text, "](") || strings.Contains(it.Text, " and ") && !strings.Contains(it.Text, ",") {
					for _, n := range site.SplitNames(it.Text) {
						add(site.Author{Name: n})
					}
				} else {
					add(site.Author{Name: site.BareName(it.Text)})
				}
			}
		}
	case frontmatter.Table:
		a := site.Author{}
		for _, k := range [...]string{"name", "title", "display_name", "displayName", "id"} {
			if s := v.Lookup(k); s != nil && s.Kind == frontmatter.Text {
				a.Name = site.BareName(s.Text)
				break
			}
		}
		for _, k := range [...]string{"image", "avatar", "picture", "photo", "image_url"} {
			if s := v.Lookup(k); s != nil {
				a.Image = pictureOf(s).Src
				break
			}
		}
		add(a)
	}
	return out
}

func instructorsOf(v *frontmatter.Value) []site.Instructor {
	var out []site.Instructor
	if v.Kind == frontmatter.Table {
		get := func(names ...string) string {
			for _, k := range names {
				if s := v.Lookup(k); s != nil {
					if s.Kind == frontmatter.Text {
						return clean(s.Text)
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
	if v.Kind == frontmatter.List {
		for _, it := range v.Items {
			out = append(out, instructorsOf(it)...)
		}
		return out
	}
	for _, a := range authorsOf(v) {
		out = append(out, site.Instructor{Name: a.Name})
	}
	return out
}
