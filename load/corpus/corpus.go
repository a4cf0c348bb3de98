// Package corpus makes benchmark sites: as many posts and courses as asked for, always the same bytes for the same
// numbers, with what makes real posts cost time: 600 to 1,200 words, headings, lists, links to other posts, a table,
// tags, and two code blocks in varied languages. No two posts share a code block, so that remembering one does not
// help with the next.
//
// One content tree serves freshet and Hugo alike; [WriteHugo] adds the settings and templates that make Hugo do
// comparable work with it.
package corpus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Size says how big a corpus is.
type Size struct {
	Posts   int
	Courses int // each with two modules of three lessons
}

// Pages is the number of documents with a page of their own.
func (s Size) Pages() int { return s.Posts + s.Courses*(1+lessonsPerCourse) }

const (
	modulesPerCourse = 2
	lessonsPerModule = 3
	lessonsPerCourse = modulesPerCourse * lessonsPerModule
	tagCount         = 60
	authorCount      = 20
	postsPerFolder   = 1000
)

// A File is one Markdown file of the content tree.
type File struct {
	Name string // slash-separated, below the content folder
	Data []byte
}

// Write writes the content tree into dir, which it makes.
func Write(dir string, size Size) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for first := 0; first < size.Posts; first += postsPerFolder {
		g.Go(func() error {
			for i := first; i < min(first+postsPerFolder, size.Posts); i++ {
				if err := write(dir, Post(i, size.Posts)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for i := range size.Courses {
			for _, f := range Course(i) {
				if err := write(dir, f); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return g.Wait()
}

func write(dir string, f File) error {
	name := filepath.Join(dir, filepath.FromSlash(f.Name))
	err := os.WriteFile(name, f.Data, 0o666)
	if os.IsNotExist(err) {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return fmt.Errorf("write corpus: %w", err)
		}
		err = os.WriteFile(name, f.Data, 0o666)
	}
	if err != nil {
		return fmt.Errorf("write corpus: %w", err)
	}
	return nil
}

// Slug is the address of post i: /blog/<slug>/.
func Slug(i int) string {
	return fmt.Sprintf("%s-%s-%06d", nouns[i%len(nouns)], verbs[i/7%len(verbs)], i)
}

// Post makes post i of n.
func Post(i, n int) File {
	r := rand.New(rand.NewPCG(0xf4e5, uint64(i)))
	var b bytes.Buffer
	title := strings.ToUpper(nouns[i%len(nouns)][:1]) + nouns[i%len(nouns)][1:]
	published := time.Date(2012, 1, 1, 6, 0, 0, 0, time.UTC).Add(time.Duration(i) * (13 * 365 * 24 * time.Hour / time.Duration(n)))
	fmt.Fprintf(&b, "---\ntitle: \"%s and %s, part %d\"\nslug: %s\ndate: %s\nauthor: %s\ndescription: %q\ntags: [",
		title, nouns[r.IntN(len(nouns))], i, Slug(i), published.Format(time.RFC3339), authorName(r.IntN(authorCount)), sentence(r))
	first := r.IntN(tagCount)
	for t := range 2 + r.IntN(4) {
		if t > 0 {
			b.WriteString(", ")
		}
		b.WriteString(tagName((first + t*7) % tagCount))
	}
	b.WriteString("]\n---\n\n")

	words := 600 + r.IntN(601)
	sections := 4 + r.IntN(3)
	for s := range sections {
		if s > 0 {
			fmt.Fprintf(&b, "## %s\n\n", heading(r))
		}
		for left := words / sections; left > 0; {
			p := min(left, 50+r.IntN(60))
			paragraph(&b, r, p, n)
			left -= p
		}
		switch s {
		case 0, 2:
			codeBlock(&b, r, i)
		case 1:
			table(&b, r)
		case 3:
			for range 3 + r.IntN(4) {
				fmt.Fprintf(&b, "- %s\n", sentence(r))
			}
			b.WriteByte('\n')
		}
	}
	return File{Name: fmt.Sprintf("blog/%03d/post-%06d.md", i/postsPerFolder, i), Data: b.Bytes()}
}

// Course makes course i: its own text and its lessons.
func Course(i int) []File {
	r := rand.New(rand.NewPCG(0xc0c0, uint64(i)))
	name := fmt.Sprintf("courses/course-%03d", i)
	var b bytes.Buffer
	fmt.Fprintf(&b, "---\ntitle: \"Course %d: %s\"\ndate: 2020-01-01T06:00:00Z\ndescription: %q\ntags: [%s]\nlevel: Beginner\n---\n\n",
		i, heading(r), sentence(r), tagName(r.IntN(tagCount)))
	paragraph(&b, r, 150, 0)
	files := []File{{Name: name + "/_index.md", Data: bytes.Clone(b.Bytes())}}
	for l := range lessonsPerCourse {
		b.Reset()
		fmt.Fprintf(&b, "---\ntitle: \"Lesson %d: %s\"\ndate: 2020-01-01T06:00:00Z\nweight: %d\n---\n\n", l+1, heading(r), l+1)
		for range 4 {
			paragraph(&b, r, 70, 0)
		}
		files = append(files, File{
			Name: fmt.Sprintf("%s/%02d-part/%02d-lesson.md", name, 1+l/lessonsPerModule, 1+l%lessonsPerModule),
			Data: bytes.Clone(b.Bytes()),
		})
	}
	return files
}

func authorName(i int) string { return "Author " + strings.ToUpper(nouns[i*3][:1]) + nouns[i*3][1:] }

func tagName(i int) string { return nouns[(i*5+2)%len(nouns)] }

// word is drawn so that few words are frequent and most are rare, as in prose.
func word(r *rand.Rand) string {
	all := len(nouns) + len(verbs) + len(small)
	k := int(float64(all) * r.Float64() * r.Float64())
	switch {
	case k < len(small):
		return small[k]
	case k < len(small)+len(verbs):
		return verbs[k-len(small)]
	default:
		return nouns[k-len(small)-len(verbs)]
	}
}

func heading(r *rand.Rand) string {
	n := nouns[r.IntN(len(nouns))]
	return fmt.Sprintf("%s%s %s the %s %s", strings.ToUpper(n[:1]), n[1:], verbs[r.IntN(len(verbs))], word(r), nouns[r.IntN(len(nouns))])
}

func sentence(r *rand.Rand) string {
	var b strings.Builder
	for w := range 8 + r.IntN(10) {
		text := word(r)
		if w == 0 {
			text = strings.ToUpper(text[:1]) + text[1:]
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(text)
	}
	b.WriteByte('.')
	return b.String()
}

// paragraph writes so many words with the inline markup of prose: emphasis, code, a link to another post now and then.
func paragraph(b *bytes.Buffer, r *rand.Rand, words, posts int) {
	start := true
	for w := range words {
		text := word(r)
		if start {
			text = strings.ToUpper(text[:1]) + text[1:]
			start = false
		}
		switch k := r.IntN(160); {
		case k == 0 && posts > 0:
			text = fmt.Sprintf("[%s %s](/blog/%s/)", text, word(r), Slug(r.IntN(posts)))
		case k == 1:
			text = fmt.Sprintf("[%s](https://%s.example.com/%s)", text, nouns[r.IntN(len(nouns))], word(r))
		case k < 4:
			text = "*" + text + "*"
		case k < 6:
			text = "**" + text + "**"
		case k < 8:
			text = "`" + text + "`"
		}
		b.WriteString(text)
		switch {
		case w == words-1:
			b.WriteString(".\n\n")
		case r.IntN(12) == 0:
			b.WriteString(". ")
			start = true
		case r.IntN(10) == 0:
			b.WriteString(", ")
		case w%16 == 15:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
	}
}

func table(b *bytes.Buffer, r *rand.Rand) {
	b.WriteString("| Name | Kind | Count | Note |\n| --- | :-- | --: | --- |\n")
	for range 4 + r.IntN(5) {
		fmt.Fprintf(b, "| %s | `%s` | %d | %s %s |\n", nouns[r.IntN(len(nouns))], verbs[r.IntN(len(verbs))], r.IntN(10000), word(r), word(r))
	}
	b.WriteByte('\n')
}
