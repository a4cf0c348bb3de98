package main

import (
	"strings"
	"testing"
	"time"
)

func TestHugoCounts(t *testing.T) {
	const report = `
                  │  EN  
──────────────────┼──────
 Pages            │ 1331 
 Paginator pages  │  416 
 Non-page files   │    7 
 Static files     │    9 
`
	var got []string
	for _, m := range hugoCounts.FindAllStringSubmatch(report, -1) {
		got = append(got, m[1])
	}
	if s := strings.Join(got, " "); s != "1331 416" {
		t.Errorf("counts in Hugo's report = %s, want 1331 416", s)
	}
}

func TestMedians(t *testing.T) {
	var r results
	for _, s := range []time.Duration{5, 1, 3} {
		r.add("freshet cold build", cost{Wall: s * time.Second, PeakBytes: int64(10 - s), Pages: 7})
	}
	got := r.medians()["freshet cold build"]
	if want := (cost{Wall: 3 * time.Second, PeakBytes: 7, Pages: 7}); got != want {
		t.Errorf("medians = %+v, want %+v", got, want)
	}
}

// TestPrint checks the ratio and the target in the table: they are what the benchmark is for.
func TestPrint(t *testing.T) {
	r := results{posts: 10000, highlight: true}
	for _, step := range []string{stepCold, stepSame, stepPost, stepTemplate} {
		r.add("freshet "+step, cost{Wall: 100 * time.Millisecond, Pages: 200})
		r.add("hugo "+step, cost{Wall: 4500 * time.Millisecond, Pages: 300})
	}
	var b strings.Builder
	r.print(&b)
	for _, want := range []string{"45.00             ≥ 40", "≥ 1.8 (aim 2.4)", "≥ 30 (aim 50)", "4.50 s", "100 ms", " 2000 "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}
