package documents

import (
	"context"
	"encoding/json"

	"freshet/internal/contentdir"
)

// Seal describes what the scans have read; see generator.Sealer. MongoDB has no seal: its documents have no times that could be trusted.
func (s *Source) Seal() (seal []byte, ok bool) {
	if s.mongo != nil {
		return nil, false
	}
	of, ok := s.files.Seal()
	if !ok {
		return nil, false
	}
	seal, err := json.Marshal(of)
	return seal, err == nil
}

// Unchanged reports whether a first scan would read what seal describes; see generator.Sealer.
func (s *Source) Unchanged(ctx context.Context, seal []byte) (now []byte, ok bool) {
	var was contentdir.Seal
	if s.mongo != nil || json.Unmarshal(seal, &was) != nil {
		return nil, false
	}
	is, ok, err := s.files.Unchanged(ctx, was)
	if err != nil || !ok {
		return nil, false
	}
	now, err = json.Marshal(is)
	return now, err == nil
}
