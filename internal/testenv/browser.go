package testenv

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Browser is one tab of a headless chromium, driven over a pipe in its DevTools protocol. It is for one goroutine.
type Browser struct {
	t       testing.TB
	in      io.Writer
	session string
	last    int
	stderr  *safeBuffer

	mu      sync.Mutex
	answers map[int]chan answer
	loaded  chan struct{} // a load event came in
	faults  []string
	gone    chan struct{} // closed when the browser has ended
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// patience is how long a browser may take for one thing. It only has to be long enough.
const patience = time.Minute

// NewBrowser starts chromium, or skips the test. It ends with the test.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	exe := Chromium(t)
	ctx, stop := context.WithCancel(context.Background())
	// The folder outlives the browser, whose helpers write into it until they notice that it has ended.
	dir, err := os.MkdirTemp("", "freshet-browser-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+dir, "about:blank")
	b := &Browser{
		t: t, stderr: &safeBuffer{}, answers: map[int]chan answer{}, loaded: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	cmd.Stderr = b.stderr
	toRead, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromRead, fromWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{toRead, fromWrite} // 3 and 4 there
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Start()
	_, _ = toRead.Close(), fromWrite.Close()
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	b.in = toWrite
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.listen(fromRead)
	}()
	t.Cleanup(func() {
		_ = b.send("", "Browser.close", nil) // one that does not listen is killed
		select {
		case <-b.gone:
		case <-time.After(5 * time.Second):
		}
		stop()
		_ = cmd.Wait() // killed or closed: both are well
		_, _ = toWrite.Close(), fromRead.Close()
		<-done
		_ = os.RemoveAll(dir) // what is left is in the folder for temporary files
	})
	var target struct{ TargetID, SessionID string }
	b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	b.session = target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(b.session, domain+".enable", nil, nil)
	}
	return b
}

// listen takes what the browser says until it ends.
func (b *Browser) listen(r io.Reader) {
	defer close(b.gone)
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID     int
			Method string
			Params struct {
				Type             string
				Args             []struct{ Value any }
				ExceptionDetails struct {
					Text      string
					Exception struct{ Description string }
				}
				Entry struct{ Level, Text, URL string }
			}
			answer
		}
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m) != nil {
			continue // an event of a form that nothing here looks at
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			if c := b.answers[m.ID]; c != nil {
				c <- m.answer
				delete(b.answers, m.ID)
			}
		case m.Method == "Page.loadEventFired":
			select {
			case b.loaded <- struct{}{}:
			default:
			}
		case m.Method == "Runtime.exceptionThrown":
			b.faults = append(b.faults, m.Params.ExceptionDetails.Text+" "+m.Params.ExceptionDetails.Exception.Description)
		case m.Method == "Runtime.consoleAPICalled" && (m.Params.Type == "error" || m.Params.Type == "warning" || m.Params.Type == "assert"):
			b.faults = append(b.faults, fmt.Sprintf("console %s: %v", m.Params.Type, m.Params.Args))
		case m.Method == "Log.entryAdded" && (m.Params.Entry.Level == "error" || m.Params.Entry.Level == "warning"):
			b.faults = append(b.faults, m.Params.Entry.Level+": "+m.Params.Entry.Text+" "+m.Params.Entry.URL)
		}
		b.mu.Unlock()
	}
}

func (b *Browser) send(session, method string, params any) <-chan answer {
	b.t.Helper()
	b.last++
	m := map[string]any{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	c := make(chan answer, 1)
	b.mu.Lock()
	b.answers[b.last] = c
	b.mu.Unlock()
	_, _ = b.in.Write(append(text, 0)) // a browser that is gone gives no answer
	return c
}

func (b *Browser) call(session, method string, params, result any) {
	b.t.Helper()
	select {
	case a := <-b.send(session, method, params):
		if a.Error != nil {
			b.t.Fatalf("chromium: %s: %s", method, a.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				b.t.Fatalf("chromium: %s: %v", method, err)
			}
		}
	case <-b.gone:
		b.t.Fatalf("chromium ended at %s:\n%s", method, b.stderr)
	case <-time.After(patience):
		b.t.Fatalf("chromium does not answer %s:\n%s", method, b.stderr)
	}
}

// Open goes to an address and waits until its page is loaded.
func (b *Browser) Open(url string) {
	b.t.Helper()
	select {
	case <-b.loaded: // of the page before
	default:
	}
	var result struct{ ErrorText string }
	b.call(b.session, "Page.navigate", map[string]any{"url": url}, &result)
	if result.ErrorText != "" {
		b.t.Fatalf("open %s: %s", url, result.ErrorText)
	}
	select {
	case <-b.loaded:
	case <-time.After(patience):
		b.t.Fatalf("%s is not loaded", url)
	}
}

// Eval returns the value of a JavaScript expression, awaited if it is a promise, as JSON.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	b.call(b.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &result)
	if result.ExceptionDetails != nil {
		b.t.Fatalf("evaluate %s: %s", expression, result.ExceptionDetails.Text)
	}
	return string(result.Result.Value)
}

// Await asks for an expression until it is true.
func (b *Browser) Await(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if b.Eval("!!("+expression+")") == "true" {
			return
		}
	}
	b.t.Fatalf("%s does not become true; the page is\n%s", expression, b.Eval("document.body.innerText"))
}

// Faults returns what the pages have complained about since the last call: errors and warnings of scripts, of the
// content security policy, and of what could not be loaded.
func (b *Browser) Faults() []string {
	b.t.Helper()
	b.Eval("new Promise(done => setTimeout(done))") // what was said before this has then come in
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := b.faults
	b.faults = nil
	return faults
}

// Click clicks on the element that a selector finds.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	s, err := json.Marshal(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Eval(fmt.Sprintf("document.querySelector(%s).click()", s))
}

// safeBuffer is a buffer for two goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
