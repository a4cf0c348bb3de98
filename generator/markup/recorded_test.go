package markup_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"freshet/generator/markup"
	"freshet/internal/site"
	"freshet/internal/testenv/recorded"
)

// TestFormatIsRaised fails when what is remembered of a body changes and the renderer's number does not: pages and
// memories of before would then be taken for those of now.
func TestFormatIsRaised(t *testing.T) {
	inputs := map[string]markup.Input{}
	archive, err := txtar.ParseFile("testdata/render.txtar")
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]site.Format{"in.md": site.Markdown, "in.html": site.HTML, "in.json": site.TipTap}
	for _, f := range archive.Files {
		if _, part, _ := strings.Cut(f.Name, "/"); formats[part] != "" {
			inputs[f.Name] = markup.Input{Format: formats[part], Body: site.Body{Text: f.Data}}
		}
	}
	for _, lang := range []string{"", "de", "hi", "ar", "ja"} {
		inputs["words in language "+lang] = markup.Input{Format: site.Markdown, Lang: lang, Body: site.Body{Text: []byte("> [!NOTE]\n> a[^1]\n\n[^1]: b\n")}}
	}
	inputs["title again"] = markup.Input{Format: site.Markdown, Title: "A title", Body: site.Body{Text: []byte("# A title\n\ntext\n")}}
	samples, err := os.ReadFile("highlight/testdata/samples.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse(samples).Files {
		inputs["code in "+f.Name] = markup.Input{Format: site.Markdown, Body: site.Body{Text: []byte("```" + f.Name + "\n" + string(f.Data) + "```\n")}}
	}
	outputs := map[string]recorded.Output{}
	for name, in := range inputs {
		kept := memory{}
		_, err := markup.New(markup.Config{Memo: kept, Highlight: true}).Render(t.Context(), in)
		out := recorded.Output{Input: []byte(in.Body.Text)}
		switch {
		case err != nil:
			out.Bytes = []byte("error: " + err.Error())
		case len(kept) != 1:
			t.Fatalf("%s: %d results are remembered, want 1", name, len(kept))
		}
		for _, b := range kept {
			out.Bytes = b
		}
		outputs[name] = out
	}
	recorded.Check(t, "format", recorded.Number{File: "generator/markup/markup.go", Name: "format"}, outputs)
}

// TestModulesAreThoseInUse compares the versions that markup.go names with go.mod.
func TestModulesAreThoseInUse(t *testing.T) {
	source, err := os.ReadFile("markup.go")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`"([^"]+/[^"]+)":\s+"(v[^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(named) < 5 {
		t.Fatalf("markup.go names the versions of %d modules", len(named))
	}
	for _, m := range named {
		if !strings.Contains(string(mod), m[1]+" "+m[2]+"\n") {
			t.Errorf("markup.go names %s %s, and go.mod another version: correct it in the function version", m[1], m[2])
		}
	}
}
