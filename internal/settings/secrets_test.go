package settings

import (
	"os"
	"strings"
	"testing"
)

// TestMistakesShowNoSecret makes mistakes beside, in and around secrets. Each is told, and no part of a secret.
func TestMistakesShowNoSecret(t *testing.T) {
	const uri = "mongodb://asha:t0psecret@host/db"
	for _, test := range []struct{ name, file, text string }{
		{"misspelt key", "freshet.yaml", "mongo:\n  url: \"" + uri + "\"\n"},
		{"misspelt section", "freshet.yaml", "mongodb:\n  uri: \"" + uri + "\"\n"},
		{"without a section", "freshet.yaml", "uri: " + uri + "\n"},
		{"twice", "freshet.yaml", "mongo:\n  uri: " + uri + "\n  uri: " + uri + "\n"},
		{"as a list", "freshet.yaml", "mongo:\n  uri: [\"" + uri + "\"]\n"},
		{"as the section", "freshet.yaml", "mongo: \"" + uri + "\"\n"},
		{"as another value", "freshet.yaml", "source: \"" + uri + "\"\n"},
		{"as a key", "freshet.yaml", "\"" + uri + "\": 1\n"},
		{"of the environment", "freshet.yaml", "MONGODB_URI: " + uri + "\n"},
		{"no end quote", "freshet.yaml", "mongo:\n  uri: \"" + uri + "\n"},
		{"colon and blank in it", "freshet.yaml", "mongo:\n  uri: mongodb://asha:t0psecret: x@host/db\n"},
		{"a tab", "freshet.yaml", "mongo:\n\turi: " + uri + "\n"},
		{"another mistake on its line", "freshet.yaml", "mongo: {uri: \"" + uri + "\", minPol: 1}\n"},
		{"below its key", "freshet.yaml", "mongo:\n  uri:\n    - t0psecret\n"},
		{"in a block", "freshet.yaml", "mongo:\n  uri: |\n    t0psecret\n  minPool: zero\n"},
		{"JSON on one line", "freshet.json", `{"listen": 1, "mongo": {"uri": "` + uri + `"}}`},
		{"JSON without an end", "freshet.json", `{"mongo": {"uri": "` + uri},
		{"TOML misspelt", "freshet.toml", "[mongo]\nurii = \"" + uri + "\"\n"},
		{"TOML no end quote", "freshet.toml", "[mongo]\nuri = \"" + uri + "\n"},
		{"TOML bare", "freshet.toml", "[mongo]\ndb = \"x\"\nuri = t0psecret\n"},
		{"TOML dotted", "freshet.toml", "mongo.uri = t0psecret\n"},
		{"Redis misspelt", "freshet.yaml", "redis:\n  uri: redis://asha:t0psecret@host\n"},
		{"Redis without a scheme", "freshet.yaml", "redis:\n  url: t0psecret\n"},
		{"Redis with a port that is none", "freshet.yaml", "redis:\n  url: redis://asha:t0psecret@host:t0psecret\n"},
		{"Redis with a slash in the password", "freshet.yaml", "redis: {url: \"redis://asha:t0psecret/x@host\"}\n"},
		{"Redis with options", "freshet.yaml", "redis: {url: \"redis://asha:t0psecret@host?protocol=3\"}\n"},
		{"Redis as the prefix", "freshet.yaml", "redis: {prefix: \"redis://asha:t0psecret@host\"}\n"},
		{"Redis in TOML", "freshet.toml", "redis.url = \"t0psecret\"\n"},
		{"secrets of webhooks", "freshet.yaml", "webhook:\n  secrets:\n  - t0psecret\n  - t0psecret\n  tokn: t0psecret\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile(test.file, []byte(test.text), 0o666); err != nil {
				t.Fatal(err)
			}
			if _, printed := load(t, nil, nil); printed == "" || strings.Contains(printed, "t0psecret") || strings.Contains(printed, "asha") {
				t.Errorf("Load reports\n%s", printed)
			}
		})
	}
	t.Run("what is no secret is shown", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("freshet.yaml", []byte("mongo:\n  uri: "+uri+"\nsite:\n  titel: Rivers\nbuild: {keep: many}\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		_, printed := load(t, nil, nil)
		for _, want := range []string{"  titel: Rivers", "build: {keep: many}"} {
			if !strings.Contains(printed, want) {
				t.Errorf("Load does not report %q:\n%s", want, printed)
			}
		}
	})
}
