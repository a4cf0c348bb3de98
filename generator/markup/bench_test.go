package markup_test

import (
	"strings"
	"testing"

	"freshet/generator/markup"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// post is a typical post: about 1,400 words, links, a list, a table, two code blocks.
var post = func() string {
	var b strings.Builder
	const words = "The river rises in the hills and runs past the mill where the old *bridge* stood before the flood took it away. "
	for i := range 8 {
		b.WriteString("## Part " + string(rune('A'+i)) + " of the river\n\n")
		for range 2 {
			b.WriteString(strings.Repeat(words, 2) + "See [the map](../map/index.md) and **mind** the `gauge` reading.\n")
			b.WriteString(words + "\n\n")
		}
	}
	b.WriteString("- one thing\n- another [link](https://example.com/x?a=1&b=2)\n- ![a picture](river.png \"The river\")\n\n")
	b.WriteString("| Month | Level | Flow |\n| --- | ---: | ---: |\n" + strings.Repeat("| June | 2.4 m | 300 |\n", 8) + "\n")
	b.WriteString("```go" + `
package gauge

import (
	"context"
	"fmt"
)

// Read returns the level in metres.
func Read(ctx context.Context, id string) (float64, error) {
	if id == "" {
		return 0, fmt.Errorf("read gauge: no id")
	}
	for i := range 10 {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		default:
			fmt.Println("try", i, id)
		}
	}
	return 2.4, nil
}
` + "```\n\n```python" + `
import json

def levels(path: str) -> dict[str, float]:
    """Read all levels."""
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    return {row["id"]: float(row["level"]) for row in rows if row.get("ok", True)}


if __name__ == "__main__":
    print(levels("gauges.ndjson"))
` + "```\n")
	return b.String()
}()

func BenchmarkRender(b *testing.B) {
	bench := func(name string, r *markup.Renderer, in markup.Input) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.Body.Text)))
			for b.Loop() {
				if _, err := r.Render(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	in := markup.Input{Format: site.Markdown, Title: "The river", Body: site.Body{Text: []byte(post)}}
	plain, coloured := markup.New(markup.Config{}), markup.New(markup.Config{Highlight: true})
	bench("markdown", plain, in)
	bench("markdown highlighted", coloured, in)
	raw := in
	raw.Body.Text = []byte(post + "\n\n<details><summary>more</summary>text</details>\n")
	bench("markdown with raw HTML", coloured, raw)
	d, err := plain.Render(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	bench("stored HTML", coloured, markup.Input{Format: site.HTML, Body: site.Body{Text: []byte(flat(d))}})
	in.Key = digest.Bytes(in.Body.Text)
	bench("memo hit", markup.New(markup.Config{Highlight: true, Memo: memory{}}), in)
}

func BenchmarkAppend(b *testing.B) {
	d, err := markup.New(markup.Config{Highlight: true}).Render(b.Context(), markup.Input{Format: site.Markdown, Body: site.Body{Text: []byte(post)}})
	if err != nil {
		b.Fatal(err)
	}
	targets := make([]markup.Target, len(d.Refs))
	for i := range targets {
		targets[i] = markup.Target{URL: "/blog/x/", Width: 100, Height: 50}
	}
	var dst []byte
	for b.Loop() {
		dst = d.Append(dst[:0], targets)
	}
}
