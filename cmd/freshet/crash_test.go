//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

// crashNow is the time that all builds of the crash test are made for.
const crashNow = "2026-06-01T00:00:00Z"

// TestKill kills builds, real processes by a real SIGKILL, at moments spread over their whole life: at fractions of
// the time that an undisturbed build takes, and right after the k-th thing that a build does to the state folder, the
// page log or the public tree, for growing k. Meanwhile a server follows the state folder and readers ask it without
// a pause. It checks that
//
//   - every response belongs to one committed generation, by its number, body and ETag, no known page ever fails,
//     and generations never go back;
//   - within a generation all pages say the same of a post, and a number never stands for two generations;
//   - public files are whole at any time, after a kill also what lists and pages link to is there, and nothing is
//     in the tree that no generation had;
//   - the next build succeeds, and then the tree is byte for byte what a clean build makes.
func TestKill(t *testing.T) {
	kills, least := 120, 60 // a busy machine does fewer, to end in time
	if testing.Short() {
		kills, least = 25, 25
	}
	enough := time.Now().Add(45 * time.Second)
	c := newCrash(t)
	c.mustBuild()
	c.serve()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { c.read(ctx, uint64(i)) })
	}
	wg.Go(func() { c.readFiles(ctx) })

	for i := range 3 {
		c.edit(i)
		c.mustBuild() // to know how long it takes
	}
	var byTime, byEvent, inRow, builds, events, reach int
	for round := 0; (byTime+byEvent < least || byTime+byEvent < kills && time.Now().Before(enough)) && !t.Failed(); round++ {
		c.edit(round)
		var killed bool
		if round%2 == 0 {
			// Steps of the golden ratio fill the span evenly, however many there are.
			fraction := 0.618033988749895 * float64(round/2)
			fraction -= float64(int(fraction))
			killed = c.kill(time.Duration(fraction*float64(c.span)), 0)
			if killed {
				byTime++
			}
		} else {
			events++
			killed = c.kill(0, events)
			if killed {
				byEvent++
				reach = max(reach, events)
			} else {
				events = 0
			}
		}
		c.capture()
		c.checkTree("after a kill")
		if killed && inRow < 2 && round%5 < 3 {
			inRow++ // the next build meets what two or three killed ones left
			continue
		}
		inRow = 0
		c.mustBuild()
		if builds++; builds%25 == 0 {
			c.compareClean()
		}
	}
	c.mustBuild()
	c.compareClean()
	stop()
	wg.Wait()
	c.judge()
	t.Logf("%d builds killed, %d at a fraction of %v and %d after one of %d steps; %d generations; %d responses and %d public files judged; %d compactions",
		byTime+byEvent, byTime, c.span.Round(time.Millisecond), byEvent, reach, len(c.generations), c.responses.Load(), c.files.Load(), c.compactions)
}

// A crash is a site whose builds are killed.
type crash struct {
	t       *testing.T
	exe     string
	dir     string // holds content, state and public
	r       *rand.Rand
	edition int
	address string

	// Of the one goroutine that builds.
	last        uint64
	killed      int // builds since the last generation came, each of which can have cost a number
	segment     string
	compactions int
	span        time.Duration // that a whole build takes, lately
	looked      map[string]*looked
	bodies      map[site.Path]map[sum]site.Kind // of all generations
	mentions    map[site.ObjectRef][][2]string  // which edition of which post an object names

	responses, files atomic.Int64

	mu          sync.Mutex
	generations map[uint64]generation
	objects     map[site.ObjectRef]sum // of the generations, by ID and Size
	seen        map[response]int
	seenFiles   map[seenFile]int
}

type sum = [sha256.Size]byte

// A generation is what readers may get while it is current.
type generation map[site.Path]committed

type committed struct {
	kind   site.Kind
	status int
	body   sum    // of a 200
	etag   string // likewise
	target string // of a redirect
}

// A response is what a reader got, as far as it is judged.
type response struct {
	generation, path, etag, target string
	status                         int
	body                           sum
}

type seenFile struct {
	path site.Path
	body sum
}

func newCrash(t *testing.T) *crash {
	c := &crash{
		t: t, exe: testenv.Freshet(t), dir: t.TempDir(), r: rand.New(rand.NewPCG(3, 5)),
		generations: map[uint64]generation{}, objects: map[site.ObjectRef]sum{}, seen: map[response]int{}, seenFiles: map[seenFile]int{},
		looked: map[string]*looked{}, bodies: map[site.Path]map[sum]site.Kind{}, mentions: map[site.ObjectRef][][2]string{},
	}
	for i := range 60 {
		c.post(i, 0)
	}
	c.write("courses/weather/README.md", "# Weather\n\nA course.\n")
	for i := range 4 {
		c.write(fmt.Sprintf("courses/weather/%02d-lesson.md", i), fmt.Sprintf("# Lesson %d\n\nRain.\n", i))
	}
	c.write("pages/about.md", "---\ntitle: About\n---\n\nAbout this site.\n")
	c.big()
	return c
}

func (c *crash) write(name, text string) {
	c.t.Helper()
	name = filepath.Join(c.dir, "content", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		c.t.Fatal(err)
	}
}

// post writes a post. Its title, which lists, feeds and other posts show, holds the edition.
func (c *crash) post(i, edition int) {
	c.write(fmt.Sprintf("blog/post-%02d.md", i), fmt.Sprintf(
		"---\ntitle: Post %d edition %d\ndate: 2025-%02d-%02d\ntags: [t%d, water]\nauthor: Author %d\nslug: post-%02d\n---\n\n"+
			"The text of edition %d. See [another](post-%02d.md).\n\n```go\nfunc main() { println(%d) }\n```\n",
		i, edition, 1+i%12, 1+i/12, (i+edition)%4, i%3, i, edition, (i+7)%60, edition))
}

// big changes a file that is too big for the server's memory and soon makes the page log worth compacting.
func (c *crash) big() {
	b := make([]byte, 4<<20)
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], c.r.Uint64())
	}
	c.write("static/big.bin", string(b))
}

// edit changes the documents so that the next build has something to commit.
func (c *crash) edit(round int) {
	c.edition++
	switch round % 6 {
	case 0:
		c.post(c.r.IntN(60), c.edition)
	case 1:
		for range 8 {
			c.post(c.r.IntN(60), c.edition)
		}
	case 2:
		c.write(fmt.Sprintf("blog/extra-%d.md", c.edition), fmt.Sprintf("---\ntitle: Extra %d\ndate: 2026-02-0%d\ntags: [extra]\n---\n\nMore.\n", c.edition, 1+c.r.IntN(9)))
	case 3:
		c.big()
		c.post(c.r.IntN(60), c.edition)
	case 4:
		extra, err := filepath.Glob(filepath.Join(c.dir, "content/blog/extra-*.md"))
		if err == nil && len(extra) > 0 {
			err = os.Remove(extra[c.r.IntN(len(extra))])
		}
		if err != nil {
			c.t.Fatal(err)
		}
		c.post(c.r.IntN(60), c.edition)
	case 5:
		c.write("pages/about.md", fmt.Sprintf("---\ntitle: About %d\n---\n\nAbout edition %d.\n", c.edition, c.edition))
		c.post(c.r.IntN(60), c.edition)
	}
}

func (c *crash) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.exe, args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "FRESHET_BUILD_KEEP=2", "FRESHET_ADMIN="}
	return cmd
}

func (c *crash) buildCommand(state, public string) *exec.Cmd {
	return c.command("build", "--now", crashNow, "--url", "https://example.org", "--state", state, "--public", public)
}

// mustBuild runs a build that is left alone.
func (c *crash) mustBuild() {
	c.t.Helper()
	start := time.Now()
	if out, err := c.buildCommand("state", "public").CombinedOutput(); err != nil {
		c.t.Fatalf("a build fails after %d generations: %v\n%s", c.last, err, out)
	}
	c.span += (time.Since(start) - c.span) / 4
	c.capture()
	c.checkTree("after a whole build")
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, e := range c.generations[c.last] {
		if e.kind == site.KindRedirect || e.kind == site.KindHidden {
			continue
		}
		b, err := os.ReadFile(filepath.Join(c.dir, "public", treeFile(p)))
		if err != nil || sha256.Sum256(b) != e.body {
			c.t.Fatalf("after a whole build the public file of %s is not that of generation %d: %v", p, c.last, err)
		}
	}
}

// kill runs a build and kills it after a time, or when it has done so many things to its folders. It reports whether
// the build was killed before it ended.
func (c *crash) kill(after time.Duration, events int) bool {
	c.t.Helper()
	var watch *watcher
	if events > 0 {
		watch = c.watch()
		defer watch.close()
	}
	cmd := c.buildCommand("state", "public")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	strike := func() { _ = cmd.Process.Kill() } // what has ended cannot be killed
	done := make(chan struct{})
	if watch != nil {
		go func() {
			defer close(done)
			if watch.await(events) {
				strike()
			}
		}()
	} else {
		timer := time.AfterFunc(after, strike)
		defer timer.Stop()
		close(done)
	}
	err := cmd.Wait()
	if watch != nil {
		watch.stop()
	}
	<-done
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		c.killed++
		return true
	}
	if err != nil {
		c.t.Fatalf("a build that was to be killed fails by itself: %v\n%s", err, out.String())
	}
	return false
}

// A watcher counts what happens in folders.
type watcher struct {
	f *os.File
}

func (c *crash) watch() *watcher {
	c.t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		c.t.Fatalf("watch folders: %v", err)
	}
	w := &watcher{os.NewFile(uintptr(fd), "inotify")}
	const mask = syscall.IN_CREATE | syscall.IN_MODIFY | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_DELETE | syscall.IN_CLOSE_WRITE
	for _, dir := range []string{"state", "public"} {
		err := filepath.WalkDir(filepath.Join(c.dir, dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			_, err = syscall.InotifyAddWatch(fd, name, mask)
			return err
		})
		if err != nil {
			c.t.Fatalf("watch folders: %v", err)
		}
	}
	return w
}

// await reports whether so many things have happened before the watcher is stopped.
func (w *watcher) await(events int) bool {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if err != nil {
			return false
		}
		for b := buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
			b = b[syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])):]
			if events--; events == 0 {
				return true
			}
		}
	}
}

func (w *watcher) stop()  { _ = w.f.SetReadDeadline(time.Now()) } // an inotify file can always be polled
func (w *watcher) close() { _ = w.f.Close() }

// capture notes the newest generation. Builds commit once each, so after each of them it is the only new one. A build that is
// killed while it writes its commit leaves a part of it behind; the next writer cuts that off and does not use its number again.
func (c *crash) capture() {
	c.t.Helper()
	r, err := pagestore.OpenReader(pagestore.Config{Dir: filepath.Join(c.dir, "state")})
	if err != nil {
		c.t.Fatalf("read the page log: %v", err)
	}
	g := r.Current()
	if g == nil || g.ID < c.last || g.ID > c.last+1+uint64(c.killed) {
		c.t.Fatalf("after generation %d and %d killed builds the page log holds %+v", c.last, c.killed, g)
	}
	if g.ID > c.last {
		c.killed = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if segments, _ := filepath.Glob(filepath.Join(c.dir, "state/log/*.seg")); len(segments) > 0 { // the pattern is right
		if newest := slices.Max(segments); newest != c.segment {
			if c.segment != "" {
				c.compactions++
			}
			c.segment = newest
		}
	}
	pages := generation{}
	editions := map[string]string{}
	for e := range g.All() {
		is := committed{kind: e.Kind, status: e.Status, target: e.Location}
		if e.Status == http.StatusOK {
			key := site.ObjectRef{ID: e.Object.ID, Size: e.Object.Size}
			body, ok := c.objects[key]
			if !ok || g.ID > c.last && e.Generation == g.ID {
				b, err := g.Object(e.Object)
				if err != nil {
					c.t.Fatalf("read %s of generation %d: %v", e.Path, g.ID, err)
				}
				if body = sha256.Sum256(b); ok && body != c.objects[key] {
					c.t.Fatalf("%s of generation %d: object %s has other bytes than before", e.Path, g.ID, e.Object.ID)
				}
				c.objects[key] = body
				c.mentions[key] = mentions(b)
			}
			is.body, is.etag = body, `"`+e.Object.ID.String()+`"`
			for _, m := range c.mentions[key] {
				if was, ok := editions[m[0]]; ok && was != m[1] {
					c.t.Fatalf("generation %d is torn: %s shows edition %s of post %s, another page edition %s", g.ID, e.Path, m[1], m[0], was)
				}
				editions[m[0]] = m[1]
			}
		}
		pages[e.Path] = is
	}
	if old, ok := c.generations[g.ID]; ok {
		if !maps.Equal(old, pages) {
			c.t.Fatalf("generation %d is another than before", g.ID)
		}
		return
	}
	if len(editions) != 60 {
		c.t.Fatalf("the pages of generation %d name %d posts, want 60", g.ID, len(editions))
	}
	for p, e := range pages {
		if c.bodies[p] == nil {
			c.bodies[p] = map[sum]site.Kind{}
		}
		c.bodies[p][e.body] = e.kind
	}
	c.last, c.generations[g.ID] = g.ID, pages
}

// mentions lists the posts that a page names, with the edition. It does without regular expressions, which would take
// most of the test's time.
func mentions(page []byte) [][2]string {
	var out [][2]string
	for {
		_, rest, ok := bytes.Cut(page, []byte("Post "))
		if !ok {
			return out
		}
		page = rest
		post, rest, ok := bytes.Cut(rest[:min(len(rest), 40)], []byte(" edition "))
		if !ok {
			continue
		}
		end := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if _, err := strconv.Atoi(string(post)); err == nil && end > 0 {
			out = append(out, [2]string{string(post), string(rest[:end])})
		}
	}
}

// treeFile is the name of a page's file in the public tree.
func treeFile(p site.Path) string {
	name := strings.TrimPrefix(string(p), "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	return filepath.FromSlash(name)
}

// linksOf lists the addresses on this site that a page or feed names, without query and fragment.
func linksOf(page []byte) []string {
	var out []string
	for {
		i := bytes.Index(page, []byte(`="/`))
		j := bytes.Index(page, []byte("https://example.org/"))
		switch {
		case i < 0 && j < 0:
			return out
		case j < 0 || i >= 0 && i < j:
			page = page[i+len(`="`):]
		default:
			page = page[j+len("https://example.org"):]
		}
		end := bytes.IndexAny(page, "\"#?<\\ )]")
		if end < 0 {
			return out
		}
		out = append(out, string(page[:end]))
	}
}

// checkTree looks at the public tree while nobody writes it: every file is one that a generation has there, and what
// pages, lists and feeds link to is there, as far as the order of writing promises it.
func (c *crash) checkTree(when string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	present := map[string]*looked{}
	root := filepath.Join(c.dir, "public")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		if strings.HasPrefix(d.Name(), ".freshet") { // the marker, and what a killed build left
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(name, root+"/")
		f := c.looked[rel]
		if f == nil || !os.SameFile(f.info, info) || !f.info.ModTime().Equal(info.ModTime()) {
			if f, err = c.look(name, rel, info); err != nil {
				return err
			}
		}
		present[rel] = f
		return nil
	})
	if err != nil {
		c.t.Fatalf("%s: %v", when, err)
	}
	c.looked = present
	for rel, f := range present {
		for _, to := range f.links {
			// What links to its own kind may be written before what it links to: posts name their neighbours.
			if kind := c.kindOf(site.Path(to)); kind == 0 || kind >= f.kind {
				continue
			}
			if present[treeFile(site.Path(to))] == nil {
				c.t.Fatalf("%s: %s links to %s, which has no file", when, rel, to)
			}
		}
	}
}

// looked is what checkTree has seen in a file.
type looked struct {
	info  fs.FileInfo
	kind  site.Kind
	links []string
}

func (c *crash) look(name, rel string, info fs.FileInfo) (*looked, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p := site.Path("/" + strings.TrimSuffix(filepath.ToSlash(rel), "index.html"))
	kind, ok := c.bodies[p][sha256.Sum256(b)]
	if !ok {
		return nil, fmt.Errorf("the file %s is of no generation", rel)
	}
	c.files.Add(1)
	f := &looked{info: info, kind: kind}
	if kind != site.KindAsset {
		f.links = linksOf(b)
	}
	return f, nil
}

// kindOf is the kind of the page at p in the last generation that has one; 0: none has.
func (c *crash) kindOf(p site.Path) site.Kind {
	for id := c.last; id > 0; id-- {
		if e, ok := c.generations[id][p]; ok && e.status == http.StatusOK {
			return e.kind
		}
	}
	return 0
}

// compareClean compares the tree with the one that a build of the same documents makes in empty folders.
func (c *crash) compareClean() {
	c.t.Helper()
	clean := c.t.TempDir()
	public := filepath.Join(clean, "public")
	if out, err := c.buildCommand(filepath.Join(clean, "state"), public).CombinedOutput(); err != nil {
		c.t.Fatalf("clean build: %v\n%s", err, out)
	}
	want, got := readTree(c.t, public), readTree(c.t, filepath.Join(c.dir, "public"))
	for name, b := range want {
		if is, ok := got[name]; !ok {
			c.t.Errorf("a clean build has %s, the tree has not", name)
		} else if is != b {
			c.t.Errorf("%s is not that of a clean build", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			c.t.Errorf("the tree has %s, a clean build has not", name)
		}
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// serve starts the server that follows the state folder.
func (c *crash) serve() {
	c.t.Helper()
	cmd := c.command("serve", "--listen", "127.0.0.1:0", "--state", "state", "--log", "warn")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	line := make([]byte, 256)
	n, err := io.ReadAtLeast(out, line, len("http://a\n"))
	c.address = strings.TrimSuffix(strings.TrimSpace(string(line[:n])), "/")
	c.t.Cleanup(func() {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		if err != nil || stderr.Len() > 0 {
			c.t.Errorf("serve ends with %v\n%s", err, stderr.String())
		}
	})
	if err != nil || !strings.HasPrefix(c.address, "http://") {
		c.t.Fatalf("serve says %q: %v", line[:n], err)
	}
}

// read asks the server until ctx ends.
func (c *crash) read(ctx context.Context, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9))
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
	defer client.CloseIdleConnections()
	fixed := []string{"/", "/blog/", "/blog/page/1/", "/topic/water/", "/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml", "/search/index.json",
		"/courses/weather/", "/about/", "/nothing/here/"}
	etags := map[string]string{}
	var last uint64
	for tick := time.NewTicker(8 * time.Millisecond); ctx.Err() == nil; <-tick.C { // builds need the processor too
		path := fixed[r.IntN(len(fixed))]
		switch n := r.IntN(100); {
		case n < 50:
			path = fmt.Sprintf("/blog/post-%02d/", r.IntN(60))
		case n < 55:
			path = fmt.Sprintf("/blog/extra-%d/", r.IntN(300))
		case n < 56:
			path = "/big.bin"
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+path, nil)
		if err != nil {
			c.t.Error(err)
			return
		}
		if r.IntN(4) == 0 && etags[path] != "" {
			req.Header.Set("If-None-Match", etags[path])
		}
		resp, err := client.Do(req)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			err = errors.Join(err, resp.Body.Close())
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.t.Errorf("GET %s: %v", path, err)
			return
		}
		is := response{
			generation: resp.Header.Get("X-Freshet-Generation"), path: path, etag: resp.Header.Get("Etag"), target: resp.Header.Get("Location"),
			status: resp.StatusCode,
		}
		if is.status == http.StatusOK || is.status == http.StatusNotFound {
			is.body = sha256.Sum256(body)
		}
		if is.etag != "" {
			etags[path] = is.etag
		}
		id, err := strconv.ParseUint(is.generation, 10, 64)
		if err != nil || id < last {
			c.t.Errorf("GET %s: %d of generation %q after generation %d", path, is.status, is.generation, last)
			return
		}
		last = id
		c.responses.Add(1)
		c.mu.Lock()
		c.seen[is]++
		c.mu.Unlock()
	}
}

// readFiles reads public files while they are written.
func (c *crash) readFiles(ctx context.Context) {
	r := rand.New(rand.NewPCG(8, 9))
	for tick := time.NewTicker(8 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		p := []site.Path{"/", "/blog/", "/feed.xml", "/sitemap.xml", "/search/index.json", "/blog/page/2/", "/about/", "/_redirects"}[r.IntN(8)]
		if r.IntN(2) == 0 {
			p = site.PostPath(site.Slug(fmt.Sprintf("post-%02d", r.IntN(60))))
		}
		b, err := os.ReadFile(filepath.Join(c.dir, "public", treeFile(p)))
		if err != nil {
			c.t.Errorf("a public file that every generation has: %v", err)
			return
		}
		c.files.Add(1)
		c.mu.Lock()
		c.seenFiles[seenFile{p, sha256.Sum256(b)}]++
		c.mu.Unlock()
	}
}

// judge compares what readers got with the generations.
func (c *crash) judge() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for is, n := range c.seen {
		id, _ := strconv.ParseUint(is.generation, 10, 64) // a reader has looked
		g, ok := c.generations[id]
		if !ok {
			c.t.Errorf("%d responses for %s are of generation %s, which was never committed", n, is.path, is.generation)
			continue
		}
		e, ok := g[site.Path(is.path)]
		wrong := ""
		switch {
		case is.status == http.StatusNotFound && ok:
			wrong = "the generation has it"
		case is.status == http.StatusNotFound && is.body != g["/404.html"].body:
			wrong = "the body is not the generation's 404 page"
		case is.status == http.StatusNotFound:
		case !ok:
			wrong = "the generation does not have it"
		case is.status == http.StatusNotModified && is.etag == e.etag:
		case is.status != e.status:
			wrong = fmt.Sprintf("want status %d", e.status)
		case is.status == http.StatusOK && (is.body != e.body || is.etag != e.etag):
			wrong = fmt.Sprintf("the body is not the generation's, want ETag %s", e.etag)
		case is.target != e.target:
			wrong = "want Location " + e.target
		}
		if wrong != "" {
			c.t.Errorf("%d responses for %s of generation %d, status %d, ETag %s, Location %q: %s", n, is.path, id, is.status, is.etag, is.target, wrong)
		}
	}
	for is, n := range c.seenFiles {
		whole := false
		for _, g := range c.generations {
			whole = whole || g[is.path].body == is.body
		}
		if !whole {
			c.t.Errorf("%d times the public file of %s was what no generation has", n, is.path)
		}
	}
	if len(c.seen) < 100 || len(c.seenFiles) < 100 {
		c.t.Errorf("readers saw %d different responses and %d different files: they were not reading", len(c.seen), len(c.seenFiles))
	}
}
