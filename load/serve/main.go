// Command serve measures how many page requests a second a core answers: freshet beside nginx, where that is
// installed, and beside net/http's ServeContent, in the same run with the same pages.
//
//	go run ./load/serve --freshet ./freshet
//	go run ./load/serve --freshet ./freshet --known
//	go run ./load/serve --freshet ./freshet --peer 'caddy=caddy file-server --listen {addr} --root {root} --access-log'
//
// --known asks for pages that the reader has, which is answered by 304. --peer measures one more server, which serves the files in {root} at {addr}, or at {port} of any address.
//
// 2,000 pages of 14 KB, gzip, 64 connections that are kept alive, pages picked at random. Each server is a process of
// its own on one core, with its access log on; the load comes from another process. nginx has limit_req, a list of
// 10,000 addresses to refuse, files compressed beforehand and open files cached. The figure to compare is requests per
// second of the server's own processor time, which neighbours on the machine and the load's own speed hardly change.
// Then each is asked at a fixed rate, and what readers wait for is counted from when a request was due.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"freshet/internal/pagestore"
	"freshet/internal/site"
)

const (
	pages      = 2000
	pageBytes  = 14 << 10
	banEntries = 10_000
)

func main() {
	var b bench
	flag.StringVar(&b.freshet, "freshet", "./freshet", "the freshet `binary` to measure")
	flag.DurationVar(&b.time, "time", time.Second, "how long each server is measured in a round")
	flag.IntVar(&b.rounds, "rounds", 10, "how often everything is measured")
	flag.IntVar(&b.connections, "connections", 64, "connections")
	flag.IntVar(&b.rate, "rate", 20_000, "requests a second of the rounds at a fixed rate; 0: there are none")
	flag.BoolVar(&b.known, "known", false, "ask for what the reader knows, which is answered by 304")
	flag.Func("peer", "a further server, as `name=command` with {addr} or {port}, and {root} (may be repeated)", b.peer)
	flag.BoolVar(&b.json, "json", false, "print the results as JSON")
	role := flag.String("role", "", "for the command's own use")
	target := flag.String("target", "", "for the command's own use")
	flag.Parse()
	var err error
	switch *role {
	case "":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		err = b.run(ctx)
	case "pages":
		err = writePages(*target)
	case "load":
		err = load(*target, b.connections, b.rate, b.time, b.known)
	case "content":
		err = serveContent(*target, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

type bench struct {
	freshet             string
	time                time.Duration
	rounds, connections int
	rate                int
	json, known         bool
	peers               []contender
}

// peer takes a further server.
func (b *bench) peer(text string) error {
	name, command, ok := strings.Cut(text, "=")
	if !ok || command == "" {
		return errors.New("it is name=command")
	}
	b.peers = append(b.peers, contender{name: name, args: func(addr, root string) []string {
		_, port, _ := net.SplitHostPort(addr)
		return strings.Fields(strings.NewReplacer("{addr}", addr, "{port}", port, "{root}", root).Replace(command))
	}})
	return nil
}

// A result is what one server did.
type result struct {
	Server    string  `json:"server"`
	PerSecond float64 `json:"requestsPerSecond"`
	PerCPU    float64 `json:"requestsPerCPUSecond"`
	P50       int64   `json:"p50us"`
	P99       int64   `json:"p99us"`
	P999      int64   `json:"p999us"`
	PacedP50  int64   `json:"pacedP50us"` // at the fixed rate
	PacedP999 int64   `json:"pacedP999us"`
	Paced     float64 `json:"pacedPerSecond"` // that were answered of it
	RSSBytes  int64   `json:"rssBytes"`
}

// A contender is a server to measure.
type contender struct {
	name string
	args func(addr, root string) []string

	addr   string
	cmd    *exec.Cmd
	cpu    time.Duration // of the rounds
	rounds []loaded
	paced  []loaded
}

func (b *bench) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "freshet-serve-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writePages(dir); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	freshet, err := filepath.Abs(b.freshet)
	if err != nil {
		return err
	}
	contenders := []contender{
		{name: "freshet", args: func(addr, _ string) []string {
			return []string{freshet, "serve", "--state", filepath.Join(dir, "state"), "--listen", addr}
		}},
		{name: "ServeContent", args: func(addr, root string) []string {
			return []string{self, "-role", "content", "-target", addr, root}
		}},
	}
	if nginx, err := exec.LookPath("nginx"); err == nil {
		contenders = append(contenders, contender{name: "nginx", args: func(addr, _ string) []string {
			return []string{nginx, "-p", dir, "-c", nginxConfig(dir, addr)}
		}})
	} else {
		fmt.Fprintln(os.Stderr, "serve: there is no nginx to compare with")
	}
	contenders = append(contenders, b.peers...)
	var results []result
	for i := range contenders {
		c := &contenders[i]
		if err := c.start(ctx, dir); err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		defer c.stop()
		if _, err := b.press(ctx, self, c.addr, 0, 2*time.Second); err != nil { // everything is in memory from now on
			return fmt.Errorf("warm %s: %w", c.name, err)
		}
	}
	for range b.rounds { // in turns, so that whatever else the machine does slows all alike
		for i := range contenders {
			if err := b.measure(ctx, self, &contenders[i]); err != nil {
				return fmt.Errorf("measure %s: %w", contenders[i].name, err)
			}
		}
	}
	for range b.rounds {
		for i := range contenders {
			if c := &contenders[i]; b.rate > 0 {
				l, err := b.press(ctx, self, c.addr, b.rate, b.time)
				if err != nil {
					return fmt.Errorf("measure %s: %w", c.name, err)
				}
				c.paced = append(c.paced, l)
			}
		}
	}
	for i := range contenders {
		r, err := contenders[i].result()
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	if b.json {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "server\trequests/s\tper CPU s\tp50 µs\tp99 µs\tp99.9 µs\tMB\tfreshet has\tof %d/s\tp50 µs\tp99.9 µs\t\n", b.rate)
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%.0f\t%.0f\t%d\t%d\t%d\t%.0f\t%.2fx\t%.0f\t%d\t%d\t\n", r.Server, r.PerSecond, r.PerCPU, r.P50, r.P99, r.P999,
			float64(r.RSSBytes)/1e6, results[0].PerCPU/r.PerCPU, r.Paced, r.PacedP50, r.PacedP999)
	}
	return tw.Flush()
}

// page makes the n-th page: text that compresses to about 40 %.
func page(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	words := make([]string, 1200)
	for i := range words {
		w := make([]byte, 3+r.IntN(7))
		for j := range w {
			w[j] = "etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))]
		}
		words[i] = string(w)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!doctype html>\n<title>Page %d</title>\n", n)
	for b.Len() < pageBytes {
		b.WriteString("<p>")
		for range 60 {
			b.WriteString(words[min(r.IntN(len(words)), r.IntN(len(words)))])
			b.WriteByte(' ')
		}
		b.WriteString("</p>\n")
	}
	return b.Bytes()
}

// path is that of the n-th page.
func path(n int) string { return fmt.Sprintf("/blog/page-%d/", n) }

// writePages writes the pages as a page log, and as files with their compressed forms beside them.
func writePages(dir string) error {
	w, err := pagestore.OpenWriter(pagestore.Config{Dir: filepath.Join(dir, "state"), Keep: 2})
	if err != nil {
		return err
	}
	batch := w.Begin()
	defer batch.Abort()
	for n := range pages {
		body := page(n)
		ref, err := batch.Object(body)
		if err != nil {
			return err
		}
		batch.Put(site.Entry{
			Path: site.Path(path(n)), Kind: site.KindPage, Status: 200, Type: "text/html; charset=utf-8", Object: ref,
			Keys: []string{fmt.Sprintf("blog:page-%d", n), "tag:water"},
		}, nil)
		folder := filepath.Join(dir, "root", filepath.FromSlash(path(n)))
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		var zipped bytes.Buffer
		zw, err := gzip.NewWriterLevel(&zipped, 6)
		if err != nil {
			return err
		}
		if _, err := zw.Write(body); err != nil {
			return err
		}
		if err := zw.Close(); err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(filepath.Join(folder, "index.html"), body, 0o666),
			os.WriteFile(filepath.Join(folder, "index.html.gz"), zipped.Bytes(), 0o666)); err != nil {
			return err
		}
	}
	if _, err := batch.Commit(pagestore.CommitInfo{Cause: "benchmark"}); err != nil {
		return err
	}
	return errors.Join(w.SetVerified(time.Now()), w.Close())
}

// nginxConfig writes a configuration and returns its name.
func nginxConfig(dir, addr string) string {
	var bans strings.Builder
	for i := range banEntries {
		fmt.Fprintf(&bans, "10.%d.%d.0/24 1;\n", i/256, i%256)
	}
	name := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  types { text/html html; } default_type text/html;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  access_log %[1]s/access.log combined buffer=64k flush=1s;
  sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 60s; gzip_static on; etag on;
  open_file_cache max=10000 inactive=60s; open_file_cache_valid 60s;
  limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  geo $banned { default 0; %[2]s }
  server {
    listen %[3]s; root %[1]s/root; index index.html;
    if ($banned) { return 403; }
    limit_req zone=clients burst=1000000 nodelay;
    add_header Cache-Control "public, max-age=0, must-revalidate"; add_header X-Content-Type-Options nosniff;
    add_header X-Request-Id $request_id; add_header Referrer-Policy strict-origin-when-cross-origin;
  }
}
`, dir, bans.String(), addr)
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err) // nginx will say that it has none
	}
	return name
}

// start runs the server on one core until it takes connections.
func (c *contender) start(ctx context.Context, dir string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.addr = ln.Addr().String()
	ln.Close()
	log, err := os.Create(filepath.Join(dir, c.name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := c.args(c.addr, filepath.Join(dir, "root"))
	c.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	c.cmd.Dir = dir
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "FRESHET_ADMIN=")
	c.cmd.Stderr = log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	for range 3000 {
		conn, err := net.Dial("tcp", c.addr)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("it takes no connections")
}

func (c *contender) stop() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // it was killed
}

// press lets another process ask for a while.
func (b *bench) press(ctx context.Context, self, addr string, rate int, length time.Duration) (l loaded, err error) {
	ctx, cancel := context.WithTimeout(ctx, length+30*time.Second) // whatever hangs
	defer cancel()
	out, err := exec.CommandContext(ctx, self, "-role", "load", "-target", addr, "-time", length.String(), "-connections",
		strconv.Itoa(b.connections), "-rate", strconv.Itoa(rate), "-known="+strconv.FormatBool(b.known)).Output()
	if err != nil {
		return l, fmt.Errorf("load: %w", err)
	}
	return l, json.Unmarshal(out, &l)
}

// measure adds one round.
func (b *bench) measure(ctx context.Context, self string, c *contender) error {
	before, _, err := used(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	l, err := b.press(ctx, self, c.addr, 0, b.time)
	if err != nil {
		return err
	}
	after, _, err := used(c.cmd.Process.Pid)
	c.cpu += after - before
	c.rounds = append(c.rounds, l)
	return err
}

// result sums the rounds up; of times the median round's count.
func (c *contender) result() (r result, err error) {
	r.Server = c.name
	median := func(rounds []loaded, of func(loaded) int64) int64 {
		var all []int64
		for _, l := range rounds {
			all = append(all, of(l))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	sum := func(rounds []loaded) (n int, perSecond float64) {
		seconds := 0.0
		for _, l := range rounds {
			n += l.Requests
			seconds += l.Seconds
		}
		return n, float64(n) / seconds
	}
	n, perSecond := sum(c.rounds)
	r.PerSecond, r.PerCPU = perSecond, float64(n)/c.cpu.Seconds()
	r.P50 = median(c.rounds, func(l loaded) int64 { return l.P50 })
	r.P99 = median(c.rounds, func(l loaded) int64 { return l.P99 })
	r.P999 = median(c.rounds, func(l loaded) int64 { return l.P999 })
	if len(c.paced) > 0 {
		_, r.Paced = sum(c.paced)
		r.PacedP50 = median(c.paced, func(l loaded) int64 { return l.P50 })
		r.PacedP999 = median(c.paced, func(l loaded) int64 { return l.P999 })
	}
	_, r.RSSBytes, err = used(c.cmd.Process.Pid)
	return r, err
}

// used is the processor time that a process has had, and its memory.
func used(pid int) (cpu time.Duration, rss int64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	resident, err3 := strconv.ParseInt(fields[21], 10, 64)
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux
	return time.Duration(user+system) * tick, resident * int64(os.Getpagesize()), errors.Join(err1, err2, err3)
}

// loaded is what the load saw.
type loaded struct {
	Requests       int
	Seconds        float64
	P50, P99, P999 int64 // µs
}

// load asks for pages on so many connections for a while, so many a second or, at a rate of 0, as many as are answered,
// and prints what it saw.
func load(target string, connections, rate int, length time.Duration, known bool) error {
	conditions := make([]string, pages)
	if known {
		for n := range conditions {
			var err error
			if conditions[n], err = conditionOf(target, n); err != nil {
				return err
			}
		}
	}
	every := time.Duration(0)
	if rate > 0 {
		every = time.Second * time.Duration(connections) / time.Duration(rate)
	}
	end := time.Now().Add(length)
	began := time.Now()
	took := make([][]int32, connections)
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { took[i], errs[i] = ask(target, conditions, uint64(i), every, end) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return errors.New("nothing was answered")
	}
	at := func(share float64) int64 { return int64(all[min(int(share*float64(len(all))), len(all)-1)]) }
	return json.NewEncoder(os.Stdout).Encode(loaded{len(all), time.Since(began).Seconds(), at(.5), at(.99), at(.999)})
}

// conditionOf is the header by which a reader who knows the n-th page asks for it.
func conditionOf(target string, n int) (string, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+target+path(n), nil)
	if err != nil {
		return "", err
	}
	req.Host = "localhost"
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, res.Body)
	condition := "If-None-Match: " + res.Header.Get("Etag")
	if res.Header.Get("Etag") == "" {
		condition = "If-Modified-Since: " + res.Header.Get("Last-Modified")
	}
	return condition + "\r\n", errors.Join(err, res.Body.Close())
}

// ask asks on one connection until end, every so often, and returns how long each answer took in µs: from when it was to
// be asked for, if the one before came too late for that.
//
// A page that has a condition is asked for with it.
func ask(target string, conditions []string, seed uint64, every time.Duration, end time.Time) ([]int32, error) {
	conn, err := net.Dial("tcp", target)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := rand.New(rand.NewPCG(seed, 2))
	br := bufio.NewReaderSize(conn, 32<<10)
	requests := make([][]byte, pages)
	for n := range requests {
		requests[n] = []byte("GET " + path(n) + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
			"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip\r\n" + conditions[n] + "Connection: keep-alive\r\n\r\n")
	}
	var took []int32
	now := time.Now()
	due := now.Add(time.Duration(r.Float64() * float64(every)))
	for now.Before(end) {
		if every > 0 {
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
				now = time.Now()
			} else {
				now = due
			}
			due = due.Add(every)
		}
		n := r.IntN(pages)
		if _, err := conn.Write(requests[n]); err != nil {
			return nil, err
		}
		want := "HTTP/1.1 200 "
		if conditions[n] != "" {
			want = "HTTP/1.1 304 "
		}
		length := -1
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return nil, err
			}
			if len(line) == 2 {
				break
			}
			if length == -1 {
				if !bytes.HasPrefix(line, []byte(want)) {
					return nil, fmt.Errorf("answer %q", line)
				}
				length = -2
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return nil, err
				}
			}
		}
		switch {
		case conditions[n] != "":
			length = 0 // whatever the header says of the page
		case length < 0:
			return nil, errors.New("an answer without a length")
		}
		if _, err := br.Discard(length); err != nil {
			return nil, err
		}
		next := time.Now()
		took = append(took, int32(next.Sub(now).Microseconds()))
		now = next
	}
	return took, nil
}

// serveContent answers with the compressed files through http.ServeContent, as a Go program that knows no better.
func serveContent(addr, root string) error {
	log := bufio.NewWriterSize(os.Stderr, 64<<10)
	var mu sync.Mutex
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(filepath.Join(root, filepath.FromSlash(filepath.Clean("/"+r.URL.Path)), "index.html.gz"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10)) // ServeContent leaves it out of encoded bodies
		http.ServeContent(w, r, "index.html", info.ModTime(), io.ReadSeeker(f))
		mu.Lock()
		fmt.Fprintf(log, "%s %s %s\n", r.RemoteAddr, r.Method, r.URL.Path)
		mu.Unlock()
	}))
}
