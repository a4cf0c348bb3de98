package redisdb_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"freshet/internal/redisdb"
	"freshet/internal/testenv"
)

// TestFaults: what is wrong with a Redis is an error in time, which says what and where, what to do, and no secret.
func TestFaults(t *testing.T) {
	const secret = "s3cr3t-pa55"
	plain := testenv.NewRedis(t)
	closed := testenv.NewRedis(t, "--requirepass", secret)
	full := testenv.NewRedis(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	replica := testenv.NewRedis(t)
	host, port, _ := net.SplitHostPort(plain.Addr())
	if got := replica.Do("REPLICAOF %s %s", host, port); got != "+OK" {
		t.Fatal(got)
	}
	frozen := testenv.NewRedis(t)
	frozen.Freeze()
	t.Cleanup(frozen.Thaw)
	foreign := testenv.NewRedis(t)
	foreign.Do("SET freshet:{guard}:strikes nonsense")
	foreign.Do("SET freshet:{guard}:take:k nonsense")
	limited := testenv.NewRedis(t)
	limited.Do("ACL SETUSER asha on >%s ~* +ping", secret)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // until the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := unused.Addr().String()
	_ = unused.Close()

	with := func(user, addr string) string { return fmt.Sprintf("redis://%s:%s@%s", user, secret, addr) }
	for _, row := range []struct{ name, url, want string }{
		{"nobody listens", with("asha", nobody), "nothing listens at " + nobody},
		{"no such host", with("asha", "redis.invalid:6379"), "redis.invalid:6379"},
		{"no such socket", "unix:///nowhere/redis.sock", "nothing listens at /nowhere/redis.sock"},
		{"wrong password", fmt.Sprintf("redis://:%s-@%s", secret, closed.Addr()), "refuses the user or password of redis.url"},
		{"no password", closed.URL(), "has no password"},
		{"a password too many", with("asha", plain.Addr()), "refuses the user or password of redis.url"},
		{"no permission", with("asha", limited.Addr()), "may not do it"},
		{"replica", replica.URL(), "is a replica"},
		{"full", full.URL(), "has no memory left"},
		{"frozen", frozen.URL(), "does not answer in time"},
		{"foreign keys", foreign.URL(), "something that is not freshet's"},
		{"no such database", plain.URL() + "/99", "has no database of the number"},
		{"TLS to one without", "rediss://" + plain.Addr(), "speaks TLS"},
		{"no Redis", "redis://" + listener.Addr().String(), listener.Addr().String()},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			db, err := redisdb.New(redisdb.Config{URL: redisdb.URL(row.url)})
			if err != nil {
				t.Fatal(err)
			}
			l := db.Ledger()
			calls := map[string]func(ctx context.Context) error{
				"Take": func(ctx context.Context) error {
					_, _, err := l.Take(ctx, []string{"k"}, 5, time.Minute)
					return err
				},
				"Share": func(ctx context.Context) error {
					_, _, _, err := l.Share(ctx, map[string]time.Duration{"api x": time.Second}, [][]byte{[]byte("{}")}, nil, nil, "")
					return err
				},
			}
			for name, call := range calls {
				for range 12 { // more often than there are connections
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					begin := time.Now()
					err := call(ctx)
					took := time.Since(begin)
					cancel()
					if err == nil {
						t.Fatalf("%s: no error", name)
					}
					if took > time.Second {
						t.Errorf("%s takes %s, with a deadline of 100ms", name, took)
					}
					text := err.Error()
					if name == "Share" && !strings.Contains(text, row.want) {
						t.Errorf("%s: %q, want %q in it", name, text, row.want)
					}
					if strings.Contains(text, secret) || strings.Contains(text, "asha") || strings.Contains(text, "\n") {
						t.Errorf("%s: %q shows a secret, or is not one line", name, text)
					}
					if e, ok := errors.AsType[*redisdb.Error](err); !ok || e.Remedy == "" {
						t.Errorf("%s: %q says not what to do", name, text)
					}
				}
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			await(t, 5*time.Second, "the goroutines that a client has begun end", func() bool { return runtime.NumGoroutine() <= before })
			if err := calls["Share"](t.Context()); err == nil {
				t.Error("no error after Close")
			}
		})
	}
}

func TestURL(t *testing.T) {
	for _, row := range []struct {
		url, shown string
		ok         bool
	}{
		{"redis://localhost", "redis://localhost", true},
		{"redis://:p@ss@localhost:6379/2", "redis://localhost:6379/2", true},
		{"rediss://default:p%40ss@eu1-x.upstash.io:6379", "rediss://eu1-x.upstash.io:6379", true},
		{"redis://[::1]:6379", "redis://[::1]:6379", true},
		{"unix://user:pass@/run/redis.sock", "unix:///run/redis.sock", true},
		{"redis://user:pass@localhost?db=1", "redis://localhost", false},
		{"redis://localhost/one", "redis://…", false},
		{"http://user:pass@localhost", "redis://…", false},
		{"pass", "redis://…", false},
		{"redis://user:pass/word@localhost", "redis://localhost", false},
		{"redis://user:pass word", "redis://…", false},
		{"redis:// user:pass", "redis://…", false},
		{"", "", false},
	} {
		u := redisdb.URL(row.url)
		for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x"} {
			if got := fmt.Sprintf(verb, u); got != row.shown {
				t.Errorf("%s of %q: %q, want %q", verb, row.url, got, row.shown)
			}
		}
		if got := u.LogValue(); got.Kind() != slog.KindString || got.String() != row.shown {
			t.Errorf("LogValue of %q: %v", row.url, got)
		}
		err := u.Check()
		if (err == nil) != row.ok {
			t.Errorf("Check of %q: %v, want ok %v", row.url, err, row.ok)
		}
		if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "user:password@", ""), "pass") {
			t.Errorf("Check of %q shows it: %v", row.url, err)
		}
	}
	for _, prefix := range []string{"a b:", "{x}:", strings.Repeat("x", 101), "ü:"} {
		if _, err := redisdb.New(redisdb.Config{URL: "redis://localhost", Prefix: prefix}); err == nil {
			t.Errorf("the prefix %q is taken", prefix)
		}
	}
}

// TestUser: the rights that docs/formats/redis.md names are enough, and are all in the remedy for one who has none.
func TestUser(t *testing.T) {
	t.Parallel()
	s := testenv.NewRedis(t)
	const rights = "+hello +select +evalsha +eval +time +get +mget +set +expire +pexpire +lrange +lrem +rpush +xadd +xread +zadd +zrange +zrangebyscore +zremrangebyscore +zrem +zcard +hget +hmget +hset +hdel"
	if got := s.Do("ACL SETUSER asha on >0123456789 resetkeys ~freshet:* nocommands %s", rights); got != "+OK" {
		t.Fatal(got)
	}
	l := open(t, "redis://asha:0123456789@"+s.Addr()+"/1", "").Ledger()
	for range 6 {
		if _, _, err := l.Take(t.Context(), []string{"auth x"}, 5, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
	cursor := ""
	for range 2 {
		var err error
		if _, _, cursor, err = l.Share(t.Context(), map[string]time.Duration{"api x": time.Second}, [][]byte{[]byte("{}")}, stands(2), stands(3), cursor); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Present(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := open(t, "redis://asha:0123456789@"+s.Addr(), "others:").Ledger()
	if _, err := other.Present(t.Context()); err == nil || !strings.Contains(err.Error(), rights) {
		t.Errorf("below another prefix: %v, want the rights %s", err, rights)
	}
}
