package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"freshet/internal/diag"
	"freshet/revalidator/cdn"
)

// Load reads the settings: defaults, then the file, then the environment, then flags. file names the settings file;
// when it is empty, Load reads the settings file of the working directory, if there is one. env holds pairs of NAME=value.
// Load returns all mistakes together. It returns an error only if it cannot read the file.
//
// Relative folders of the file and of the defaults start from the file's folder. Those of the environment and of flags
// start from the working directory.
func Load(file string, env []string, flags *pflag.FlagSet) (*Effective, []diag.Problem, error) {
	l := &loader{eff: &Effective{From: map[string]string{}}, places: map[string]func(message, remedy string) diag.Problem{}, wrong: map[string]bool{}}
	for _, s := range allSettings() {
		l.all = append(l.all, &s)
	}
	name, data, err := ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	l.eff.File, l.eff.Read = name, data
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
	if own := l.eff.LocalURL(l.eff.Listen); l.eff.From["site.url"] == "default" && own != l.eff.Site.URL {
		l.eff.Site.URL, l.eff.From["site.url"] = own, "default, for listen"
	}
	l.eff.check(func(key string, err error) {
		for wrong := range l.wrong { // this setting has its default, which says nothing about the value that was meant
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

// ReadFile finds the settings file, see Load. It returns its name, which is empty if there is none, and its content.
func ReadFile(file string) (string, []byte, error) {
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

// A loader is one call of Load.
type loader struct {
	eff      *Effective
	all      []*setting
	places   map[string]func(message, remedy string) diag.Problem // by key: makes problems at the place of the value
	problems []diag.Problem
	wrong    map[string]bool // keys of settings whose values are invalid; they keep their defaults
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
	l.eff.From[s.key] = from
	l.places[s.key] = at
	if err := s.set(&l.eff.Settings, text, base); err != nil {
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

// items applies a list. It turns the list into text with commas, as the environment has it.
func (l *loader) items(f *settingsFile, s *setting, list *node, base string) {
	var parts []string
	before := len(l.problems)
	for _, item := range list.children {
		if item.shape != scalar || strings.Contains(item.text, ",") {
			l.problems = append(l.problems, at(f, item)(fmt.Sprintf("an item of %q is one value without commas", s.key), ""))
		} else if err := s.set(new(Settings), item.text, base); err != nil {
			l.report(at(f, item), err)
		}
		parts = append(parts, item.text)
	}
	if len(l.problems) > before {
		return
	}
	l.apply(s, strings.Join(parts, ","), base, fmt.Sprintf("%s:%d", f.name, list.line), at(f, list))
}

// table applies a mapping. It turns the mapping into JSON, as the environment has it.
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

// objects applies a list of mappings. It turns the list into JSON, as the environment has it.
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

// at returns a function that makes problems at the place of a value.
func at(f *settingsFile, n *node) func(message, remedy string) diag.Problem {
	return func(message, remedy string) diag.Problem { return f.problem(n.valLine, n.valCol, message, remedy) }
}

// cdns checks the CDNs. It needs the address of the site, and the environment for their tokens.
func (l *loader) cdns(env []string) {
	cdns, wrong := cdn.Parse(l.eff.CDN, l.eff.Site.URL, func(name string) string { return Getenv(env, name) })
	for _, w := range wrong {
		place := l.places["cdn"]
		for _, key := range []string{fmt.Sprintf("cdn[%d]", w.Index), fmt.Sprintf("cdn[%d].%s", w.Index, w.Key)} {
			if p, ok := l.places[key]; ok {
				place = p
			}
		}
		l.problems = append(l.problems, place(fmt.Sprintf("cdn[%d].%s: %s", w.Index, w.Key, w.Message), w.Remedy))
	}
	l.eff.CDNs = cdns
}

// suggest returns the remedy for an unknown name in a section: the key that was probably meant, or all keys.
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
	for _, pair := range sorted { // before the FRESHET_ variables, which override these
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

// inEnv returns a function that makes problems of an environment variable.
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

// Getenv returns the value of a variable of an environment, which holds pairs of NAME=value. The last pair wins.
func Getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(env[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}
