package testenv

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Redis returns the URL of a Redis that tests may write keys to, each below a prefix of its own: $FRESHET_TEST_REDIS, else one
// that is started, and stopped with the test.
func Redis(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("FRESHET_TEST_REDIS"); url != "" {
		return url
	}
	return NewRedis(t).URL()
}

// A RedisServer is a process of a test's own. It keeps nothing on disk and listens on loopback only.
type RedisServer struct {
	t    testing.TB
	exe  string
	addr string
	args []string

	mu  sync.Mutex
	cmd *exec.Cmd // nil: it does not run
}

// NewRedis starts a server, with more arguments if there are any. It is stopped with the test.
func NewRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return newRedis(t, nil, append([]string{"--save", "", "--appendonly", "no"}, args...)...)
}

// newRedis starts a server with arguments before and behind those that every one has.
func newRedis(t testing.TB, first []string, args ...string) *RedisServer {
	t.Helper()
	exe := program(os.Getenv("FRESHET_TEST_REDIS_SERVER"), "redis-server", "valkey-server")
	if exe == "" {
		missing(t, redis, "there is no Redis: install Debian's package redis-server, or set FRESHET_TEST_REDIS to the URL of one that tests may write to")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &RedisServer{t: t, exe: exe, addr: l.Addr().String()}
	_ = l.Close()
	host, port, _ := net.SplitHostPort(s.addr)
	s.args = slices.Concat(first, []string{"--bind", host, "--port", port, "--dir", t.TempDir(), "--daemonize", "no", "--loglevel", "warning"}, args)
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// NewSentinel starts a Sentinel of a configuration file, which it rewrites. It is stopped with the test.
func NewSentinel(t testing.TB, conf string) *RedisServer {
	t.Helper()
	return newRedis(t, []string{conf, "--sentinel"})
}

// URL says where the server is, without a password.
func (s *RedisServer) URL() string { return "redis://" + s.addr }

// Addr is host and port of the server.
func (s *RedisServer) Addr() string { return s.addr }

// Start starts the server where it does not run, and waits until it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	var said safeBuffer
	cmd := exec.Command(s.exe, s.args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	s.cmd = cmd
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		if _, err := s.ask("PING"); err == nil {
			return
		} else if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, said.String())
		}
	}
}

// Kill ends the server, as a crash does.
func (s *RedisServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // killed
		s.cmd = nil
	}
}

// Freeze stops the server where it is, as an overloaded machine does: its connections stay, and nothing answers.
func (s *RedisServer) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *RedisServer) Thaw() { s.signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

// Do sends a command in its inline form, and returns the first line of the answer; of a bulk string, its first line.
func (s *RedisServer) Do(format string, args ...any) string {
	s.t.Helper()
	line, err := s.ask(fmt.Sprintf(format, args...))
	if err != nil {
		s.t.Fatalf("ask redis-server: %v", err)
	}
	return line
}

func (s *RedisServer) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err == nil && strings.HasPrefix(line, "$") {
		line, err = in.ReadString('\n')
	}
	return strings.TrimSpace(line), err
}
