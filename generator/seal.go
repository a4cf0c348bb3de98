package generator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"freshet/internal/diag"
	"freshet/internal/digest"
	"freshet/internal/pagestore"
	"freshet/internal/publictree"
	"freshet/internal/site"
)

// A Sealer is a [Source] that can report without a scan that nothing has changed.
type Sealer interface {
	// Seal describes what the scans so far have read. ok is false if the next scan may find a change in an unchanged
	// source.
	Seal() (seal []byte, ok bool)
	// Unchanged reports whether a first scan would read what seal describes. now is the seal for the next process. Call
	// it only on a Source that has not scanned.
	Unchanged(ctx context.Context, seal []byte) (now []byte, ok bool)
}

// A seal lets the next process skip a whole build without changes, without reading what earlier builds stored. It
// describes everything that the newest generation depends on, and contains the report of a build without changes.
//
// It is valid for builds from Now until Until. For other times the build starts as if there were no seal.
type seal struct {
	Inputs digest.Sum      `json:"inputs"` // Config.Inputs
	Source json.RawMessage `json:"source"`
	Store  pagestore.Seal  `json:"store"`
	Public publictree.Seal `json:"public"`
	Now    time.Time       `json:"now"`
	Until  time.Time       `json:"until,omitzero"` // when the next document appears or expires; zero: never
	Report *Report         `json:"report"`
}

// sealName is the seal's file in the state folder: a digest of the rest, a newline, and the seal as JSON.
const sealName = "seal"

// readSeal returns the seal in a state folder; nil: it is missing or damaged.
func readSeal(state string) *seal {
	b, err := os.ReadFile(filepath.Join(state, sealName))
	if err != nil {
		return nil
	}
	sum, text, _ := bytes.Cut(b, []byte("\n"))
	if string(sum) != digest.Bytes(text).String() {
		return nil
	}
	var s seal
	if json.Unmarshal(text, &s) != nil || s.Report == nil {
		return nil
	}
	return &s
}

func (s *seal) write(state string) error {
	name := filepath.Join(state, sealName)
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(name+".tmp", append([]byte(digest.Bytes(text).String()+"\n"), text...), 0o644)
	}
	if err == nil {
		err = os.Rename(name+".tmp", name)
	}
	if err != nil {
		return fmt.Errorf("seal the state folder: %w", err)
	}
	return nil
}

// seal writes a seal of the newest generation, if the next whole build of an unchanged source would change nothing and
// report the same. The caller holds mu.
func (g *Generator) seal() {
	source, is := g.cfg.Source.(Sealer)
	if g.settled == nil || g.cfg.Inputs == 0 || !is || len(g.broken)+len(g.held) > 0 {
		return
	}
	s := &seal{Inputs: g.cfg.Inputs, Now: g.snap.Now(), Until: g.snap.NextFlip(), Report: g.settled}
	var ok bool
	if s.Source, ok = source.Seal(); !ok {
		return
	}
	if s.Store, ok = g.cfg.Store.Seal(); !ok || s.Store.Generation != g.settled.Generation {
		return
	}
	if g.cfg.Tree != nil {
		if s.Public, ok = g.cfg.Tree.Seal(g.cfg.Store.Current()); !ok {
			return
		}
	}
	if err := s.write(g.cfg.State); err != nil {
		g.cfg.Logger.Warn("the next build with nothing to do is slow", "error", err)
	}
}

// settle stores the report for the next build, in case it finds no change.
func (g *Generator) settle(rep *Report) {
	if rep.Left > 0 {
		return
	}
	same := *rep
	same.Committed, same.Rendered, same.Changed, same.Removed = false, 0, 0, 0
	same.Phases, same.Planned, same.Again = nil, false, nil
	g.settled = &same
}

// A Standing checks whether a site is still as the last process left it.
type Standing struct {
	State  string
	Public string // folder of the public tree; empty: none
	Source Sealer
	Inputs digest.Sum // see Config
	Kept   []string   // other files that a build creates if they are missing
}

// Report returns what a whole build at the time now would report if nothing has changed; nil: something may have
// changed. It detects everything that a build detects: it lists the source and compares it as a scan does, and reads
// the whole page log. After it the site counts as compared with its source.
func (s Standing) Report(ctx context.Context, now time.Time) *Report {
	compared := time.Now()
	was := readSeal(s.State)
	if was == nil || was.Inputs != s.Inputs || s.Inputs == 0 || now.Before(was.Now) || !was.Until.IsZero() && !now.Before(was.Until) {
		return nil
	}
	for _, name := range append([]string{filepath.Join(s.State, baselineName), filepath.Join(s.State, documentsName)}, s.Kept...) {
		if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
			return nil
		}
	}
	store, ok := pagestore.Unseal(s.State, was.Store)
	if !ok {
		return nil
	}
	defer func() { _ = store.Close() }()
	if !was.Public.Holds(s.Public) {
		return nil
	}
	rep := *was.Report
	rep.Phases = map[string]float64{}
	scanned := rep.time("scan")
	source, ok := s.Source.Unchanged(ctx, was.Source)
	scanned()
	if !ok {
		return nil
	}
	verified := rep.time("verify")
	ok = store.Intact(ctx)
	verified()
	if !ok {
		return nil
	}
	if !bytes.Equal(source, was.Source) {
		was.Source = source
		if was.write(s.State) != nil {
			return nil
		}
	}
	if rep.Skipped == nil {
		rep.Skipped = []site.Skip{}
	}
	if rep.Problems == nil {
		rep.Problems = []diag.Problem{}
	}
	if store.SetVerified(compared) != nil {
		return nil // the build reports the error
	}
	return &rep
}
