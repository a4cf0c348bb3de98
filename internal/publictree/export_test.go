package publictree

// WithSteps returns opt with a function that is asked before every step that changes the tree.
func WithSteps(opt Options, before func(step, name string) error) Options {
	opt.before = before
	return opt
}

// SetBoot makes the tree believe that the machine was booted anew.
func SetBoot(t *Tree, boot string) { t.boot = boot }

// SetFolds makes the tree believe that its disk takes names that differ in case for one.
func SetFolds(t *Tree) { t.folds = true }

var Fold = fold
