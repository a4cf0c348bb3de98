package settings

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"
)

// AddFlags adds the named flags of settings to flags. Load reads and checks their values, so that it reports mistakes in
// flags together with all others.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, s := range allSettings() {
		if s.flag == "" || !slices.Contains(names, s.flag) {
			continue
		}
		doc := s.doc
		if s.kind != boolean {
			doc += fmt.Sprintf(" (default %s)", s.def)
		}
		flags.Var(&flagText{kind: s.kind}, s.flag, doc)
		if s.kind == boolean {
			flags.Lookup(s.flag).NoOptDefVal = "true"
		}
	}
}

// flagText is the text given to a flag, unchecked.
type flagText struct {
	text string
	kind kind
}

func (f *flagText) String() string { return f.text }

func (f *flagText) Set(text string) error {
	f.text = text
	return nil
}

func (f *flagText) Type() string {
	if f.kind == boolean {
		return "bool"
	}
	return "text"
}

// FlagNames returns the names of the flags of all settings that have one.
func FlagNames() []string {
	var names []string
	for _, s := range allSettings() {
		if s.flag != "" {
			names = append(names, s.flag)
		}
	}
	return names
}
