package markup

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"freshet/internal/digest"
)

// renderTime is how long a body may take. The bounds on what a body expands to keep the slowest known body of maxBody
// bytes below it by far; it is for what nobody thought of.
const renderTime = 10 * time.Second

// errTime is the reason why a rendering that took longer than its time was stopped.
var errTime = errors.New("the time for rendering a body is over")

// A watch stops one rendering when its context ends. The parsers, the sanitiser and the writer call tick at every step;
// most of them are libraries that cannot return early, so tick panics with a stopped, which Render recovers.
type watch struct {
	ctx   context.Context
	ticks uint
}

// A stopped is the panic of a watch.
type stopped struct{}

// tick panics when the rendering is to stop. It looks at the context at every 64th call only.
func (w *watch) tick() {
	if w.ticks++; w.ticks%64 == 0 {
		w.look()
	}
}

// look panics when the rendering is to stop.
func (w *watch) look() {
	if w.over() {
		panic(stopped{})
	}
}

func (w *watch) over() bool { return w.ctx.Err() != nil }

// A watchedReader gives bytes to a parser that cannot be stopped otherwise, a few at a time.
type watchedReader struct {
	b []byte
	w *watch
}

func (r *watchedReader) Read(p []byte) (int, error) {
	r.w.look()
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1024)], r.b)
	r.b = r.b[n:]
	return n, nil
}

// slowBodies are bodies that took too long in this process, so that each takes it once, however many pages show it.
type slowBodies struct {
	mu    sync.Mutex
	known map[digest.Sum]bool
}

// maxSlow bounds how many bodies are known to be slow.
const maxSlow = 1000

func (s *slowBodies) add(in Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= maxSlow {
		s.known = map[digest.Sum]bool{}
	}
	s.known[slowKey(in)] = true
}

func (s *slowBodies) has(in Input) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.known) > 0 && s.known[slowKey(in)]
}

func slowKey(in Input) digest.Sum {
	if in.Key == 0 {
		return digest.Bytes(in.Body.Text)
	}
	return in.Key
}
