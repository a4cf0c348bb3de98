package revalidator

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"freshet/internal/diag"
	"freshet/internal/site"
	"freshet/internal/web"
)

// A State is a job's state.
type State string

// States of a job, in the order in which it passes them.
const (
	Queued   State = "queued"
	Building State = "building"
	Retrying State = "retrying" // a build failed: the job waits for the next try
	Done     State = "done"
	Parked   State = "parked" // given up, until a build looks at everything
)

// A Job is an accepted request with its outcome.
type Job struct {
	ID         string       `json:"job"`
	State      State        `json:"state"`
	Origin     string       `json:"origin"`          // who asked: webhook:<profile>, command, feed
	Event      string       `json:"event,omitempty"` // the sender's id of the event
	Request    Request      `json:"request"`
	Accepted   time.Time    `json:"accepted"`
	Started    *time.Time   `json:"started,omitempty"` // start of its last build
	Ended      *time.Time   `json:"ended,omitempty"`
	Tries      int          `json:"tries"`                // failed builds
	Retry      *time.Time   `json:"retry,omitempty"`      // time of the next try
	Error      string       `json:"error,omitempty"`      // of the last failed build
	Generation uint64       `json:"generation,omitempty"` // the generation that holds what the job asked for
	Pages      []PageChange `json:"pages"`                // pages that its build changed; one build may serve several jobs
	MorePages  int          `json:"morePages,omitempty"`  // changed pages that Pages does not list
	Skipped    []site.Skip  `json:"skipped,omitempty"`    // documents left out because of mistakes
}

// Limits of what a job lists about its build, and of the ended jobs that are remembered.
const (
	maxPages   = 1000
	maxSkipped = 20
	maxEnded   = 1000
	maxError   = 2000 // bytes
)

// ended reports whether the job has reached its last state.
func (j *Job) ended() bool { return j.State == Done || j.State == Parked }

// origin describes who asked, for the log and for freshet explain.
func (j *Job) origin() string {
	text := fmt.Sprintf("%s, job %s", j.Origin, j.ID)
	if j.Event != "" {
		text += ", event " + web.Clip(j.Event, 100)
	}
	return text + ", accepted " + j.Accepted.UTC().Format(time.RFC3339)
}

// newID makes a job's id: 80 random bits.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// finish records that a build did what the job asked for.
func (j *Job) finish(at time.Time, res *Result) {
	j.State, j.Ended, j.Retry, j.Error = Done, &at, nil, ""
	j.Generation = res.Generation
	j.Pages = append([]PageChange{}, res.Pages[:min(len(res.Pages), maxPages)]...)
	j.MorePages = len(res.Pages) - len(j.Pages)
	j.Skipped = res.Skipped[:min(len(res.Skipped), maxSkipped)]
}

// fail records a failed build.
func (j *Job) fail(err error) {
	j.Tries++
	j.Error = web.Clip(err.Error(), maxError)
}

// Write writes what became of the job as text for a terminal.
func (j *Job) Write(w io.Writer) error {
	var b bytes.Buffer
	if j.State != Done {
		_, err := fmt.Fprintf(w, "job %s: %s\n", j.ID, j.State)
		return err
	}
	fmt.Fprintf(&b, "job %s: generation %d, %s changed\n", j.ID, j.Generation, diag.Count(len(j.Pages)+j.MorePages, "page"))
	for _, p := range j.Pages {
		fmt.Fprintf(&b, "  %-8s %s\n", p.Outcome, diag.Printable(string(p.Path)))
	}
	if j.MorePages > 0 {
		fmt.Fprintf(&b, "  and %d more\n", j.MorePages)
	}
	_, err := w.Write(b.Bytes())
	return err
}
