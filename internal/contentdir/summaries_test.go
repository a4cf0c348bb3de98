package contentdir_test

import (
	"context"
	"errors"
	"testing"

	"freshet/internal/contentdir"
	"freshet/internal/digest"
	"freshet/internal/site"
)

// counting is a Summarizer that counts what it is asked for, and may fail.
type counting struct {
	contentdir.Summarizer
	version digest.Sum
	asked   int // a tree of one file with a body: nothing at the same time
	err     error
	lang    string // of the last one
}

func (c *counting) Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error) {
	c.asked++
	c.lang = lang
	if c.err != nil {
		return site.Summary{}, c.err
	}
	return c.Summarizer.Summarize(ctx, format, text, title, lang)
}

func (c *counting) Version() digest.Sum { return c.version }

// TestSummariesAreKept: another process asks for no summary that is remembered, and for all of them if their maker has changed.
func TestSummariesAreKept(t *testing.T) {
	dir, memo := t.TempDir(), newMapMemo()
	write(t, dir, "blog/a.md", []byte("---\ndate: 2024-01-01\n---\n\n# Rivers\n\nThe *text*.\n"))
	write(t, dir, "blog/empty.md", []byte("---\ntitle: B\ndate: 2024-01-01\n---\n"))
	read := func(c *counting) *site.Post {
		t.Helper()
		c.Summarizer = summaries
		s, err := contentdir.New(contentdir.Config{Dir: dir, Summaries: c, Memo: memo})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range scan(t, s, nil).Put {
			if d.DocID() == "blog/a.md" {
				return d.(*site.Post)
			}
		}
		t.Fatal("there is no document blog/a.md")
		return nil
	}
	for _, test := range []struct {
		name    string
		c       counting
		asked   int
		excerpt string
	}{
		{"a body that cannot be rendered", counting{version: 1, err: errors.New("no document")}, 1, ""},
		{"what could not be rendered is tried again", counting{version: 1}, 1, "The text."},
		{"what is remembered", counting{version: 1}, 0, "The text."},
		{"another maker", counting{version: 2}, 1, "The text."},
	} {
		p := read(&test.c)
		if got := test.c.asked; got != test.asked || p.Excerpt != test.excerpt {
			t.Errorf("%s: %d summaries made, want %d; excerpt %q, want %q", test.name, got, test.asked, p.Excerpt, test.excerpt)
		}
		if test.excerpt != "" && (p.Title != "Rivers" || p.Minutes != 1) {
			t.Errorf("%s: title %q, %d minutes", test.name, p.Title, p.Minutes)
		}
	}
}

// TestSummaryInterrupted: a scan that ends early remembers no file without its summary.
func TestSummaryInterrupted(t *testing.T) {
	dir, memo := t.TempDir(), newMapMemo()
	write(t, dir, "blog/a.md", []byte("---\ntitle: A\ndate: 2024-01-01\n---\n\nThe text.\n"))
	ctx, cancel := context.WithCancel(t.Context())
	s, err := contentdir.New(contentdir.Config{Dir: dir, Summaries: cancelling{summaries, cancel}, Memo: memo})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Scan(ctx, nil); !errors.Is(err, context.Canceled) || len(memo.m) > 0 {
		t.Errorf("Scan = %v; %d files remembered", err, len(memo.m))
	}
	if ch := scan(t, s, nil); len(ch.Put) != 1 || ch.Put[0].(*site.Post).Excerpt != "The text." {
		t.Errorf("the next scan reports %v", ch.Put)
	}
}

// cancelling ends the scan that asks it for a summary.
type cancelling struct {
	contentdir.Summarizer
	cancel context.CancelFunc
}

func (c cancelling) Summarize(ctx context.Context, format site.Format, text, title, lang string) (site.Summary, error) {
	c.cancel()
	return c.Summarizer.Summarize(ctx, format, text, title, lang)
}

// TestLikelyLanguage: a body is rendered in the language that its page will have, as far as its file tells.
func TestLikelyLanguage(t *testing.T) {
	for name, want := range map[string]string{
		"blog/a.md": "nl", "blog/a.de.md": "de", "fr/blog/a.md": "fr", "fr/blog/a.de.md": "de",
	} {
		dir := t.TempDir()
		write(t, dir, name, []byte("---\ntitle: A\ndate: 2024-01-01\n---\n\nThe text.\n"))
		c := &counting{Summarizer: summaries}
		s, err := contentdir.New(contentdir.Config{Dir: dir, Language: "nl", Summaries: c})
		if err != nil {
			t.Fatal(err)
		}
		scan(t, s, nil)
		if c.lang != want {
			t.Errorf("%s is summarized in %q, want %q", name, c.lang, want)
		}
	}
}
