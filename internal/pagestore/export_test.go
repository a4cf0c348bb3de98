package pagestore

import "freshet/internal/site"

// WithSteps returns cfg with a function that is asked before every step that changes the disk.
func WithSteps(cfg Config, before func(step, name string) error) Config {
	cfg.before = before
	return cfg
}

// Abandon leaves the disk as it is and gives back the lock, as the end of a process does.
func Abandon(w *Writer) { _ = w.lock.Close() }

// SetBoot makes the tree believe that the machine was booted anew.
func SetBoot(t *Tree, boot string) { t.boot = boot }

// SetFolds makes the tree believe that its disk takes names that differ in case for one.
func SetFolds(t *Tree) { t.folds = true }

// Offset tells where the record of the entry at p is.
func Offset(g *Generation, p site.Path) int64 { return g.find(p).off }

// Interned is how many strings the writer shares between entries.
func Interned(w *Writer) int { return len(w.names.m) }

const (
	ObjectHead  = objectHead
	HeaderSize  = headerSize
	BufferBytes = bufferBytes
)

var (
	WorthCompacting = worthCompacting
	Fold            = fold
)
