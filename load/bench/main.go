// Command bench measures whole freshet processes beside Hugo's, in the same run on the same corpus.
//
//	go run ./load/bench --freshet ./freshet
//
// It makes the corpus (package corpus), then lets both programs do, in turn and --rounds times: a cold build into a
// new folder, a build with nothing changed, one with one post edited, one with one template edited. Each figure is
// the median of its rounds; wall and CPU time and peak memory are the system's own account of each process. What was
// built is deleted at the end only, because writing files right after deleting many is several times slower on some
// disks. Hugo is built once, at a pinned version, into load/.cache.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"freshet/load/corpus"
	"freshet/templates"
)

// hugoVersion is the release that freshet's targets are measured against.
const hugoVersion = "v0.165.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	flag.StringVar(&b.freshet, "freshet", "./freshet", "the freshet `binary` to measure")
	flag.StringVar(&b.cache, "cache", "load/.cache", "`folder` for corpora, what is built, and Hugo")
	flag.IntVar(&b.posts, "posts", 10000, "posts in the corpus")
	flag.IntVar(&b.courses, "courses", 200, "courses in the corpus")
	flag.IntVar(&b.rounds, "rounds", 3, "how often everything is measured")
	flag.StringVar(&b.highlight, "highlight", "both", "colour code: true, false or both")
	flag.BoolVar(&b.hugo, "hugo", true, "measure Hugo beside freshet; at 100,000 posts it takes 7.4 GB and six minutes a build")
	flag.BoolVar(&b.json, "json", false, "print the medians as JSON")
	write := flag.Bool("write", false, "write the corpus and end")
	flag.Parse()
	if flag.NArg() > 0 || b.rounds < 1 || b.posts < 1 {
		flag.Usage()
		os.Exit(2)
	}
	err := b.prepare(ctx)
	if err == nil && !*write {
		err = b.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	freshet, cache, highlight string
	posts, courses, rounds    int
	hugo, json                bool

	content string // folder of the corpus
	hugoBin string
}

// prepare makes the corpus and Hugo where they are not there yet.
func (b *bench) prepare(ctx context.Context) error {
	var err error
	if b.cache, err = filepath.Abs(b.cache); err != nil {
		return err
	}
	if b.freshet, err = filepath.Abs(b.freshet); err != nil {
		return err
	}
	b.content = filepath.Join(b.cache, fmt.Sprintf("corpus-%d-%d", b.posts, b.courses), "content")
	note("writing %d posts and %d courses", b.posts, b.courses)
	if err := os.RemoveAll(filepath.Dir(b.content)); err != nil { // an edited post of an earlier run is undone
		return err
	}
	if err := corpus.Write(b.content, corpus.Size{Posts: b.posts, Courses: b.courses}); err != nil {
		return err
	}
	if !b.hugo {
		return nil
	}
	b.hugoBin = filepath.Join(b.cache, "bin", "hugo")
	if out, err := exec.CommandContext(ctx, b.hugoBin, "version").Output(); err == nil && strings.Contains(string(out), hugoVersion) {
		return nil
	}
	note("building Hugo %s, once", hugoVersion)
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/gohugoio/hugo@"+hugoVersion)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+filepath.Dir(b.hugoBin))
	cmd.Dir = b.cache
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Hugo: %w\n%s", err, tail(out))
	}
	return nil
}

// note tells the person waiting what is going on.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// run measures everything and prints it.
func (b *bench) run(ctx context.Context) error {
	work := filepath.Join(b.cache, fmt.Sprintf("work-%d", os.Getpid()))
	defer os.RemoveAll(work) // last of all: see the package comment
	all := map[string]*results{}
	for _, highlight := range []bool{true, false} {
		if b.highlight != "both" && b.highlight != strconv.FormatBool(highlight) {
			continue
		}
		r := &results{posts: b.posts, highlight: highlight}
		for round := range b.rounds {
			note("round %d of %d, highlighting %t", round+1, b.rounds, highlight)
			dir := filepath.Join(work, fmt.Sprintf("%t-%d", highlight, round))
			if err := b.round(ctx, dir, highlight, round, r); err != nil {
				return err
			}
		}
		all[strconv.FormatBool(highlight)] = r
		if !b.json {
			r.print(os.Stdout)
		}
	}
	if b.json {
		medians := map[string]map[string]cost{}
		for highlight, r := range all {
			medians["highlight="+highlight] = r.medians()
		}
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Posts, Courses, Processors int
			Hugo                       string
			Medians                    map[string]map[string]cost
		}{b.posts, b.courses, runtime.NumCPU(), hugoVersion, medians})
	}
	return nil
}

// round lets both programs do everything once, taking turns.
func (b *bench) round(ctx context.Context, dir string, highlight bool, round int, r *results) error {
	f := &freshetSite{bin: b.freshet, dir: filepath.Join(dir, "freshet"), content: b.content, highlight: highlight}
	if err := f.write(); err != nil {
		return err
	}
	var h *hugoSite
	if b.hugo {
		h = &hugoSite{bin: b.hugoBin, dir: filepath.Join(dir, "hugo")}
		if err := corpus.WriteHugo(h.dir, b.content, highlight); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{stepCold, func() error { return nil }},
		{stepSame, func() error { return nil }},
		{stepPost, func() error { return b.editPost(round) }},
		{stepTemplate, func() error {
			if h != nil {
				if err := corpus.EditHugoTemplate(h.dir, round); err != nil {
					return err
				}
			}
			return f.editTemplate(round)
		}},
	} {
		if err := step.do(); err != nil {
			return err
		}
		c, err := f.build(ctx)
		if err != nil {
			return err
		}
		r.add("freshet "+step.name, c)
		if h == nil {
			continue
		}
		if c, err = h.build(ctx); err != nil {
			return err
		}
		r.add("hugo "+step.name, c)
	}
	return nil
}

// editPost changes a sentence in the middle of a post that is neither new nor old.
func (b *bench) editPost(round int) error {
	f := corpus.Post(b.posts/2+round, b.posts)
	name := filepath.Join(b.content, filepath.FromSlash(f.Name))
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("edit post: %w", err)
	}
	data = append(data, fmt.Sprintf("\nOne more paragraph, written in round %d after %d bytes.\n", round, len(data))...)
	if err := os.WriteFile(name, data, 0o666); err != nil {
		return fmt.Errorf("edit post: %w", err)
	}
	return nil
}

// freshetSite is a freshet site that is built round by round.
type freshetSite struct {
	bin, dir, content string
	highlight         bool
}

func (f *freshetSite) write() error {
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return err
	}
	settings := fmt.Sprintf("content: %q\nbuild: {highlight: %t}\n", f.content, f.highlight)
	return os.WriteFile(filepath.Join(f.dir, "freshet.yaml"), []byte(settings), 0o666)
}

func (f *freshetSite) build(ctx context.Context) (cost, error) {
	c, out, err := measure(ctx, f.dir, nil, f.bin, "build", "--json")
	if err != nil {
		return cost{}, err
	}
	var report struct{ Pages int }
	if err := json.Unmarshal(out, &report); err != nil {
		return cost{}, fmt.Errorf("read freshet's report: %w", err)
	}
	if report.Pages == 0 {
		return cost{}, errors.New("freshet built no page")
	}
	c.Pages = report.Pages
	return c, nil
}

// hugoSite is a Hugo site that is built round by round.
type hugoSite struct{ bin, dir string }

func (h *hugoSite) build(ctx context.Context) (cost, error) {
	c, out, err := measure(ctx, h.dir, []string{"HUGO_CACHEDIR=" + filepath.Join(h.dir, "cache")}, h.bin)
	if err != nil {
		return cost{}, err
	}
	for _, m := range hugoCounts.FindAllSubmatch(out, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return cost{}, fmt.Errorf("read Hugo's report: %w", err)
		}
		c.Pages += n
	}
	if c.Pages == 0 {
		return cost{}, fmt.Errorf("hugo built no page:\n%s", tail(out))
	}
	return c, nil
}

// hugoCounts finds the pages in Hugo's report: its own and those of paginators.
var hugoCounts = regexp.MustCompile(`(?m)^\s*(?:Pages|Paginator pages)\s*[│|]\s*(\d+)`)

// editTemplate overrides the built-in layout by one that shows something more on every page.
func (f *freshetSite) editTemplate(round int) error {
	layout, err := fs.ReadFile(templates.FS, "layout.html")
	if err != nil {
		return fmt.Errorf("edit template: %w", err)
	}
	edited := bytes.Replace(layout, []byte("</body>"), fmt.Appendf(nil, "<i hidden>%d</i></body>", round), 1)
	if bytes.Equal(edited, layout) {
		return errors.New("edit template: layout.html has no </body>")
	}
	if err := os.MkdirAll(filepath.Join(f.dir, "templates"), 0o777); err != nil {
		return fmt.Errorf("edit template: %w", err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "templates", "layout.html"), edited, 0o666); err != nil {
		return fmt.Errorf("edit template: %w", err)
	}
	return nil
}
