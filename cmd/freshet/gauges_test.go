package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"freshet/generator/markup"
	"freshet/internal/mongodb"
	"freshet/revalidator"
)

func TestGauges(t *testing.T) {
	db, err := mongodb.Open(t.Context(), mongodb.Config{URI: "mongodb://127.0.0.1:1/db", ListTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	daemon, err := revalidator.New(revalidator.Config{Build: func(context.Context, revalidator.Change) (revalidator.Result, error) {
		return revalidator.Result{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	source, err := mongodb.NewSource(db, markup.New(markup.Config{}), "")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // nobody is there
		if _, err := source.Scan(t.Context(), nil); err == nil {
			t.Fatal("a scan of nothing succeeds")
		}
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(&gauges{mongo: db, daemon: daemon})
	const want = `
# HELP freshet_mongodb_breaker_state 1 for the state that the circuit breaker is in: closed, open, half-open.
# TYPE freshet_mongodb_breaker_state gauge
freshet_mongodb_breaker_state{state="closed"} 0
freshet_mongodb_breaker_state{state="half-open"} 0
freshet_mongodb_breaker_state{state="open"} 1
# HELP freshet_mongodb_breaker_transitions_total Times that the circuit breaker changed into a state.
# TYPE freshet_mongodb_breaker_transitions_total counter
freshet_mongodb_breaker_transitions_total{to="closed"} 0
freshet_mongodb_breaker_transitions_total{to="half-open"} 0
freshet_mongodb_breaker_transitions_total{to="open"} 1
# HELP freshet_revalidator_jobs Jobs by state: waiting, parked.
# TYPE freshet_revalidator_jobs gauge
freshet_revalidator_jobs{state="parked"} 0
freshet_revalidator_jobs{state="waiting"} 0
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "freshet_mongodb_breaker_state", "freshet_mongodb_breaker_transitions_total", "freshet_revalidator_jobs"); err != nil {
		t.Error(err)
	}
}
