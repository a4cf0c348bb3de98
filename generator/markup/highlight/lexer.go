package highlight

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// A lexer runs the rules of one of chroma's regular-expression lexers: the same states, rules, token types and changes
// of state, with matchers of our own, and with rules passed over that cannot match at the next character.
type lexer struct {
	set    *lexerSet
	chroma chroma.Lexer
	config *chroma.Config
	once   sync.Once
	states map[string]*state
	header bool  // chroma has a look at a leading "---" before the rules do
	err    error // why the lexer cannot be run here; chroma runs it
}

// A state is a list of rules.
type state struct {
	rules  []rule
	choice *choice
}

// A rule is a pattern with what it emits and how it changes the stack of states.
type rule struct {
	match *matcher
	emit  emitter
	moves []move
}

// An emitter says what tokens a match makes.
type emitter struct {
	kind   emitterKind
	token  chroma.TokenType
	groups []emitter        // of byGroups and usingGroup; kind nothing: the group is left out
	state  string           // of usingSelf
	lexer  string           // of using
	other  chroma.TokenType // of using: what its tokens of type Other become; 0: they stay
	name   int              // of usingGroup: the group that names the language
	code   int              // and the one that holds the code
}

type emitterKind uint8

const (
	nothing emitterKind = iota
	token
	byGroups
	usingSelf
	using
	usingGroup
)

// A move changes the stack: it pops so many states, then pushes.
type move struct {
	pop   int
	push  []string
	again bool // push the current state once more
}

// A lexerSet holds the lexers of chroma's registry that were asked for. It may be used by many goroutines at once.
type lexerSet struct {
	mu     sync.Mutex
	byName map[string]*lexer // by the name in a code block; nil: there is none
}

// maxNames bounds how many names of languages are remembered: code blocks may name anything.
const maxNames = 2000

// get returns the lexer for a language, nil when there is none.
func (s *lexerSet) get(name string) *lexer {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.byName[name]
	if ok {
		return l
	}
	if found := lexers.Get(name); found != nil {
		canonical := "\x00" + found.Config().Name // no block can name it so
		if l = s.byName[canonical]; l == nil {
			l = &lexer{set: s, chroma: found, config: found.Config()}
			s.byName[canonical] = l
		}
	}
	if len(s.byName) < maxNames {
		s.byName[name] = l
	}
	return l
}

var errNoRules = errors.New("the lexer has no rules of its own")

// compile compiles the rules once. The error says why chroma must run them.
func (l *lexer) compile() error {
	l.once.Do(func() {
		source, ok := l.chroma.(*chroma.RegexLexer)
		if !ok && l.config.Name == "markdown" {
			// It wraps its rules to give a front matter to another lexer.
			source, ok = reflect.ValueOf(l.chroma).Elem().FieldByName("Lexer").Interface().(*chroma.RegexLexer)
			l.header = true
		}
		if !ok {
			l.err = errNoRules
			return
		}
		l.states, l.err = compileLexer(source)
	})
	return l.err
}

func compileLexer(source *chroma.RegexLexer) (map[string]*state, error) {
	raw, err := source.Rules()
	if err != nil {
		return nil, err
	}
	rules := chroma.CompiledRules{}
	for name, list := range raw {
		rules[name] = nil
		for _, r := range list {
			rules[name] = append(rules[name], &chroma.CompiledRule{Rule: r})
		}
	}
	if err := include(rules); err != nil {
		return nil, err
	}
	config := source.Config()
	flags := ""
	if !config.NotMultiline {
		flags += "m"
	}
	if config.CaseInsensitive {
		flags += "i"
	}
	if config.DotAll {
		flags += "s"
	}
	// The same pattern stands in many states, by way of include.
	matchers := map[string]*matcher{}
	states := make(map[string]*state, len(rules))
	for name, list := range rules {
		s := &state{rules: make([]rule, len(list))}
		begin := make([]firsts, len(list))
		for i, r := range list {
			out := &s.rules[i]
			if out.emit, err = emitterOf(r.Type, config.Name); err != nil {
				return nil, fmt.Errorf("state %s: %w", name, err)
			}
			if out.moves, err = movesOf(r.Mutator); err != nil {
				return nil, fmt.Errorf("state %s: %w", name, err)
			}
			groups := out.emit.kind == byGroups || out.emit.kind == usingGroup
			pattern := "(?:" + r.Pattern + ")"
			if flags != "" {
				pattern = "(?" + flags + ")" + pattern
			}
			key := pattern
			if groups {
				key += "\x00"
			}
			m := matchers[key]
			if m == nil {
				if m, err = compileMatcher(`\G`+pattern, groups); err != nil {
					return nil, fmt.Errorf("state %s: %q: %w", name, r.Pattern, err)
				}
				matchers[key] = m
			}
			if groups && m.slots != len(out.emit.groups)+1 {
				return nil, fmt.Errorf("state %s: %q has %d groups, not %d", name, r.Pattern, m.slots-1, len(out.emit.groups))
			}
			if e := &out.emit; e.kind == usingGroup && (e.name >= m.slots || e.code >= m.slots || e.code < 1 || e.name < 0) {
				return nil, fmt.Errorf("state %s: %q has no group %d or %d", name, r.Pattern, e.name, e.code)
			}
			out.match = m
			begin[i] = m.first
		}
		s.choice = choose(begin)
		states[name] = s
	}
	return states, nil
}

// include lets chroma's own include and combine the rules of states, as it does when it compiles a lexer.
func include(rules chroma.CompiledRules) error {
	const most = 100000
	for range most {
		changed, err := includeOne(rules)
		if err != nil || !changed {
			return err
		}
	}
	return errors.New("states include each other")
}

func includeOne(rules chroma.CompiledRules) (bool, error) {
	for name, list := range rules {
		for i, r := range list {
			if m, ok := r.Mutator.(chroma.LexerMutator); ok {
				return true, m.MutateLexer(rules, name, i)
			}
		}
	}
	return false, nil
}

// emitterOf reads one of chroma's emitters. Their types are not exported, but their fields are.
func emitterOf(e chroma.Emitter, lexer string) (emitter, error) {
	if e == nil {
		return emitter{}, nil
	}
	if t, ok := e.(chroma.TokenType); ok {
		return emitter{kind: token, token: t}, nil
	}
	if _, ok := e.(chroma.EmitterFunc); ok && lexer == "Go" {
		// The one function among Go's rules: raw strings are templates, and what is not is string.
		return emitter{kind: using, lexer: "Go Text Template", other: chroma.LiteralString}, nil
	}
	s, ok := e.(chroma.SerialisableEmitter)
	if !ok {
		return emitter{}, fmt.Errorf("an emitter of type %T", e)
	}
	v := reflect.ValueOf(e)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch s.EmitterKind() {
	case "bygroups":
		groups, err := emittersOf(v.FieldByName("Emitters"), lexer)
		return emitter{kind: byGroups, groups: groups}, err
	case "usingself":
		return emitter{kind: usingSelf, state: v.FieldByName("State").String()}, nil
	case "using":
		return emitter{kind: using, lexer: v.FieldByName("Lexer").String()}, nil
	case "usingbygroup":
		groups, err := emittersOf(v.FieldByName("Emitters"), lexer)
		return emitter{
			kind: usingGroup, groups: groups,
			name: int(v.FieldByName("SublexerNameGroup").Int()), code: int(v.FieldByName("CodeGroup").Int()),
		}, err
	}
	return emitter{}, fmt.Errorf("an emitter of kind %s", s.EmitterKind())
}

func emittersOf(v reflect.Value, lexer string) ([]emitter, error) {
	list, ok := v.Interface().(chroma.Emitters)
	if !ok {
		return nil, errors.New("an emitter without groups")
	}
	out := make([]emitter, len(list))
	for i, e := range list {
		var err error
		if out[i], err = emitterOf(e, lexer); err != nil {
			return nil, err
		}
		if k := out[i].kind; k == byGroups || k == usingGroup {
			return nil, errors.New("groups of groups")
		}
	}
	return out, nil
}

// movesOf reads one of chroma's mutators.
func movesOf(m chroma.Mutator) ([]move, error) {
	if m == nil {
		return nil, nil
	}
	s, ok := m.(chroma.SerialisableMutator)
	if !ok {
		return nil, fmt.Errorf("a mutator of type %T", m)
	}
	v := reflect.ValueOf(m)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch s.MutatorKind() {
	case "push":
		states, _ := v.FieldByName("States").Interface().([]string)
		if len(states) == 0 {
			return []move{{again: true}}, nil
		}
		var moves []move
		for _, s := range states {
			if s == "#pop" {
				moves = append(moves, move{pop: 1})
			} else {
				moves = append(moves, move{push: []string{s}})
			}
		}
		return moves, nil
	case "pop":
		return []move{{pop: int(v.FieldByName("Depth").Int())}}, nil
	case "mutators":
		list, _ := v.FieldByName("Mutators").Interface().([]chroma.Mutator)
		var moves []move
		for _, one := range list {
			more, err := movesOf(one)
			if err != nil {
				return nil, err
			}
			moves = append(moves, more...)
		}
		return moves, nil
	}
	return nil, fmt.Errorf("a mutator of kind %s", s.MutatorKind())
}

// Reasons to give up on code.
var (
	errTooMuch = errors.New("a pattern takes too long")
	errStuck   = errors.New("the rules do not get on")
	errStack   = errors.New("the stack of states runs out")
)

// maxStill is how many rules in a row may match nothing: more of them never end.
const maxStill = 5000

// maxNesting is how deeply languages may be nested in one another.
const maxNesting = 20

// A run is one tokenising of a text. Its tokens go to emit.
type run struct {
	emit  func(t chroma.TokenType, text []rune)
	work  int // what is left of maxWork
	depth int
	rules int         // that have matched
	stop  func() bool // whether the caller has lost interest; nil: it has not
}

// tokenise tokenises code as chroma's Tokenise does without options.
func (r *run) tokenise(l *lexer, code string) error {
	if strings.IndexByte(code, '\r') >= 0 {
		code = strings.ReplaceAll(strings.ReplaceAll(code, "\r\n", "\n"), "\r", "\n")
	}
	text := []rune(code)
	if l.hasHeader(text) {
		return r.chroma(l, nil, code)
	}
	return r.whole(l, text)
}

// hasHeader reports whether chroma looks at the beginning of the text itself.
func (l *lexer) hasHeader(text []rune) bool {
	return l.header && len(text) >= 3 && text[0] == '-' && text[1] == '-' && text[2] == '-'
}

// whole tokenises a text that is not part of another one.
func (r *run) whole(l *lexer, text []rune) error {
	end := len(text)
	if l.config.EnsureNL && (end == 0 || text[end-1] != '\n') {
		text = append(text, '\n')
	}
	return r.lex(l, text, end, "root")
}

// lex tokenises text[:end], beginning in a state. The rules see the rest of the text too.
func (r *run) lex(l *lexer, text []rune, end int, begin string) error {
	if len(text) == 0 {
		return nil
	}
	if r.depth++; r.depth > maxNesting {
		return errTooMuch
	}
	defer func() { r.depth-- }()
	m := &machine{text: text, work: r.work}
	defer func() { r.work = m.work }()
	stack := []string{begin}
	at := l.states[begin]
	pos, still := 0, 0
	for pos < end && len(stack) > 0 {
		if m.work--; m.work < 0 {
			return errTooMuch
		}
		if at == nil {
			return errStack // chroma panics
		}
		found := -1
		var after int
		for _, i := range at.choice.lists[at.choice.at(text[pos])] {
			if after = at.rules[i].match.match(m, pos); after >= 0 {
				found = i
				break
			}
			if m.work < 0 {
				return errTooMuch
			}
		}
		if found < 0 {
			// As chroma does: a line break that no rule knows ends what was begun, anything else is an error.
			if text[pos] == '\n' && stack[len(stack)-1] != begin {
				stack = append(stack[:0], begin)
				at = l.states[begin]
				if still++; still > maxStill {
					return errStuck
				}
				continue
			}
			r.emit(chroma.Error, text[pos:pos+1])
			pos++
			continue
		}
		rule := &at.rules[found]
		if after > pos {
			still = 0
		} else if still++; still > maxStill {
			return errStuck
		}
		from := pos
		pos = after
		if rule.moves != nil {
			current := stack[len(stack)-1]
			for i := range rule.moves {
				v := &rule.moves[i]
				if v.pop > len(stack) {
					return errStack // chroma panics
				}
				stack = append(stack[:len(stack)-v.pop], v.push...)
				if v.again {
					stack = append(stack, current)
				}
			}
			at = nil
			if len(stack) > 0 {
				at = l.states[stack[len(stack)-1]]
			}
		}
		r.work = m.work
		if r.rules++; r.rules%256 == 0 && r.stop != nil && r.stop() {
			return errTooMuch
		}
		if err := r.rule(l, m, &rule.emit, text[from:after]); err != nil {
			return err
		}
		m.work = r.work
	}
	if pos != len(text) && len(stack) == 0 {
		r.emit(chroma.Error, text[pos:])
	}
	return nil
}

// rule emits the tokens of a match.
func (r *run) rule(l *lexer, m *machine, e *emitter, whole []rune) error {
	switch e.kind {
	case byGroups:
		for i := range e.groups {
			if err := r.part(l, &e.groups[i], m.group(i+1)); err != nil {
				return err
			}
		}
		return nil
	case usingGroup:
		inner := l.set.get(string(m.group(e.name)))
		for i := range e.groups {
			if i == e.code-1 && inner != nil {
				if err := r.other(inner, m.group(e.code), true); err != nil {
					return err
				}
				continue
			}
			if err := r.part(l, &e.groups[i], m.group(i+1)); err != nil {
				return err
			}
		}
		return nil
	}
	return r.part(l, e, whole)
}

func (m *machine) group(i int) []rune {
	if i >= len(m.ends) || m.ends[i].start < 0 {
		return nil
	}
	return m.text[m.ends[i].start:m.ends[i].end]
}

// part emits the tokens of a part of a match.
func (r *run) part(l *lexer, e *emitter, text []rune) error {
	switch e.kind {
	case token:
		if e.token != chroma.Ignore {
			r.emit(e.token, text)
		}
	case usingSelf:
		return r.lex(l, text, len(text), e.state)
	case using:
		inner := l.set.get(e.lexer)
		if inner == nil {
			return fmt.Errorf("no lexer %q", e.lexer)
		}
		if e.other != 0 {
			outer := r.emit
			defer func() { r.emit = outer }()
			r.emit = func(t chroma.TokenType, text []rune) {
				if t == chroma.Other {
					t = e.other
				}
				outer(t, text)
			}
		}
		return r.other(inner, text, false)
	}
	return nil
}

// other tokenises text by another lexer: as a whole, or as part of this text.
func (r *run) other(l *lexer, text []rune, whole bool) error {
	if l.compile() != nil || l.hasHeader(text) {
		var options *chroma.TokeniseOptions
		if !whole {
			options = &chroma.TokeniseOptions{State: "root", Nested: true}
		}
		return r.chroma(l, options, string(text))
	}
	if whole {
		// The text is part of ours: a line break is not to be written into what follows it.
		return r.whole(l, text[:len(text):len(text)])
	}
	return r.lex(l, text, len(text), "root")
}

// chroma lets chroma tokenise.
func (r *run) chroma(l *lexer, options *chroma.TokeniseOptions, code string) error {
	it, err := l.chroma.Tokenise(options, code)
	if err != nil {
		return err
	}
	// Its patterns each have a quarter of a second; together they are to have no more than a few seconds.
	const most = 3 * time.Second
	began := time.Now()
	for t := it(); t != chroma.EOF; t = it() {
		if time.Since(began) > most || r.stop != nil && r.stop() {
			return errTooMuch
		}
		if t.Type != chroma.Ignore {
			r.emit(t.Type, []rune(t.Value))
		}
	}
	return nil
}
