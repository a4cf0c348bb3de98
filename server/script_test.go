package server_test

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"

	"freshet/server"
)

// TestScripts runs testdata/*.txt: requests, sent byte for byte over TCP, and checks of their answers. A script is a
// txtar archive; with files it is served as a plain folder of these files, without as the built site of fake_test.go.
// Blocks are separated by empty lines; lines that begin with # are comments.
//
//	config NAME ARGS…        before the first request: verified 2h | refuse | purged | none | foreign | pinned
//	write NAME TEXT          writes a file of the folder
//	remove NAME              removes one
//
//	GET /path                the request line without its version, then headers (default: Host: freshet.test)
//	Accept-Encoding: br
//	| text                   a line of the request's body
//	code == 200
//	header Etag ~ ^"[0-9a-f]+"$     == != ~ !~ or absent
//	body ~ Rivers            the decoded body; == takes a Go string
//	set tag header Etag      $tag stands for it from here on
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{t: t, file: file, vars: map[string]string{"date": changed.Format(http.TimeFormat)}}
			s.prepare(ar)
			s.run(string(ar.Comment))
		})
	}
}

type script struct {
	t    *testing.T
	file string
	cfg  server.Config
	dir  string // of a folder
	addr string
	vars map[string]string
}

func (s *script) prepare(ar *txtar.Archive) {
	t := s.t
	s.cfg = server.Config{Frames: []string{"https://www.youtube-nocookie.com"}, Logger: slog.New(slog.DiscardHandler)}
	if len(ar.Files) == 0 {
		s.cfg.Site = serving(built())
		return
	}
	s.dir = t.TempDir()
	for _, f := range ar.Files {
		s.write(f.Name, f.Data)
	}
	folder, err := server.OpenFolder(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	s.cfg.Site = folder
}

func (s *script) write(name string, data []byte) {
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o666); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) run(text string) {
	lines := strings.Split(text, "\n")
	for n := 0; n < len(lines); {
		if strings.TrimSpace(lines[n]) == "" || lines[n][0] == '#' {
			n++
			continue
		}
		end := n
		for end < len(lines) && strings.TrimSpace(lines[end]) != "" {
			end++
		}
		s.block(n+1, lines[n:end])
		n = end
	}
}

// block runs one block, which begins at the given line of the script.
func (s *script) block(at int, lines []string) {
	t := s.t
	var head, checks []string
	var body strings.Builder
	firstCheck := at
	for i, line := range lines {
		line = s.expand(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line[0] == '#':
		case word == "config":
			s.config(strings.Fields(rest))
		case word == "write":
			name, text, _ := strings.Cut(rest, " ")
			s.write(name, []byte(text))
		case word == "remove":
			if err := os.Remove(filepath.Join(s.dir, rest)); err != nil {
				t.Fatal(err)
			}
		case line[0] == '|':
			body.WriteString(strings.TrimPrefix(line[1:], " "))
		case word == "code" || word == "header" || word == "body" || word == "set":
			if len(checks) == 0 {
				firstCheck = at + i
			}
			checks = append(checks, line)
		default:
			head = append(head, line)
		}
	}
	if len(head) == 0 {
		return
	}
	if s.addr == "" {
		s.addr = serve(t, s.cfg)
	}
	res, err := exchange(s.addr, head, body.String())
	if err != nil {
		t.Fatalf("%s:%d: %s: %v", s.file, at, head[0], err)
	}
	for i, c := range checks {
		if err := s.check(res, c); err != nil {
			t.Errorf("%s:%d: %s: %v", s.file, firstCheck+i, head[0], err)
		}
	}
}

var variable = regexp.MustCompile(`\$[a-z]+\b`)

func (s *script) expand(line string) string {
	return variable.ReplaceAllStringFunc(line, func(v string) string {
		if to, ok := s.vars[v[1:]]; ok {
			return to
		}
		return v
	})
}

func (s *script) config(words []string) {
	switch words[0] {
	case "verified":
		age, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		at := time.Now().Add(-age)
		s.cfg.Verified = func() time.Time { return at }
	case "refuse":
		s.cfg.Refuse = true
	case "purged":
		s.cfg.Purged = func() bool { return true }
	case "foreign":
		s.cfg.Foreign = true
	case "none":
		s.cfg.Site = new(swap)
	case "pinned":
		g := built()
		g.pinned = true
		s.cfg.Site = serving(g)
	default:
		s.t.Fatalf("%s: unknown config %q", s.file, words)
	}
}

// An answer is a response whose body has been read and decoded.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (s *script) check(res *answer, c string) error {
	words := strings.SplitN(c, " ", 4)
	var got, op, want string
	switch words[0] {
	case "set":
		s.vars[words[1]] = res.header.Get(words[3])
		return nil
	case "code":
		got, op, want = strconv.Itoa(res.code), words[1], words[2]
	case "header":
		name := http.CanonicalHeaderKey(words[1])
		if words[2] == "absent" {
			if v, ok := res.header[name]; ok {
				return fmt.Errorf("header %s is %q, want none", name, v)
			}
			return nil
		}
		if n := len(res.header[name]); n > 1 {
			return fmt.Errorf("header %s is there %d times: %q", name, n, res.header[name])
		}
		got, op, want = res.header.Get(name), words[2], words[3]
	case "body":
		got, op, want = res.body, words[1], strings.Join(words[2:], " ")
		if op == "==" || op == "!=" {
			var err error
			if want, err = strconv.Unquote(want); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
		}
	}
	ok := false
	switch op {
	case "==":
		ok = got == want
	case "!=":
		ok = got != want
	case "~", "!~":
		re, err := regexp.Compile(want)
		if err != nil {
			return err
		}
		ok = re.MatchString(got) == (op == "~")
	default:
		return fmt.Errorf("%s: unknown comparison", c)
	}
	if !ok {
		if len(got) > 300 {
			got = got[:300] + "…"
		}
		return fmt.Errorf("%s: got %q", c, got)
	}
	return nil
}

// serve runs a server with cfg on loopback until the test ends.
func serve(t *testing.T, cfg server.Config) (addr string) {
	t.Helper()
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return listening(t, srv)
}

// exchange sends a request line and headers as they are, on a connection of their own. A GET is sent once more, behind
// another request, where it may be answered without net/http: that must make no difference.
func exchange(addr string, head []string, body string) (*answer, error) {
	first, err := ask(addr, head, body, false)
	if err != nil || !strings.HasPrefix(head[0], "GET ") {
		return first, err
	}
	later, err := ask(addr, head, body, true)
	if err != nil {
		return nil, fmt.Errorf("behind another request: %w", err)
	}
	if diff := gocmp.Diff(first.lasting(), later.lasting()); diff != "" {
		return nil, fmt.Errorf("the answer behind another request differs (-first +behind):\n%s", diff)
	}
	return first, nil
}

// lasting is what is the same in every answer of a generation: not the date, the id, what counts seconds, and what
// stands between parts.
func (a *answer) lasting() []string {
	_, boundary, _ := strings.Cut(a.header.Get("Content-Type"), "boundary=")
	same := strings.NewReplacer(cmp.Or(a.header.Get("X-Request-Id"), "\x00"), "ID", cmp.Or(boundary, "\x00"), "BOUNDARY")
	out := []string{strconv.Itoa(a.code), same.Replace(a.body)}
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		switch name {
		case "Date", "X-Request-Id", "Cdn-Cache-Control", "Cache-Status", "Ratelimit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset":
			out = append(out, name)
		default:
			out = append(out, same.Replace(fmt.Sprintf("%s: %q", name, a.header[name])))
		}
	}
	return out
}

// ask sends a request on a connection of its own, behind another one if that is asked for.
func ask(addr string, head []string, body string, behind bool) (*answer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	br := bufio.NewReader(conn)
	if behind {
		if err := greet(conn, br); err != nil {
			return nil, err
		}
	}
	var req bytes.Buffer
	req.WriteString(head[0] + " HTTP/1.1\r\n")
	hasHost := false
	for _, h := range head[1:] {
		hasHost = hasHost || strings.HasPrefix(h, "Host:")
		req.WriteString(h + "\r\n")
	}
	if !hasHost {
		req.WriteString("Host: freshet.test\r\n")
	}
	req.WriteString("\r\n" + body)
	if _, err := conn.Write(req.Bytes()); err != nil {
		return nil, err
	}
	method, _, _ := strings.Cut(head[0], " ")
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.Close {
		res.Header.Set("Connection", "close") // ReadResponse takes it out
	}
	plain, err := decode(res.Header.Get("Content-Encoding"), raw, method == "HEAD" || res.StatusCode == 206)
	if err != nil {
		return nil, err
	}
	return &answer{res.StatusCode, res.Header, string(plain)}, nil
}

// greet has a first request of a connection answered.
func greet(conn net.Conn, br *bufio.Reader) error {
	if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: freshet.test\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func decode(coding string, body []byte, partial bool) ([]byte, error) {
	if partial {
		return body, nil
	}
	switch coding {
	case "":
		return body, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case "br":
		return io.ReadAll(brotli.NewReader(bytes.NewReader(body)))
	case "zstd":
		r, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return r.DecodeAll(body, nil)
	}
	return nil, fmt.Errorf("unknown Content-Encoding %q", coding)
}
