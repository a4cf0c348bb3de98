package settings

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML writes the settings as a settings file.
func (e *Effective) YAML() string {
	var b strings.Builder
	var open []string // the sections around the current line, outermost first
	for _, s := range allSettings() {
		path := strings.Split(s.key, ".")
		leaf := len(path) - 1
		same := 0
		for same < leaf && same < len(open) && open[same] == path[same] {
			same++
		}
		for i := same; i < leaf; i++ {
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), path[i])
		}
		open = path[:leaf]
		from := e.From[s.key]
		if s.hidden != nil && s.hidden(&e.Settings) {
			from += ", secrets hidden"
		}
		fmt.Fprintf(&b, "%s%s: %s # %s\n", strings.Repeat("  ", leaf), path[leaf], yamlScalar(s.get(&e.Settings), s.kind), from)
	}
	return b.String()
}

// yamlScalar writes text as YAML. It quotes text that YAML would read as something else.
func yamlScalar(text string, k kind) string {
	if k == objects || k == table {
		return text // JSON is YAML
	}
	if k == items {
		list := strings.Split(text, ",")
		for i := range list {
			list[i] = yamlScalar(list[i], 0)
		}
		if text == "" {
			list = nil
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	if k != boolean && k != number {
		var back any
		plain := yaml.Unmarshal([]byte("k: "+text+" # x"), &back) == nil
		if m, ok := back.(map[string]any); !plain || !ok || m["k"] != text {
			quoted, err := json.Marshal(text)
			if err != nil {
				return `""` // a string always marshals
			}
			return string(quoted)
		}
	}
	return text
}

// A Value is a setting as freshet config --json prints it.
type Value struct {
	Value any    `json:"value"`
	From  string `json:"from"`
}

// Values returns the values of the settings by key.
func (e *Effective) Values() map[string]Value {
	values := map[string]Value{}
	for _, s := range allSettings() {
		v := Value{Value: s.get(&e.Settings), From: e.From[s.key]}
		switch s.kind {
		case number:
			v.Value = json.Number(s.get(&e.Settings))
		case boolean:
			v.Value = s.get(&e.Settings) == "true"
		case objects, table:
			v.Value = json.RawMessage(s.get(&e.Settings))
		case items:
			list := []string{}
			if t := s.get(&e.Settings); t != "" {
				list = strings.Split(t, ",")
			}
			v.Value = list
		case text:
		}
		values[s.key] = v
	}
	return values
}
