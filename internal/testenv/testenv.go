// Package testenv finds what tests need from outside the module. What is absent makes a test skip and say why, unless
// FRESHET_TEST_REQUIRE says that it must be there: then the test fails. Its value is a list of names, apache, cases, chromium, corpus,
// haproxy, mongo, nginx, redis and varnish; 1 means all that can be installed anywhere, which is all but cases and corpus.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	mongodriver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"freshet/internal/extjson"
)

// What FRESHET_TEST_REQUIRE can name.
const (
	apache   = "apache"
	cases    = "cases"
	corpus   = "corpus"
	chromium = "chromium"
	haproxy  = "haproxy"
	mongo    = "mongo"
	nginx    = "nginx"
	redis    = "redis"
	varnish  = "varnish"
)

// missing ends the test for want of something.
func missing(t testing.TB, name, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	require := os.Getenv("FRESHET_TEST_REQUIRE")
	if slices.Contains(strings.Split(require, ","), name) || require == "1" && name != corpus && name != cases {
		t.Fatalf("FRESHET_TEST_REQUIRE=%s, but %s", require, reason)
	}
	t.Skip(reason)
}

// Mongo returns the URI of a MongoDB, or of a server compatible with it, that tests may make databases on:
// $FRESHET_TEST_MONGO.
func Mongo(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("FRESHET_TEST_MONGO")
	if uri == "" {
		missing(t, mongo, "there is no MongoDB: set FRESHET_TEST_MONGO to the URI of one that tests may write to")
	}
	return uri
}

// MongoDatabase returns the URI of a MongoDB that tests may write to, and the name of a database of the test's own. It is
// dropped when the test ends.
func MongoDatabase(t testing.TB) (uri, name string) {
	t.Helper()
	uri = Mongo(t)
	name = "freshet_test_" + bson.NewObjectID().Hex()
	t.Cleanup(func() {
		withDatabase(t, uri, name, func(ctx context.Context, db *mongodriver.Database) error { return db.Drop(ctx) })
	})
	return uri, name
}

// DropCollection removes a collection of a database of the test's own.
func DropCollection(t testing.TB, uri, name, coll string) {
	t.Helper()
	withDatabase(t, uri, name, func(ctx context.Context, db *mongodriver.Database) error { return db.Collection(coll).Drop(ctx) })
}

// SetTitle gives the document with a slug another title, as an editor does: it says when in updatedAt.
func SetTitle(t testing.TB, uri, name, coll, slug, title string) {
	t.Helper()
	withDatabase(t, uri, name, func(ctx context.Context, db *mongodriver.Database) error {
		set := bson.D{{Key: "title", Value: title}, {Key: "updatedAt", Value: time.Now()}}
		res, err := db.Collection(coll).UpdateOne(ctx, bson.D{{Key: "slug", Value: slug}}, bson.D{{Key: "$set", Value: set}})
		if err == nil && res.MatchedCount != 1 {
			err = fmt.Errorf("%d documents of %s have the slug %s", res.MatchedCount, coll, slug)
		}
		return err
	})
}

// Remove deletes the document with a slug.
func Remove(t testing.TB, uri, name, coll, slug string) {
	t.Helper()
	withDatabase(t, uri, name, func(ctx context.Context, db *mongodriver.Database) error {
		res, err := db.Collection(coll).DeleteOne(ctx, bson.D{{Key: "slug", Value: slug}})
		if err == nil && res.DeletedCount != 1 {
			err = fmt.Errorf("%d documents of %s have the slug %s", res.DeletedCount, coll, slug)
		}
		return err
	})
}

func withDatabase(t testing.TB, uri, name string, do func(context.Context, *mongodriver.Database) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	client, err := mongodriver.Connect(options.Client().ApplyURI(uri))
	if err == nil {
		err = errors.Join(do(ctx, client.Database(name)), client.Disconnect(ctx))
	}
	if err != nil {
		t.Errorf("change the test's database: %v", err)
	}
}

// Corpus returns the folder of real blogs and courses: $FRESHET_TEST_CORPUS, else ../shared/corpus beside the module.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FRESHET_TEST_CORPUS")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "blogs-hugo")); err != nil {
		missing(t, corpus, "there is no corpus of real content at %s: set FRESHET_TEST_CORPUS to its folder", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Cases returns the folder of small content trees and stored documents with their right results, and of the program
// run.py that judges a build of each: $FRESHET_TEST_CASES, else ../shared/cases beside the module.
func Cases(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FRESHET_TEST_CASES")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "cases")
	}
	if _, err := os.Stat(filepath.Join(dir, "run.py")); err != nil {
		missing(t, cases, "there are no content cases at %s: set FRESHET_TEST_CASES to their folder", dir)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, cases, "there is no python3 to judge the content cases: install it")
	}
	return dir
}

// CorpusDocuments reads the documents of one of the corpus's exports.
func CorpusDocuments(t testing.TB, name string) []extjson.Doc {
	t.Helper()
	f, err := os.Open(filepath.Join(Corpus(t), "mongo-export", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []extjson.Doc
	for r := extjson.NewReader(f, name); ; {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil || it.Doc == nil {
			t.Fatalf("%s: %v %v", name, it.Problems, err)
		}
		out = append(out, it.Doc)
	}
}

// Chromium returns the browser's program: $FRESHET_TEST_CHROMIUM, else what is called chromium or google-chrome.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("FRESHET_TEST_CHROMIUM"), "chromium", "google-chrome"} {
		if name == "" {
			continue
		}
		if exe, err := exec.LookPath(name); err == nil {
			return exe
		}
	}
	missing(t, chromium, "there is no chromium: install Debian's package, or set FRESHET_TEST_CHROMIUM to a browser's program")
	return ""
}

// Varnish returns Varnish's daemon: $FRESHET_TEST_VARNISH, else what is called varnishd. Its module xkey is there too.
func Varnish(t testing.TB) string {
	t.Helper()
	exe := program(os.Getenv("FRESHET_TEST_VARNISH"), "varnishd")
	if exe == "" {
		missing(t, varnish, "there is no Varnish: install Debian's packages varnish and varnish-modules, or set FRESHET_TEST_VARNISH to the program varnishd")
	}
	return exe
}

// Nginx returns nginx: $FRESHET_TEST_NGINX, else what is called nginx.
func Nginx(t testing.TB) string {
	t.Helper()
	exe := program(os.Getenv("FRESHET_TEST_NGINX"), "nginx")
	if exe == "" {
		missing(t, nginx, "there is no nginx: install Debian's package nginx-light, or set FRESHET_TEST_NGINX to the program")
	}
	return exe
}

// HAProxy returns HAProxy: $FRESHET_TEST_HAPROXY, else what is called haproxy.
func HAProxy(t testing.TB) string {
	t.Helper()
	exe := program(os.Getenv("FRESHET_TEST_HAPROXY"), "haproxy")
	if exe == "" {
		missing(t, haproxy, "there is no HAProxy: install Debian's package haproxy, or set FRESHET_TEST_HAPROXY to the program")
	}
	return exe
}

// Apache returns Apache's server, with the folder of its modules: $FRESHET_TEST_APACHE, else what is called apache2.
func Apache(t testing.TB) (exe, modules string) {
	t.Helper()
	exe, modules = program(os.Getenv("FRESHET_TEST_APACHE"), "apache2"), "/usr/lib/apache2/modules"
	if _, err := os.Stat(filepath.Join(modules, "mod_proxy_http.so")); exe == "" || err != nil {
		missing(t, apache, "there is no Apache: install Debian's package apache2-bin")
	}
	return exe, modules
}

// program finds the first of the names, also where only the superuser looks; empty: none.
func program(names ...string) string {
	for _, name := range names {
		if name == "" {
			continue
		}
		for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
			if exe, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return exe
			}
		}
	}
	return ""
}

// Root returns the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Freshet returns the program's file, which is built once for all tests of a package. It is built without the race detector,
// which would make a process take longer to start than to build a small site. The package's TestMain must use [Main].
func Freshet(t testing.TB) string {
	t.Helper()
	exe, err := freshet()
	if err != nil {
		t.Fatalf("build freshet: %v", err)
	}
	return exe
}

// freshet builds the program into a folder of its own.
var freshet = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	if programDir, err = os.MkdirTemp("", "freshet-program-"); err != nil {
		return "", err
	}
	exe := filepath.Join(programDir, "freshet")
	cmd := exec.Command("go", "build", "-o", exe, "./cmd/freshet")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(out)))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return exe, nil
})

var programDir string // empty: the program was not asked for

// Main runs the tests of a package. Then it removes the program that they used.
type Main struct{ M *testing.M }

// Run returns the exit code.
func (m Main) Run() int {
	code := m.M.Run()
	if programDir != "" {
		if err := os.RemoveAll(programDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return max(code, 1)
		}
	}
	return code
}
