package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// What is measured.
const (
	stepCold     = "cold build"
	stepSame     = "no change"
	stepPost     = "one post edited"
	stepTemplate = "one template edited"
)

// results gathers the costs of all rounds.
type results struct {
	posts     int
	highlight bool
	costs     map[string][]cost
}

func (r *results) add(name string, c cost) {
	if r.costs == nil {
		r.costs = map[string][]cost{}
	}
	r.costs[name] = append(r.costs[name], c)
}

// medians are taken for each quantity by itself.
func (r *results) medians() map[string]cost {
	m := map[string]cost{}
	for name, cs := range r.costs {
		m[name] = cost{
			Wall:      median(cs, func(c cost) time.Duration { return c.Wall }),
			CPU:       median(cs, func(c cost) time.Duration { return c.CPU }),
			PeakBytes: median(cs, func(c cost) int64 { return c.PeakBytes }),
			Pages:     median(cs, func(c cost) int { return c.Pages }),
		}
	}
	return m
}

func median[T int | int64 | time.Duration](cs []cost, of func(cost) T) T {
	values := make([]T, len(cs))
	for i, c := range cs {
		values[i] = of(c)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// A target is how many times faster than Hugo freshet is to be.
type target struct {
	step      string
	highlight bool
	least     float64 // times
	aim       float64 // times; 0: none beyond least
}

// targets hold at 10,000 posts on two processors.
var targets = []target{
	{stepCold, true, 1.8, 2.4},
	{stepCold, false, 2, 3.3},
	{stepSame, true, 40, 0},
	{stepPost, true, 30, 50},
	{stepTemplate, true, 6, 0},
}

// print writes the medians as a table, with the ratios and the targets beside them.
func (r *results) print(w io.Writer) {
	m := r.medians()
	fmt.Fprintf(w, "\n%d posts, highlighting %s, %d processors, median of %d rounds\n\n", r.posts, onOff(r.highlight), runtime.NumCPU(),
		len(r.costs["freshet "+stepCold]))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\twall\tCPU\tpeak MB\tpages\tpages/s\t× Hugo\ttarget\t")
	for _, step := range []string{stepCold, stepSame, stepPost, stepTemplate} {
		f := m["freshet "+step]
		h, both := m["hugo "+step]
		ratio, want := "", ""
		if both {
			ratio = fmt.Sprintf("%.2f", h.Wall.Seconds()/f.Wall.Seconds())
		}
		for _, t := range targets {
			if t.step == step && t.highlight == r.highlight {
				want = fmt.Sprintf("≥ %g", t.least)
				if t.aim > 0 {
					want += fmt.Sprintf(" (aim %g)", t.aim)
				}
			}
		}
		row(tw, "freshet: "+step, f, ratio, want)
		if both {
			row(tw, "Hugo: "+step, h, "", "")
		}
	}
	if err := tw.Flush(); err != nil {
		fmt.Fprintln(w, err)
	}
	cold := m["freshet "+stepCold]
	fmt.Fprintf(w, "\npeak memory of freshet's cold build: %d MB (target at 10,000 posts 400 MB, at 100,000 1,000 MB)\n", cold.PeakBytes/1e6)
	fmt.Fprintf(w, "time of freshet's cold build a page: %.3f ms (target at 100,000 posts: at most 1.2 times that at 10,000)\n",
		cold.Wall.Seconds()*1000/float64(max(cold.Pages, 1)))
}

func row(w io.Writer, name string, c cost, ratio, want string) {
	perSecond := ""
	if c.Pages > 0 {
		perSecond = fmt.Sprintf("%.0f", float64(c.Pages)/c.Wall.Seconds())
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t\n", name, seconds(c.Wall), seconds(c.CPU), c.PeakBytes/1e6, c.Pages, perSecond, ratio, want)
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
