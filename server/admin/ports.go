package admin

import (
	"net/netip"
	"time"

	"freshet/internal/site"
)

// A Ban keeps a client out.
type Ban struct {
	Client netip.Prefix `json:"client"`
	Scope  string       `json:"scope"`          // api, all
	Until  time.Time    `json:"until,omitzero"` // zero: until it is lifted
	Since  time.Time    `json:"since"`
	Step   int          `json:"step,omitempty"`   // which one in a row; 0: by hand
	Reason string       `json:"reason,omitempty"` // for people
	By     string       `json:"by,omitempty"`
}

// Lifted is the answer to who lifts a ban.
type Lifted struct {
	Client netip.Prefix `json:"client"`
	Known  bool         `json:"known"`            // there was a ban here
	Others string       `json:"others,omitempty"` // TellOthers or TellOthersLater, also where there was none here; empty: there are none
}

// What other servers hear of a ban that is lifted.
const (
	TellOthers      = "told"
	TellOthersLater = "later" // when what servers share is back
)

// Bans are where bans are kept.
type Bans interface {
	Bans() []Ban
	// Ban adds a ban. An *web.Error says why it cannot be.
	Ban(Ban) error
	// Unban lifts the ban on a client, here and on the servers that share bans with this one.
	Unban(client netip.Prefix, by string) Lifted
}

// A Switch is something that operators turn by hand.
type Switch struct {
	Name   string     `json:"name"`
	State  string     `json:"state"`           // one of States
	States []string   `json:"states"`          // that it can have
	Until  *time.Time `json:"until,omitempty"` // when it goes back by itself; nil: it stays
	Reason string     `json:"reason,omitempty"`
	By     string     `json:"by,omitempty"`
	On     bool       `json:"on"`            // what it turns is on now: by hand, or by itself
	Why    string     `json:"why,omitempty"` // it is on, or is not, for people; empty: State says it
}

// Switches are where switches are kept.
type Switches interface {
	Switches() []Switch
	// Turn sets the State of a switch; its Name and State are known to be ones of Switches. An *web.Error says why it cannot.
	Turn(Switch) error
}

// A Witness tells what a guard did, and what it would do.
type Witness interface {
	Decisions(most int) []Decision            // newest first
	Decision(id string) (d Decision, ok bool) // about the request with that id; false: it is not known, or no longer
	Explain(Question) Explanation
	Audit() []Entry // newest first
}

// A Decision is a refused request, or one that a watched rule would have refused.
type Decision struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Client string    `json:"client"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Rule   string    `json:"rule"`
	Class  string    `json:"class"`
	Status int       `json:"status"` // 0: the rule is only watched
	Bot    string    `json:"bot"`
	Reason string    `json:"reason,omitempty"`
}

// An Explanation tells what a guard knows about a client, and what it would do with a request of that client.
type Explanation struct {
	Client     string       `json:"client"`
	Class      string       `json:"class"`
	Rule       string       `json:"rule"`
	Status     int          `json:"status"` // 0: the request would pass
	Reason     string       `json:"reason,omitempty"`
	Bot        string       `json:"bot"`
	Ban        *ClientBan   `json:"ban,omitempty"`
	Allowed    bool         `json:"allow_list"`
	Blocked    bool         `json:"block_list"`
	Spared     bool         `json:"never_banned"`
	Score      float64      `json:"score"`
	Lowered    int          `json:"limits_divided_by"`
	Violations []time.Time  `json:"violations,omitempty"`
	Quotas     []ClassQuota `json:"quotas"`
	Refusals   []Decision   `json:"refusals,omitempty"` // the newest
}

// A ClientBan is the ban that covers a client.
type ClientBan struct {
	Prefix netip.Prefix `json:"prefix"`
	Scope  string       `json:"scope"`
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until,omitzero"` // zero: until it is lifted
	Step   int          `json:"step,omitempty"` // which one in a row; 0: by hand
	Reason string       `json:"reason,omitempty"`
	By     string       `json:"by,omitempty"`
}

// A ClassQuota is what a client has left in a class.
type ClassQuota struct {
	Class string        `json:"class"`
	Limit int           `json:"limit"`
	Left  int           `json:"left"`
	Wait  time.Duration `json:"wait_ns"`
}

// An Entry is one line of the audit: what an operator did.
type Entry struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"` // ban, unban, kill, reopen, traffic
	What   string    `json:"what,omitempty"`
	Until  time.Time `json:"until,omitzero"` // zero: it stays, or nothing does
	Reason string    `json:"reason,omitempty"`
}

// A Generation is a generation of the site. Its JSON form is that of freshet log --json.
type Generation struct {
	Generation uint64    `json:"generation"`
	Time       time.Time `json:"time"`
	Cause      string    `json:"cause"`
	Documents  int       `json:"documents"`
	Pages      int       `json:"pages"`
	Rendered   int       `json:"rendered"`
	Changed    int       `json:"changed"`
	Removed    int       `json:"removed"`
	Pinned     bool      `json:"pinned"`
}

// A Status is what the readers' server tells at /readyz.
type Status struct {
	Ready      bool           `json:"ready"`
	Reason     string         `json:"reason,omitempty"`
	Generation uint64         `json:"generation,omitempty"`
	Pinned     bool           `json:"pinned"`
	Fresh      bool           `json:"fresh"`
	Verified   *time.Time     `json:"verified,omitempty"`
	Refused    []site.Refusal `json:"refused,omitempty"`
}

// An Order is what an operator asks for.
type Order struct {
	Client string `json:"client,omitempty"` // of a ban: an address or a prefix
	Scope  string `json:"scope,omitempty"`  // of a ban: api or all; empty: api
	State  string `json:"state,omitempty"`  // of a switch
	For    string `json:"for,omitempty"`    // how long; a ban without is for a day, a switch without stays
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"` // empty: the address that asks
}

// A Question is about a request that somebody might send.
type Question struct {
	Client                  netip.Addr
	Method, Path, UserAgent string
}
