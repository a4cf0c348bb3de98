package revalidator

import (
	"testing"
	"time"

	"freshet/internal/site"
	"freshet/internal/testenv/recorded"
)

// TestJournalVersionIsRaised fails when a record is written otherwise and the journal's number is the same. A new field
// that is left out when it is empty needs no other number: readers of before ignore it.
func TestJournalVersionIsRaised(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)
	position := "feed <1>"
	job := &Job{ID: "a1", State: "waiting", Origin: "webhook:cms", Event: "e1", Accepted: at, Started: &at, Ended: &at, Tries: 2, Retry: &at,
		Error: "no & none", Generation: 7, MorePages: 1, Pages: []PageChange{{Path: "/blog/नदी/", Outcome: "changed"}},
		Skipped: []site.Skip{{ID: "a.md", Field: "body", Reason: "r"}},
		Request: Request{Docs: []Doc{{}}, Tags: []string{"t"}, Paths: []string{"/p/"}, Everything: true, DryRun: true}}
	outputs := map[string]recorded.Output{}
	for name, r := range map[string]*record{
		"journal":  {Type: "journal", Version: 1},
		"job":      {Type: "job", Job: job, Keys: []string{"k"}, Position: &position},
		"end":      {Type: "end", Jobs: []ending{{ID: "a1", State: "done", Started: &at, Ended: &at, Tries: 1, Error: "e"}}, Result: &Result{Generation: 7, Pages: job.Pages, Skipped: job.Skipped}},
		"key":      {Type: "key", Key: "k", Of: "a1", At: &at},
		"position": {Type: "position", Position: &position},
	} {
		b, err := r.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		outputs[name] = recorded.Output{Bytes: b}
	}
	recorded.Check(t, "journal", recorded.Number{File: "revalidator/journal.go", Name: "journalVersion"}, outputs)
}
