//go:build !race

package guard_test

const floods = 1_000_000
