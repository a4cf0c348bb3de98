package site

import "time"

// A Refusal says why builds are not made, or not whole. Readers may see it: it names no address, folder or secret.
type Refusal struct {
	By     string    `json:"by"` // shrink guard, breaker, source, templates or build
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy,omitempty"`
	Since  time.Time `json:"since"`
}
