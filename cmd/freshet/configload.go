package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"freshet/internal/diag"
	"freshet/revalidator/cdn"
)

// effective is the settings in force and where each came from.
type effective struct {
	config
	file string // that they were read from; empty: there is none
	read []byte // what it held
	cdns []cdn.CDN
	from map[string]string // by key: default, freshet.yaml:3, FRESHET_SITE_URL, --url
}

// quiet is how a command logs whose result is printed: warnings only, unless a level was asked for.
func (e *effective) quiet() logConfig {
	log := e.Log
	if e.from["log.level"] == "default" {
		log.Level = slog.LevelWarn
	}
	return log
}

// addSettingFlags gives cmd the flags of the named settings. Their values are read by loadConfig, in the same way as
// those of the file, so that a mistake in them is reported beside the others.
func addSettingFlags(cmd *cobra.Command, names ...string) {
	for _, s := range settings() {
		if s.flag == "" || !slices.Contains(names, s.flag) {
			continue
		}
		doc := s.doc
		if s.kind != boolean {
			doc += fmt.Sprintf(" (default %s)", s.def)
		}
		cmd.Flags().Var(&flagText{kind: s.kind}, s.flag, doc)
		if s.kind == boolean {
			cmd.Flags().Lookup(s.flag).NoOptDefVal = "true"
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

// loadConfig reads the settings: defaults, then the file, then the environment, then flags. file is the --config
// flag; when it is empty a settings file of the working directory is read if there is one. All mistakes are
// returned together; an error means that the file could not be read at all.
//
// Relative folders in the file, and the defaults, start from the file's own folder; those in the environment and in
// flags from the working directory.
func loadConfig(file string, env []string, flags *pflag.FlagSet) (*effective, []diag.Problem, error) {
	l := &loader{eff: &effective{from: map[string]string{}}, places: map[string]func(message, remedy string) diag.Problem{}, wrong: map[string]bool{}}
	for _, s := range settings() {
		l.all = append(l.all, &s)
	}
	name, data, err := readSettingsFile(file)
	if err != nil {
		return nil, nil, err
	}
	l.eff.file, l.eff.read = name, data
	base := "."
	if name != "" {
		base = filepath.Dir(name)
	}
	for _, s := range l.all {
		l.apply(s, s.def, base, "default", func(message, remedy string) diag.Problem {
			return diag.Problem{Severity: diag.Error, File: s.key, Message: message, Remedy: remedy}
		})
	}
	if name != "" {
		l.readFile(name, data, base)
	}
	l.readEnv(env)
	l.readFlags(flags)
	if own := l.eff.localURL(l.eff.Listen); l.eff.from["site.url"] == "default" && own != l.eff.Site.URL {
		l.eff.Site.URL, l.eff.from["site.url"] = own, "default, for listen"
	}
	l.eff.check(func(key string, err error) {
		for wrong := range l.wrong { // what it is with others cannot be told by its default
			if key == wrong || strings.Contains(err.Error(), wrong) {
				return
			}
		}
		l.report(l.places[key], err)
	})
	if len(l.problems) == 0 {
		l.cdns(env)
	}
	hideSecrets(l.problems, strings.Split(string(data), "\n"))
	return l.eff, l.problems, nil
}

// readSettingsFile returns the settings file's name, empty if there is none, and content.
func readSettingsFile(file string) (string, []byte, error) {
	if file != "" {
		switch ext := strings.ToLower(filepath.Ext(file)); ext {
		case ".yaml", ".yml", ".toml", ".json":
		default:
			return "", nil, fmt.Errorf("read settings: %s is not a .yaml, .toml or .json file", file)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return "", nil, fmt.Errorf("read settings: %w", err)
		}
		return file, data, nil
	}
	var found string
	var content []byte
	for _, name := range []string{"freshet.yaml", "freshet.yml", "freshet.toml", "freshet.json"} {
		data, err := os.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", nil, fmt.Errorf("read settings: %w", err)
		case found != "":
			return "", nil, fmt.Errorf("read settings: there are both %s and %s: name one with --config", found, name)
		}
		found, content = name, data
	}
	return found, content, nil
}

type loader struct {
	eff      *effective
	all      []*setting
	places   map[string]func(message, remedy string) diag.Problem // where each setting's value is from, by key
	problems []diag.Problem
	wrong    map[string]bool // keys of settings that are wrong by themselves, and have their defaults
}

func (l *loader) report(at func(message, remedy string) diag.Problem, err error) {
	if all, ok := errors.AsType[mistakes](err); ok {
		for _, one := range all {
			l.report(at, one)
		}
		return
	}
	message, remedy := err.Error(), ""
	if b, ok := errors.AsType[*badValue](err); ok {
		message, remedy = b.message, b.remedy
	}
	l.problems = append(l.problems, at(message, remedy))
}

func (l *loader) apply(s *setting, text, base, from string, at func(message, remedy string) diag.Problem) {
	l.eff.from[s.key] = from
	l.places[s.key] = at
	if err := s.set(&l.eff.config, text, base); err != nil {
		l.wrong[s.key] = true
		l.report(at, err)
	}
}

func (l *loader) find(key string) *setting {
	for _, s := range l.all {
		if s.key == key {
			return s
		}
	}
	return nil
}

// below lists the names of the settings and sections directly below a section; "" is the whole.
func (l *loader) below(section string) []string {
	var names []string
	for _, s := range l.all {
		rest := s.key
		if section != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(s.key, section+"."); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (l *loader) readFile(name string, data []byte, base string) {
	f, root, problems := parseSettingsFile(name, data)
	l.problems = append(l.problems, problems...)
	if root != nil {
		l.walk(f, root, "", base, map[string]int{})
	}
}

func (l *loader) walk(f *settingsFile, n *node, section, base string, seen map[string]int) {
	for _, c := range n.children {
		key := c.key
		if section != "" {
			key = section + "." + c.key
		}
		atKey := func(message, remedy string) diag.Problem { return f.problem(c.line, c.col, message, remedy) }
		atValue := func(message, remedy string) diag.Problem { return f.problem(c.valLine, c.valCol, message, remedy) }
		s := l.find(key)
		if s != nil || c.shape != mapping {
			if first, twice := seen[key]; twice {
				l.problems = append(l.problems, atKey(fmt.Sprintf("%q is set twice", key), fmt.Sprintf("first in line %d", first)))
				continue
			}
			seen[key] = c.line
		}
		names := l.below(key)
		before := len(l.problems)
		switch {
		case later(key):
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q is not in this version of freshet yet", key), "remove it"))
		case s == nil && len(names) == 0:
			l.problems = append(l.problems, atKey(fmt.Sprintf("unknown key %q", c.key), l.suggest(section, c.key)))
		case s == nil && c.shape == mapping:
			l.walk(f, c, key, base, seen)
		case s == nil && c.shape == null: // a section with nothing in it
		case s == nil:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q holds other settings, not a value", key), strings.Join(names, ", ")))
		case c.shape == mapping && (s.kind == items || s.kind == objects):
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q is a list", key), "begin each item with a dash"))
		case c.shape == mapping && s.kind == table:
			l.table(f, s, c, base)
		case s.kind == table:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q is a mapping", key), ""))
		case c.shape == mapping:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q takes one value, not a mapping", key), ""))
		case c.shape == list && s.kind == items:
			l.items(f, s, c, base)
		case c.shape == list && s.kind == objects:
			l.objects(f, s, c, base)
		case s.kind == objects:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q is a list", key), ""))
		case c.shape == list:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q takes one value, not a list", key), ""))
		case c.shape == null:
			l.problems = append(l.problems, atKey(fmt.Sprintf("%q has no value", key), fmt.Sprintf("the default is %q", s.def)))
		default:
			l.apply(s, c.text, base, fmt.Sprintf("%s:%d", f.name, c.line), atValue)
		}
		if s != nil && len(l.problems) > before {
			l.wrong[key] = true
		}
	}
}

// items applies a list. It goes on as text, with commas, as it stands in the environment.
func (l *loader) items(f *settingsFile, s *setting, list *node, base string) {
	var parts []string
	before := len(l.problems)
	for _, item := range list.children {
		if item.shape != scalar || strings.Contains(item.text, ",") {
			l.problems = append(l.problems, at(f, item)(fmt.Sprintf("an item of %q is one value without commas", s.key), ""))
		} else if err := s.set(new(config), item.text, base); err != nil {
			l.report(at(f, item), err)
		}
		parts = append(parts, item.text)
	}
	if len(l.problems) > before {
		return
	}
	l.apply(s, strings.Join(parts, ","), base, fmt.Sprintf("%s:%d", f.name, list.line), at(f, list))
}

// table applies a mapping. It goes on as JSON, as it stands in the environment.
func (l *loader) table(f *settingsFile, s *setting, n *node, base string) {
	before := len(l.problems)
	var value func(n *node) any
	value = func(n *node) any {
		if n.shape == scalar {
			return n.text
		}
		out := map[string]any{}
		if n.shape != mapping {
			l.problems = append(l.problems, at(f, n)(fmt.Sprintf("%q is neither text nor a mapping", n.key), ""))
		}
		for _, c := range n.children {
			if _, twice := out[c.key]; twice {
				l.problems = append(l.problems, f.problem(c.line, c.col, fmt.Sprintf("%q is set twice", c.key), ""))
			}
			out[c.key] = value(c)
		}
		return out
	}
	text, err := json.Marshal(value(n))
	if err != nil || len(l.problems) > before {
		return
	}
	l.apply(s, string(text), base, fmt.Sprintf("%s:%d", f.name, n.line), at(f, n))
}

// objects applies a list of mappings. It goes on as JSON, as it stands in the environment.
func (l *loader) objects(f *settingsFile, s *setting, list *node, base string) {
	values := []map[string]any{}
	before := len(l.problems)
	wrong := func(line, col int, message, remedy string) {
		l.problems = append(l.problems, f.problem(line, col, message, remedy))
	}
	for i, item := range list.children {
		l.places[fmt.Sprintf("%s[%d]", s.key, i)] = at(f, item)
		if item.shape != mapping {
			wrong(item.valLine, item.valCol, fmt.Sprintf("an item of %q is a mapping", s.key), "")
			continue
		}
		value := map[string]any{}
		for _, c := range item.children {
			l.places[fmt.Sprintf("%s[%d].%s", s.key, i, c.key)] = at(f, c)
			_, twice := value[c.key]
			switch want, known := s.fields[c.key]; {
			case !known:
				names := slices.Sorted(maps.Keys(s.fields))
				remedy := "known here: " + strings.Join(names, ", ")
				if near := diag.Nearest(c.key, names); near != "" {
					remedy = fmt.Sprintf("did you mean %q?", near)
				}
				wrong(c.line, c.col, fmt.Sprintf("unknown key %q", c.key), remedy)
			case twice:
				wrong(c.line, c.col, fmt.Sprintf("%q is set twice", c.key), "")
			case want == texts && c.shape == mapping:
				inner := map[string]string{}
				for _, t := range c.children {
					inner[t.key] = t.text
				}
				value[c.key] = inner
			case want == texts:
				wrong(c.valLine, c.valCol, fmt.Sprintf("%q takes a mapping", c.key), "")
			case c.shape != scalar:
				wrong(c.valLine, c.valCol, fmt.Sprintf("%q takes one value", c.key), "")
			case want == boolean && c.text != "true" && c.text != "false":
				wrong(c.valLine, c.valCol, fmt.Sprintf("%s cannot be %q", c.key, c.text), "true or false")
			case want == boolean:
				value[c.key] = c.text == "true"
			default:
				value[c.key] = c.text
			}
		}
		values = append(values, value)
	}
	if len(l.problems) > before {
		return
	}
	text, err := json.Marshal(values)
	if err != nil {
		wrong(list.valLine, list.valCol, err.Error(), "")
		return
	}
	l.apply(s, string(text), base, fmt.Sprintf("%s:%d", f.name, list.line), at(f, list))
}

// at makes problems of a value.
func at(f *settingsFile, n *node) func(message, remedy string) diag.Problem {
	return func(message, remedy string) diag.Problem { return f.problem(n.valLine, n.valCol, message, remedy) }
}

// cdns checks the CDNs, which need the site's address and the environment.
func (l *loader) cdns(env []string) {
	cdns, wrong := cdn.Parse(l.eff.CDN, l.eff.Site.URL, func(name string) string { return lookUp(env, name) })
	for _, w := range wrong {
		place := l.places["cdn"]
		for _, key := range []string{fmt.Sprintf("cdn[%d]", w.Index), fmt.Sprintf("cdn[%d].%s", w.Index, w.Key)} {
			if p, ok := l.places[key]; ok {
				place = p
			}
		}
		l.problems = append(l.problems, place(fmt.Sprintf("cdn[%d].%s: %s", w.Index, w.Key, w.Message), w.Remedy))
	}
	l.eff.cdns = cdns
}

// suggest says which key was probably meant by name in section.
func (l *loader) suggest(section, name string) string {
	names := l.below(section)
	if near := diag.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	for _, s := range l.all {
		if leaf := s.key[strings.LastIndexByte(s.key, '.')+1:]; strings.EqualFold(leaf, name) {
			return fmt.Sprintf("did you mean %q?", s.key)
		}
	}
	return "known here: " + strings.Join(names, ", ")
}

func (l *loader) readEnv(env []string) {
	byName := map[string]*setting{}
	var names []string
	for _, s := range l.all {
		byName[s.env()] = s
		names = append(names, s.env())
	}
	sorted := slices.Clone(env)
	slices.Sort(sorted)
	for _, pair := range sorted { // before those of freshet's own names, which override them
		name, value, _ := strings.Cut(pair, "=")
		if i := slices.IndexFunc(l.all, func(s *setting) bool { return s.also == name }); i >= 0 && name != "" {
			l.apply(l.all[i], value, ".", name, inEnv(name))
		}
	}
	for _, pair := range sorted {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "FRESHET_") || strings.HasPrefix(name, "FRESHET_TEST_") {
			continue
		}
		at := inEnv(name)
		switch s := byName[name]; {
		case s != nil:
			l.apply(s, value, ".", name, at)
		case laterEnv(name):
			l.problems = append(l.problems, at("this setting is not in this version of freshet yet", "unset it"))
		case isInjected(name, value):
		default:
			remedy := "freshet config lists the settings"
			if near := diag.Nearest(name, names); near != "" {
				remedy = fmt.Sprintf("did you mean %s?", near)
			} else if name == "FRESHET_PORT" {
				remedy = "did you mean FRESHET_LISTEN? Its value has a colon: FRESHET_LISTEN=:8080"
			}
			l.problems = append(l.problems, at("unknown setting in the environment", remedy))
		}
	}
}

// inEnv makes problems of an environment variable.
func inEnv(name string) func(message, remedy string) diag.Problem {
	return func(message, remedy string) diag.Problem {
		return diag.Problem{Severity: diag.Error, File: name, Message: message, Remedy: remedy}
	}
}

func (l *loader) readFlags(flags *pflag.FlagSet) {
	for _, s := range l.all {
		if s.flag == "" {
			continue
		}
		if f := flags.Lookup(s.flag); f != nil && f.Changed {
			l.apply(s, f.Value.String(), ".", "--"+s.flag, func(message, remedy string) diag.Problem {
				return diag.Problem{Severity: diag.Error, File: "--" + s.flag, Message: message, Remedy: remedy}
			})
		}
	}
}
