package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"freshet/internal/pagestore"
	"freshet/internal/site"
	"freshet/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the wanted output in testdata")

func TestMain(m *testing.M) {
	testscript.Main(testenv.Main{M: m}, map[string]func(){"freshet": main})
}

// TestScripts runs the command scripts in testdata/script. Besides the usual commands they have
//
//	start NAME args…            runs freshet with args in the background; the address that it prints is $NAME
//	port NAME                   makes $NAME a port that is free
//	[!] end NAME SIGNAL         sends it INT, TERM or KILL and waits for it to end; its output is then stdout and stderr
//	hangup NAME                 sends it HUP
//	logged NAME REGEXP          waits until its stderr matches
//	fetch URL STATUS [REGEXP]   asks for URL until the answer has the status and matches, at most some seconds
//	once URL STATUS [REGEXP]    asks for URL, and once only
//	send URL STATUS BODY [NAME: VALUE]…   posts the body with the headers, and checks the status
//	post FILE SLUG TITLE        writes a post
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(func(*testscript.Env) {}, testscript.Params{Dir: "testdata/script"}))
}

// TestMongoScripts runs those in testdata/mongo, each with a MongoDB database of its own, which the settings name.
// They also have
//
//	drop COLLECTION               removes a collection
//	retitle COLLECTION SLUG TITLE gives a document another title, and updatedAt
//	remove COLLECTION SLUG        deletes a document
func TestMongoScripts(t *testing.T) {
	testenv.Mongo(t)
	files, err := filepath.Glob("testdata/mongo/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			uri, name := testenv.MongoDatabase(t)
			p := scripts(func(env *testscript.Env) {
				env.Setenv("MONGODB_URI", uri)
				env.Setenv("MONGODB_DB", name)
			}, testscript.Params{Files: []string{file}})
			p.Cmds["drop"] = func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: drop COLLECTION")
				}
				testenv.DropCollection(t, uri, name, args[0])
			}
			p.Cmds["retitle"] = func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 3 {
					ts.Fatalf("usage: retitle COLLECTION SLUG TITLE")
				}
				testenv.SetTitle(t, uri, name, args[0], args[1], args[2])
			}
			p.Cmds["remove"] = func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: remove COLLECTION SLUG")
				}
				testenv.Remove(t, uri, name, args[0], args[1])
			}
			testscript.Run(t, p)
		})
	}
}

// scripts completes the parameters of a run of scripts.
func scripts(setup func(*testscript.Env), p testscript.Params) testscript.Params {
	p.UpdateScripts, p.RequireExplicitExec, p.RequireUniqueNames = *update, true, true
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("SOURCE_DATE_EPOCH", "1767225600") // 2026-01-01
		env.Setenv("GORACE", os.Getenv("GORACE"))
		env.Values[running{}] = map[string]*process{}
		env.Defer(func() {
			for _, p := range env.Values[running{}].(map[string]*process) {
				_ = p.cmd.Process.Kill() // what has ended cannot be killed
				<-p.done
			}
		})
		setup(env)
		return nil
	}
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"start": start, "end": end, "fetch": fetch, "once": once, "await": await, "hangup": hangup, "logged": logged, "send": send, "post": post, "port": port,
		"flip": flip,
	}
	return p
}

// running is the key of a script's background processes.
type running struct{}

type process struct {
	cmd    *exec.Cmd
	stdout strings.Builder
	stderr lockedBuffer
	done   chan struct{}
	err    error
}

// patience is how long scripts wait for what takes a moment. It only has to be long enough.
const patience = 30 * time.Second

func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME args…")
	}
	exe, err := os.Executable()
	ts.Check(err)
	p := &process{cmd: exec.Command(exe), done: make(chan struct{})}
	// testscript.Main decides by the program's name which command it is.
	p.cmd.Args = append([]string{"freshet"}, args[1:]...)
	p.cmd.Dir = ts.Getenv("PWD")
	if p.cmd.Dir == "" {
		p.cmd.Dir = ts.MkAbs(".")
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SOURCE_DATE_EPOCH", "MONGODB_URI", "MONGODB_DB"} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	address := make(chan string, 1)
	go func() {
		defer close(p.done)
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n') // an end without a line is an empty address
		address <- strings.TrimSpace(line)
		p.stdout.WriteString(line)
		rest, _ := io.ReadAll(r)
		p.stdout.Write(rest)
		p.err = p.cmd.Wait()
	}()
	ts.Value(running{}).(map[string]*process)[args[0]] = p
	select {
	case a := <-address:
		if a == "" {
			<-p.done
			ts.Fatalf("freshet %q ended without an address: %v\n%s", args[1:], p.err, p.stderr.String())
		}
		ts.Setenv(args[0], strings.TrimSuffix(a, "/"))
	case <-time.After(patience):
		ts.Fatalf("freshet %q printed no address", args[1:])
	}
}

func end(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: end NAME SIGNAL")
	}
	p := started(ts, args)
	signal, ok := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}[args[1]]
	if p == nil || !ok {
		ts.Fatalf("end %q: no such process or signal", args)
	}
	ts.Check(p.cmd.Process.Signal(signal))
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end:\n%s", args[0], p.stderr.String())
	}
	_, err1 := io.WriteString(ts.Stdout(), p.stdout.String())
	_, err2 := io.WriteString(ts.Stderr(), p.stderr.String())
	ts.Check(errors.Join(err1, err2))
	if (p.err != nil) != neg {
		ts.Fatalf("%s ended with %v", args[0], p.err)
	}
}

func hangup(ts *testscript.TestScript, neg bool, args []string) {
	p := started(ts, args)
	if neg || p == nil || len(args) != 1 {
		ts.Fatalf("usage: hangup NAME")
	}
	ts.Check(p.cmd.Process.Signal(syscall.SIGHUP))
}

func logged(ts *testscript.TestScript, neg bool, args []string) {
	p := started(ts, args)
	if neg || p == nil || len(args) != 2 {
		ts.Fatalf("usage: logged NAME REGEXP")
	}
	want := regexp.MustCompile(args[1])
	for end := time.Now().Add(patience); !want.MatchString(p.stderr.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s has not logged %q:\n%s", args[0], args[1], p.stderr.String())
		}
	}
}

// started is the process that the first argument names; nil: there is none.
func started(ts *testscript.TestScript, args []string) *process {
	return ts.Value(running{}).(map[string]*process)[strings.Join(args[:min(1, len(args))], "")]
}

// await FILE [REGEXP] waits until the file is there and matches: the public folder follows a commit that readers may already
// see, and the guard keeps bans a moment after they are made.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [REGEXP]")
	}
	want := regexp.MustCompile(strings.Join(args[1:], ""))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && want.Match(text) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("await %q: %s %v", args, text, err)
		}
	}
}

// port finds a port for a server that others must know how to reach. Somebody else may take it before; that has to be borne.
func port(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, number, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(errors.Join(err, ln.Close()))
	ts.Setenv(args[0], number)
}

// flip page PATH, or flip entry PATH, flips a bit in what the page log has stored of a page, or in what it says of it.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip page|entry PATH")
	}
	logs, err := filepath.Glob(ts.MkAbs(".freshet/log/*.seg"))
	if ts.Check(err); len(logs) != 1 {
		ts.Fatalf("the page logs are %q", logs)
	}
	data, err := os.ReadFile(logs[0])
	ts.Check(err)
	at := bytes.Index(data, append([]byte{byte(len(args[1]))}, args[1]...)) // its first entry: strings are behind their lengths
	if args[0] == "page" {
		r, err := pagestore.OpenReader(pagestore.Config{Dir: ts.MkAbs(".freshet")})
		ts.Check(err)
		e, ok := r.Current().Lookup(site.Path(args[1]))
		if !ok {
			ts.Fatalf("there is no page %s", args[1])
		}
		at = int(e.Object.Offset + e.Object.Size/2)
	}
	f, err := os.OpenFile(logs[0], os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte{data[at] ^ 1}, int64(at))
	ts.Check(errors.Join(err, f.Close()))
}

func fetch(ts *testscript.TestScript, neg bool, args []string) { ask(ts, neg, "fetch", args, patience) }

func once(ts *testscript.TestScript, neg bool, args []string) { ask(ts, neg, "once", args, 0) }

// ask asks for a URL, again and again for a time, until the answer is as it should be.
func ask(ts *testscript.TestScript, neg bool, name string, args []string, atMost time.Duration) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: %s URL STATUS [REGEXP]", name)
	}
	want := regexp.MustCompile(strings.Join(args[2:], ""))
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for begun := time.Now(); ; <-time.After(20 * time.Millisecond) {
		status, body, err := get(client, args[0])
		if err == nil && fmt.Sprint(status) == args[1] && want.MatchString(body) {
			return
		}
		if time.Since(begun) >= atMost {
			ts.Fatalf("%s %q: the last answer was %d %v\n%s", name, args, status, err, body)
		}
	}
}

func get(client *http.Client, url string) (status int, body string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	var head strings.Builder
	_ = resp.Header.Write(&head) // never fails
	return resp.StatusCode, head.String() + "\n" + string(b), err
}

// readTree returns the files of a public tree but for its marker and the redirects, which remember what was.
func readTree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	gone := func(err error) error { // while it is read
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return gone(err)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == ".freshet" || rel == "_redirects" {
			return err
		}
		b, err := os.ReadFile(name)
		if err == nil {
			files[rel] = string(b)
		}
		return gone(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: send URL STATUS BODY [NAME: VALUE]…")
	}
	req, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(args[2]))
	ts.Check(err)
	for _, h := range args[3:] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(errors.Join(err, resp.Body.Close()))
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if fmt.Sprint(resp.StatusCode) != args[1] {
		ts.Fatalf("send %q: %d\n%s", args, resp.StatusCode, body)
	}
}

func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: post FILE SLUG TITLE")
	}
	text := fmt.Sprintf("---\ntitle: %s\nslug: %s\ndate: 2025-03-01\ntags: [water]\n---\n\nAbout %s, written for a test.\n", args[2], args[1], args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}
