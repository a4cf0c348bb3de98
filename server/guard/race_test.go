//go:build race

package guard_test

// floods is smaller where every access to memory is checked.
const floods = 100_000
