package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"freshet/internal/mongodb"
)

// TestOpenRefuses wants one clear line for each mistake in the settings.
func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  mongodb.Config
		want []string
	}{
		{"no URI", mongodb.Config{}, []string{"mongo.uri (MONGODB_URI) is not set"}},
		{"web address", mongodb.Config{URI: "https://user:s3cret@host/db"}, []string{"mongo.uri", "neither mongodb:// nor mongodb+srv://"}},
		{"only a host", mongodb.Config{URI: "host:27017"}, []string{"mongo.uri", "mongodb://"}},
		{"no host", mongodb.Config{URI: "mongodb:///db"}, []string{"mongo.uri (MONGODB_URI) cannot be understood"}},
		{"at in the password", mongodb.Config{URI: "mongodb://user:s3cret@x@host/db"}, []string{"mongo.uri (MONGODB_URI) cannot be understood", "percent-encoded"}},
		{"slash in the password", mongodb.Config{URI: "mongodb://user:s3cret/x@host/db"}, []string{"mongo.uri (MONGODB_URI) cannot be understood", "percent-encoded"}},
		{"question mark in the password", mongodb.Config{URI: "mongodb://user:s3cret?x/$y@host/db"}, []string{"mongo.uri (MONGODB_URI) cannot be understood"}},
		{"percent sign in the password", mongodb.Config{URI: "mongodb://user:s3cret%zz@host/db"}, []string{"mongo.uri (MONGODB_URI) cannot be understood: its user or password is not percent-encoded ("}},
		{"no at", mongodb.Config{URI: "mongodb://user:s3cret"}, []string{"mongo.uri (MONGODB_URI) cannot be understood"}},
		{"bad option", mongodb.Config{URI: "mongodb://user:s3cret@host/db?maxPoolSize=many"}, []string{"mongo.uri (MONGODB_URI) cannot be understood", "maxPoolSize"}},
		{"secret option", mongodb.Config{URI: "mongodb://host/db?tls=true&tlsCertificateKeyFile=/none.pem&tlsCertificateKeyFilePassword=s3cret"}, []string{"mongo.uri (MONGODB_URI) cannot be understood"}},
		{"no database", mongodb.Config{URI: "mongodb://user:s3cret@host"}, []string{"mongo.db (MONGODB_DB) is not set", "mongodb://host/database"}},
		{"bad database", mongodb.Config{URI: "mongodb://host", DB: "my site"}, []string{`mongo.db (MONGODB_DB): "my site"`}},
		{"bad settings database", mongodb.Config{URI: "mongodb://host/db", SettingsDB: "a.b"}, []string{`mongo.settingsDB: "a.b"`}},
		{"bad read preference", mongodb.Config{URI: "mongodb://host/db", ReadPreference: "fastest"}, []string{"mongo.readPreference", `"fastest"`, "secondaryPreferred"}},
		{"pool", mongodb.Config{URI: "mongodb://host/db", MinPool: 30}, []string{"mongo.minPool is 30", "mongo.maxPool, which is 20"}},
	} {
		db, err := mongodb.Open(t.Context(), test.cfg)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			_ = db.Close()
			continue
		}
		noSecret(t, test.name, err)
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %q, want one line with %q", test.name, err, want)
			}
		}
	}
}

// noSecret looks for the password in everything that an error and its causes can be printed as.
func noSecret(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
		if s := fmt.Sprintf(verb, err); strings.Contains(s, "s3cret") {
			t.Errorf("%s: the password is in %s", name, s)
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		noSecret(t, name, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			noSecret(t, name, cause)
		}
	}
}

// TestURIShowsNoSecret prints a URI in every way.
func TestURIShowsNoSecret(t *testing.T) {
	for uri, want := range map[mongodb.URI]string{
		"":               "",
		"mongodb://host": "mongodb://host",
		"mongodb://user:s3cret@host:27017/db?replicaSet=rs": "mongodb://host:27017/db",
		"mongodb+srv://user:s3cret@a.b.net/db":              "mongodb+srv://a.b.net/db",
		"mongodb://user:s3cret@a:1,b:2/db":                  "mongodb://a:1,b:2/db",
		"mongodb://user:s3@s3cret@host/db":                  "mongodb://host/db",
		"mongodb://user:s3cret":                             "mongodb://…",
		"mongodb://user:s3cret/@":                           "mongodb://…",
		"user:s3cret@host":                                  "mongodb://…",
		"mongodb://host/db?authMechanismProperties=s3cret":  "mongodb://host/db",
	} {
		cfg := mongodb.Config{URI: uri}
		for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%x", "%d"} {
			if s := fmt.Sprintf(verb, cfg); strings.Contains(s, "s3cret") || strings.Contains(s, fmt.Sprintf("%x", "s3cret")) {
				t.Errorf("Printf(%q, Config) = %s: the password is in it", verb, s)
			}
		}
		text, err := uri.MarshalText()
		if got := uri.String(); got != want || uri.LogValue().String() != want || string(text) != want || err != nil {
			t.Errorf("URI(%q) shows as %q, logs as %q, marshals as %q; want %q", string(uri), got, uri.LogValue(), text, want)
		}
	}
}

// TestBadInput wants one line that names setting and remedy for each way in which a server is not the one meant.
func TestBadInput(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := closed.Addr().String()
	closed.Close()
	for _, test := range []struct {
		name        string
		prepare     func(*responder)
		user        string
		address     string
		query       string
		unavailable bool
		want        []string
	}{
		{"refused", nil, "", free, "", true, []string{"mongo.uri", free, "connection refused", "start MongoDB"}},
		{"no host", nil, "user:s3cret@", "no-such-host.invalid:27017", "", true, []string{"mongo.uri", "no-such-host.invalid:27017", "correct the host"}},
		{"wrong password", func(r *responder) {
			r.set(func(name string, _ int) fault { return fault{code: map[string]int{"saslStart": 18}[name]} })
		}, "user:s3cret@", "", "", false, []string{"refuses the user or password of mongo.uri (MONGODB_URI)", "authSource"}},
		{"not signed in", func(r *responder) {
			r.set(func(name string, _ int) fault { return fault{code: map[string]int{"find": 13}[name]} })
		}, "", "", "", false, []string{"wants a sign-in", "mongo.uri (MONGODB_URI) has no user"}},
		{"no permission", func(r *responder) {
			r.set(func(name string, _ int) fault { return fault{code: map[string]int{"listCollections": 13}[name]} })
		}, "", "", "", false, []string{"db", "mongo.uri"}},
		{"no permission for one collection", func(r *responder) {
			r.set(func(name string, n int) fault { return fault{code: map[bool]int{true: 13}[name == "find" && n > 1]} })
		}, "", "", "", false, []string{"read db.courses", "wants a sign-in"}},
		{"wrong database", func(r *responder) {
			r.docs["users"] = r.docs["blogs"]
			delete(r.docs, "blogs")
		}, "", "", "", false, []string{"the database db (mongo.db, MONGODB_DB)", "neither blogs nor courses, but users"}},
		{"empty collections", func(r *responder) { r.docs["blogs"] = r.docs["blogs"][:0] }, "", "", "", false,
			[]string{"blogs and courses of the database db (mongo.db, MONGODB_DB)", "are empty", "freshet import"}},
		{"view", func(r *responder) { r.types["blogs"] = "view" }, "", "", "", false, []string{"db.blogs (mongo.db, MONGODB_DB) is a view", "name the database"}},
		{"no TLS", nil, "user:s3cret@", "", "?tls=true", true, []string{"mongo.uri", "closes every connection", "tls=false"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newResponder(t)
			r.fill(0, 1)
			if test.prepare != nil {
				test.prepare(r)
			}
			address := r.ln.Addr().String()
			if test.address != "" {
				address = test.address
			}
			var log watchedLog
			db := open(t, mongodb.Config{URI: mongodb.URI("mongodb://" + test.user + address + "/db" + test.query), Logger: log.logger(), BlogTimeout: time.Minute, ListTimeout: time.Minute})
			ch, err := newSource(t, db).Scan(t.Context(), nil)
			if err == nil || ch != nil {
				t.Fatalf("Scan = %v, %v; want an error alone", ch, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q, want one line with %q", err, want)
				}
			}
			if errors.Is(err, mongodb.ErrUnavailable) != test.unavailable {
				t.Errorf("error %q is ErrUnavailable: %v, want %v", err, !test.unavailable, test.unavailable)
			}
			noSecret(t, test.name, err)
			if s := fmt.Sprintf("%v %+v %#v", db, db, db); strings.Contains(s, "s3cret") || strings.Contains(log.String(), "s3cret") {
				t.Errorf("the password is in the DB as printed, or in the log: %s", log.String())
			}
		})
	}
}

// TestCallerGoesAway wants the caller's own error, and nothing kept of the scan.
func TestCallerGoesAway(t *testing.T) {
	r := newResponder(t)
	r.fill(0, 2500)
	db := open(t, to(r, false))
	s := newSource(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	r.set(func(name string, n int) fault {
		if name == "getMore" && n == 2 {
			cancel()
			return fault{hang: true}
		}
		return fault{}
	})
	if ch, err := s.Scan(ctx, nil); !errors.Is(err, context.Canceled) || errors.Is(err, mongodb.ErrUnavailable) || ch != nil {
		t.Errorf("Scan = %v, %v; want context.Canceled alone", ch, err)
	}
	if b := db.Stats().Breaker; b.Failures != 0 {
		t.Errorf("breaker is %+v after a caller went away, want no failures", b)
	}
	r.set(nil)
	if ch := scan(t, s); len(ch.Put) != 2500 {
		t.Errorf("the next scan put %d documents, want 2500", len(ch.Put))
	}
}
