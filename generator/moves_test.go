package generator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"freshet/generator"
	"freshet/internal/site"
)

// A mover is a site whose documents move in steps, each built by itself.
type mover struct {
	*bench
	t   *testing.T
	s   *shelf
	now time.Time
}

func newMover(t *testing.T) *mover {
	s := newShelf()
	return &mover{newBench(t, benchOptions{source: s, memo: openMemo(t), noTree: true}), t, s, day(0)}
}

func (m *mover) post(id, slug, title, body string) {
	p := newPost(id, slug, -10)
	p.Title = title
	m.s.put(p, map[string]string{"": body})
}

func (m *mover) step() *generator.Report {
	m.t.Helper()
	m.now = m.now.Add(time.Second)
	return m.build(m.t, generator.Options{Now: m.now, Changed: []string{}})
}

func (m *mover) at(path site.Path) string {
	e, ok := m.store.Current().Lookup(path)
	if !ok {
		return "404"
	}
	return strings.TrimSpace(fmt.Sprint(e.Status, " ", e.Location))
}

const essay = "Rivers run to the sea. Some of them are long.\n\nOthers dry up in summer. Nobody knows why.\n\n- one\n- two\n\n```\na = 1\nb = 2\n```\n"

// TestMovesInSteps moves content in more than one build, as git, rsync and people do.
func TestMovesInSteps(t *testing.T) {
	edited := strings.Replace(essay, "Nobody knows why.", "The sun is to blame!", 1)
	for _, tt := range []struct {
		name  string
		steps []func(*mover)
		want  string // at /blog/old/
	}{
		{"the new file first", []func(*mover){
			func(m *mover) { m.post("new.md", "new", "Old", essay) },
			func(m *mover) { m.s.drop("old.md") },
		}, "301 /blog/new/"},
		{"the old file first", []func(*mover){
			func(m *mover) { m.s.drop("old.md") },
			func(m *mover) { m.post("new.md", "new", "Old", essay) },
		}, "301 /blog/new/"},
		{"the old file much earlier", []func(*mover){
			func(m *mover) { m.s.drop("old.md") },
			func(m *mover) { m.now = m.now.Add(24 * time.Hour) },
			func(m *mover) { m.post("new.md", "new", "Old", essay) },
		}, "301 /blog/new/"},
		{"a copy that was there long before", []func(*mover){
			func(m *mover) { m.post("new.md", "new", "Old", essay) },
			func(m *mover) { m.now = m.now.Add(24 * time.Hour) },
			func(m *mover) { m.s.drop("old.md") },
		}, "301 /blog/new/"},
		{"another title", []func(*mover){
			func(m *mover) { m.post("new.md", "new", "New", essay) },
			func(m *mover) { m.s.drop("old.md") },
		}, "301 /blog/new/"},
		{"one sentence less, the new file first", []func(*mover){
			func(m *mover) { m.post("new.md", "new", "Old", edited) },
			func(m *mover) { m.s.drop("old.md") },
		}, "301 /blog/new/"},
		{"one sentence less and another title, the old file first", []func(*mover){
			func(m *mover) { m.s.drop("old.md") },
			func(m *mover) { m.post("new.md", "new", "New", edited) },
		}, "301 /blog/new/"},
		{"edited, in one build", []func(*mover){
			func(m *mover) { m.s.drop("old.md"); m.post("new.md", "new", "Old", edited) },
		}, "301 /blog/new/"},
		{"edited long afterwards", []func(*mover){
			func(m *mover) { m.s.drop("old.md") },
			func(m *mover) { m.now = m.now.Add(time.Hour) },
			func(m *mover) { m.post("new.md", "new", "New", edited) },
		}, "410"},
		{"mostly other text", []func(*mover){
			func(m *mover) {
				m.post("new.md", "new", "New", "Rivers run to the sea. Hills do not.\n\nLakes lie. Ponds too.\n\n- three\n- four\n\nSprings spring.")
			},
			func(m *mover) { m.s.drop("old.md") },
		}, "410"},
		{"the better of two", []func(*mover){
			func(m *mover) { m.post("a.md", "a", "Old", strings.Replace(edited, "Some of them are long.", "", 1)) },
			func(m *mover) { m.post("z.md", "z", "Old", edited) },
			func(m *mover) { m.s.drop("old.md") },
		}, "301 /blog/z/"},
		{"twice", []func(*mover){
			func(m *mover) { m.post("mid.md", "mid", "Old", essay) },
			func(m *mover) { m.s.drop("old.md") },
			func(m *mover) { m.post("new.md", "new", "Old", essay) },
			func(m *mover) { m.s.drop("mid.md") },
		}, "301 /blog/new/"},
		{"a draft that is published with another name", []func(*mover){
			func(m *mover) {
				p := newPost("old.md", "old", -10)
				p.Draft = true
				m.s.put(p, map[string]string{"": essay})
			},
			func(m *mover) { m.now = m.now.Add(24 * time.Hour) },
			func(m *mover) { m.post("old.md", "new", "Quite another", "And another text.") },
		}, "301 /blog/new/"},
		{"gone", []func(*mover){func(m *mover) { m.s.drop("old.md") }}, "410"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMover(t)
			m.post("old.md", "old", "Old", essay)
			m.post("other.md", "other", "Other", "Something else. It stays.")
			m.step()
			for _, step := range tt.steps {
				step(m)
				m.step()
			}
			if got := m.at("/blog/old/"); got != tt.want {
				t.Errorf("/blog/old/ is %q, want %q", got, tt.want)
			}
			if tt.name == "twice" && m.at("/blog/mid/") != "301 /blog/new/" {
				t.Errorf("/blog/mid/ is %q", m.at("/blog/mid/"))
			}
		})
	}
}

// TestExchange exchanges two posts by way of a third name.
func TestExchange(t *testing.T) {
	m := newMover(t)
	m.post("a/index.md", "a", "A", "About a. It is long.")
	m.post("b/index.md", "b", "B", "About b. It is short.")
	m.step()
	for _, step := range []func(){
		func() { m.s.drop("a/index.md"); m.post("tmp/index.md", "tmp", "A", "About a. It is long.") },
		func() { m.s.drop("b/index.md"); m.post("a/index.md", "a", "B", "About b. It is short.") },
		func() { m.s.drop("tmp/index.md") },
		func() { m.post("b/index.md", "b", "A", "About a. It is long.") },
	} {
		step()
		m.step()
	}
	for path, want := range map[site.Path]string{"/blog/a/": "200", "/blog/b/": "200", "/blog/tmp/": "301 /blog/b/"} {
		if got := m.at(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// TestLessonMoves moves a lesson into another course.
func TestLessonMoves(t *testing.T) {
	m := newMover(t)
	course := func(slug string, lessons ...string) {
		c := &site.Course{Meta: site.Meta{ID: site.ID("courses/" + slug), Slug: site.Slug(slug), Title: slug}, Modules: []site.Module{{}}}
		bodies := map[string]string{}
		for _, l := range lessons {
			id := "courses/" + slug + "/" + l + ".md"
			c.Modules[0].Lessons = append(c.Modules[0].Lessons, site.Lesson{ID: site.ID(id), Slug: site.Slug(l), Title: l, Open: true})
			bodies[id] = "The lesson of " + l + ". It is not long."
		}
		m.s.put(c, bodies)
	}
	course("x", "one", "two")
	course("y", "three")
	m.step()
	course("y", "three", "one")
	m.step()
	course("x", "two")
	m.step()
	if got := m.at("/courses/x/one/"); got != "301 /courses/y/one/" {
		t.Errorf("the lesson's old address is %q", got)
	}
}

// TestManyMove moves most of a site at once, in two builds: that is no loss, whichever comes first, and whether the
// texts are edited or not.
func TestManyMove(t *testing.T) {
	for _, edited := range []bool{false, true} {
		for _, first := range []string{"old", "new", "both"} {
			t.Run(fmt.Sprint(edited, " ", first), func(t *testing.T) {
				m := newMover(t)
				text := func(i int, old bool) string {
					s := fmt.Sprintf("This is number %d. It has %d words. It ends with %d.", i, i*7, i*i)
					if edited && !old {
						s = strings.Replace(s, "It ends", "It really ends", 1)
					}
					return s
				}
				for i := range 60 {
					m.post(fmt.Sprintf("old/%02d.md", i), fmt.Sprintf("old-%02d", i), fmt.Sprint("Post ", i), text(i, true))
				}
				m.step()
				drop := func() {
					for i := range 50 {
						m.s.drop(site.ID(fmt.Sprintf("old/%02d.md", i)))
					}
				}
				put := func() {
					for i := range 50 {
						m.post(fmt.Sprintf("new/%02d.md", i), fmt.Sprintf("new-%02d", i), fmt.Sprint("Post ", i), text(i, false))
					}
				}
				switch first {
				case "old":
					drop()
					_, err := m.Build(t.Context(), generator.Options{Now: m.now.Add(time.Second), Changed: []string{}})
					if shrink, is := errors.AsType[*generator.ShrinkError](err); !is || shrink.Before-shrink.After != 50 {
						t.Fatalf("fifty that are nowhere: %v", err)
					}
					put()
				case "new":
					put()
					m.step()
					drop()
				case "both":
					drop()
					put()
				}
				if rep := m.step(); rep.Documents != 60 {
					t.Errorf("%d documents", rep.Documents)
				}
				for i := range 50 {
					if got, want := m.at(site.Path(fmt.Sprintf("/blog/old-%02d/", i))), fmt.Sprintf("301 /blog/new-%02d/", i); got != want {
						t.Errorf("old-%02d is %q, want %q", i, got, want)
					}
				}
			})
		}
	}
}
