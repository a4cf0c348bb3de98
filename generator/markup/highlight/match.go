package highlight

import (
	"errors"
	"math"
	"unicode"

	"github.com/dlclark/regexp2/v2/syntax"
)

// A matcher is a compiled regular expression. Its syntax tree is the one that chroma's own engine, regexp2, runs,
// parsed and optimised by it; the matcher runs the tree as chains of functions instead of as code for a machine with
// a stack, anchored at one place, which takes about a tenth of the time. What it does at each node, and in which
// order it tries things, is what regexp2 does; the tests compare the tokens of the two.
type matcher struct {
	step  step
	slots int // groups, group 0 included
	loops int
	first firsts
}

// A step matches the rest of a pattern at pos and returns the end of the match, or -1. nil is the end of a pattern.
type step func(m *machine, pos int) int

// A machine holds the state of a match.
type machine struct {
	text  []rune
	start int    // where the match began
	ends  []span // of each group
	opens []int  // where each group that is open began
	loops []loop
	work  int // what is left to spend; below 0: the match was given up
	depth int
}

// A span is a part of the text; start is -1 for a group that did not match.
type span struct{ start, end int }

// A loop is the state of a loop around more than one character.
type loop struct{ mark, count int }

// Bounds for a block of code, far beyond what real code needs. They are counted, not timed, so that the same code
// always looks the same; chroma gives up a pattern after a quarter of a second. What is not counted takes a time that
// depends on the lexer alone: a pattern that neither repeats nor branches, at one place.
const (
	maxWork  = 8 << 20 // characters looked at, ways tried and rounds of a lexer
	maxLoops = 100000  // nested calls for the rounds of loops
)

var errUnsupported = errors.New("unsupported pattern")

// A compiler compiles one pattern.
type compiler struct {
	tree   *syntax.RegexTree
	groups bool // whether groups are needed
	loops  int
	err    error
}

// compileMatcher compiles a pattern as chroma writes it: anchored by \G, flags in front. With groups unset, only the
// whole match is known afterwards.
func compileMatcher(pattern string, groups bool) (*matcher, error) {
	tree, err := syntax.Parse(pattern, syntax.ParseOptions{})
	if err != nil {
		return nil, err
	}
	c := &compiler{tree: tree, groups: groups || refers(tree.Root)}
	m := &matcher{slots: tree.Captop}
	if tree.Capnumlist != nil && tree.Captop != len(tree.Capnumlist) {
		m.slots = len(tree.Capnumlist)
	}
	if !c.groups {
		m.slots = 1
	}
	root := tree.Root // the implicit group 0
	if root.T != syntax.NtCapture || len(root.Children) != 1 {
		return nil, errUnsupported
	}
	m.step = c.compile(root.Children[0], nil)
	if m.step == nil {
		m.step = func(_ *machine, pos int) int { return pos }
	}
	m.loops = c.loops
	m.first = firstsOf(root.Children[0])
	return m, c.err
}

// refers reports whether a pattern refers to its own groups.
func refers(n *syntax.RegexNode) bool {
	if n.T == syntax.NtRef {
		return true
	}
	for _, c := range n.Children {
		if refers(c) {
			return true
		}
	}
	return false
}

// slot is the place of a group's number among those of the pattern.
func (c *compiler) slot(number int) int {
	if c.tree.Capnumlist == nil || c.tree.Captop == len(c.tree.Capnumlist) {
		return number
	}
	for i, n := range c.tree.Capnumlist {
		if n == number {
			return i
		}
	}
	c.err = errUnsupported
	return 0
}

// match matches at pos and returns the end of the match, or -1.
func (x *matcher) match(m *machine, pos int) int {
	for len(m.ends) < x.slots {
		m.ends = append(m.ends, span{-1, -1})
		m.opens = append(m.opens, 0)
	}
	for len(m.loops) < x.loops {
		m.loops = append(m.loops, loop{})
	}
	for i := 1; i < x.slots; i++ {
		m.ends[i] = span{-1, -1}
	}
	m.start, m.depth = pos, 0
	end := x.step(m, pos)
	if m.work < 0 {
		return -1
	}
	m.ends[0] = span{pos, end}
	return end
}

// A charset is a set of characters.
type charset struct {
	ascii [2]uint64
	set   *syntax.CharSet
}

func newCharset(set *syntax.CharSet) *charset {
	s := &charset{set: set}
	for ch := range rune(128) {
		if set.CharIn(ch) {
			s.ascii[ch>>6] |= 1 << (ch & 63)
		}
	}
	return s
}

func (s *charset) has(ch rune) bool {
	if uint32(ch) < 128 {
		return s.ascii[ch>>6]&(1<<(uint(ch)&63)) != 0
	}
	return s.set.CharIn(ch)
}

// then goes on with next.
func then(next step, m *machine, pos int) int {
	if next == nil {
		return pos
	}
	return next(m, pos)
}

// compile compiles a node that is followed by next.
func (c *compiler) compile(n *syntax.RegexNode, next step) step {
	back := n.Options&syntax.RightToLeft != 0
	switch n.T {
	case syntax.NtEmpty, syntax.NtUpdateBumpalong:
		return next
	case syntax.NtNothing:
		return func(*machine, int) int { return -1 }
	case syntax.NtConcatenate:
		for i := len(n.Children) - 1; i >= 0; i-- {
			next = c.compile(n.Children[i], next)
		}
		return next
	case syntax.NtGroup:
		return c.compile(n.Children[0], next)
	case syntax.NtCapture:
		return c.capture(n, next)
	case syntax.NtAlternate:
		return c.alternate(n, next)
	case syntax.NtOne:
		ch := n.Ch
		return single(func(r rune) bool { return r == ch }, back, next, func() step { return oneStep(ch, next) })
	case syntax.NtNotone:
		ch := n.Ch
		return single(func(r rune) bool { return r != ch }, back, next, nil)
	case syntax.NtSet:
		set := newCharset(n.Set)
		return single(set.has, back, next, func() step { return setStep(set, next) })
	case syntax.NtMulti:
		return c.multi(n, next)
	case syntax.NtOneloop, syntax.NtOneloopatomic, syntax.NtOnelazy:
		ch := n.Ch
		return c.run(n, func(r rune) bool { return r == ch }, next)
	case syntax.NtNotoneloop, syntax.NtNotoneloopatomic, syntax.NtNotonelazy:
		ch := n.Ch
		return c.run(n, func(r rune) bool { return r != ch }, next)
	case syntax.NtSetloop, syntax.NtSetloopatomic, syntax.NtSetlazy:
		set := newCharset(n.Set)
		if n.T == syntax.NtSetloopatomic && !back {
			return setRun(set, n.M, n.N, next)
		}
		return c.run(n, set.has, next)
	case syntax.NtLoop:
		return c.loop(n, next)
	case syntax.NtLazyloop:
		return c.lazyLoop(n, next)
	case syntax.NtPosLook, syntax.NtNegLook, syntax.NtAtomic:
		return c.apart(n, next)
	case syntax.NtRef:
		return c.reference(n, back, next)
	}
	if test := anchorOf(n.T); test != nil {
		return func(m *machine, pos int) int {
			if !test(m, pos) {
				return -1
			}
			return then(next, m, pos)
		}
	}
	c.err = errUnsupported
	return next
}

// anchorOf is the condition that a node sets without taking characters; nil: it is no such node.
func anchorOf(t syntax.NodeType) func(m *machine, pos int) bool {
	switch t {
	case syntax.NtBol:
		return func(m *machine, pos int) bool { return pos == 0 || m.text[pos-1] == '\n' }
	case syntax.NtEol:
		return func(m *machine, pos int) bool { return pos == len(m.text) || m.text[pos] == '\n' }
	case syntax.NtBoundary:
		return boundary
	case syntax.NtNonboundary:
		return func(m *machine, pos int) bool { return !boundary(m, pos) }
	case syntax.NtBeginning:
		return func(_ *machine, pos int) bool { return pos == 0 }
	case syntax.NtStart:
		return func(m *machine, pos int) bool { return pos == m.start }
	case syntax.NtEndZ:
		return func(m *machine, pos int) bool {
			return pos == len(m.text) || pos == len(m.text)-1 && m.text[pos] == '\n'
		}
	case syntax.NtEnd:
		return func(m *machine, pos int) bool { return pos == len(m.text) }
	}
	return nil
}

func boundary(m *machine, pos int) bool {
	return (pos > 0 && wordChar(m.text[pos-1])) != (pos < len(m.text) && wordChar(m.text[pos]))
}

func wordChar(r rune) bool {
	if r < 128 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return syntax.IsWordChar(r)
}

// single takes one character; forward, where it is given, makes the step for the usual direction.
func single(in func(rune) bool, back bool, next step, forward func() step) step {
	if back {
		return func(m *machine, pos int) int {
			if pos == 0 || !in(m.text[pos-1]) {
				return -1
			}
			return then(next, m, pos-1)
		}
	}
	if forward != nil {
		return forward()
	}
	return func(m *machine, pos int) int {
		if pos == len(m.text) || !in(m.text[pos]) {
			return -1
		}
		return then(next, m, pos+1)
	}
}

func oneStep(ch rune, next step) step {
	if next == nil {
		return func(m *machine, pos int) int {
			if pos == len(m.text) || m.text[pos] != ch {
				return -1
			}
			return pos + 1
		}
	}
	return func(m *machine, pos int) int {
		if pos == len(m.text) || m.text[pos] != ch {
			return -1
		}
		return next(m, pos+1)
	}
}

func setStep(set *charset, next step) step {
	if next == nil {
		return func(m *machine, pos int) int {
			if pos == len(m.text) || !set.has(m.text[pos]) {
				return -1
			}
			return pos + 1
		}
	}
	return func(m *machine, pos int) int {
		if pos == len(m.text) || !set.has(m.text[pos]) {
			return -1
		}
		return next(m, pos+1)
	}
}

// setRun takes as many characters of a set as it can, and gives none back.
func setRun(set *charset, least, most int, next step) step {
	return func(m *machine, pos int) int {
		end := len(m.text)
		if most < end-pos {
			end = pos + most
		}
		i := pos
		for i < end && set.has(m.text[i]) {
			i++
		}
		if m.work -= (i - pos) / 4; i-pos < least || m.work < 0 {
			return -1
		}
		if next == nil {
			return i
		}
		return next(m, i)
	}
}

func (c *compiler) multi(n *syntax.RegexNode, next step) step {
	str := n.Str
	fold := n.Options&syntax.IgnoreCase != 0
	back := n.Options&syntax.RightToLeft != 0
	return func(m *machine, pos int) int {
		from, after := pos, pos+len(str)
		if back {
			from, after = pos-len(str), pos-len(str)
		}
		if from < 0 || from+len(str) > len(m.text) {
			return -1
		}
		for i, ch := range m.text[from : from+len(str)] {
			if fold {
				ch = unicode.ToLower(ch)
			}
			if ch != str[i] {
				return -1
			}
		}
		return then(next, m, after)
	}
}

// run takes a run of characters: as many as it can (giving back one at a time, or none), or as few as it can.
func (c *compiler) run(n *syntax.RegexNode, in func(rune) bool, next step) step {
	least, most := n.M, n.N
	bump := 1
	if n.Options&syntax.RightToLeft != 0 {
		bump = -1
	}
	// longest is how many characters from pos on belong to the run, at most limit.
	longest := func(m *machine, pos, limit int) int {
		k := 0
		if bump > 0 {
			limit = min(limit, len(m.text)-pos)
			for k < limit && in(m.text[pos+k]) {
				k++
			}
		} else {
			limit = min(limit, pos)
			for k < limit && in(m.text[pos-1-k]) {
				k++
			}
		}
		m.work -= k / 4
		return k
	}
	switch n.T {
	case syntax.NtOneloopatomic, syntax.NtNotoneloopatomic, syntax.NtSetloopatomic:
		return func(m *machine, pos int) int {
			k := longest(m, pos, most)
			if k < least {
				return -1
			}
			return then(next, m, pos+bump*k)
		}
	case syntax.NtOnelazy, syntax.NtNotonelazy, syntax.NtSetlazy:
		return func(m *machine, pos int) int {
			k := longest(m, pos, least)
			if k < least {
				return -1
			}
			for {
				if end := then(next, m, pos+bump*k); end >= 0 {
					return end
				}
				if m.work--; m.work < 0 || k >= most || longest(m, pos+bump*k, 1) == 0 {
					return -1
				}
				k++
			}
		}
	}
	return func(m *machine, pos int) int {
		k := longest(m, pos, most)
		if next == nil && k >= least {
			return pos + bump*k
		}
		for ; k >= least; k-- {
			if end := next(m, pos+bump*k); end >= 0 {
				return end
			}
			if m.work--; m.work < 0 {
				return -1
			}
		}
		return -1
	}
}

func (c *compiler) capture(n *syntax.RegexNode, next step) step {
	if n.N != -1 {
		c.err = errUnsupported // a balancing group
		return next
	}
	if !c.groups {
		return c.compile(n.Children[0], next)
	}
	slot := c.slot(n.M)
	body := c.compile(n.Children[0], func(m *machine, pos int) int {
		old := m.ends[slot]
		m.ends[slot] = span{min(m.opens[slot], pos), max(m.opens[slot], pos)}
		end := then(next, m, pos)
		if end < 0 {
			m.ends[slot] = old
		}
		return end
	})
	return func(m *machine, pos int) int {
		old := m.opens[slot]
		m.opens[slot] = pos
		end := body(m, pos)
		if end < 0 {
			m.opens[slot] = old
		}
		return end
	}
}

func (c *compiler) alternate(n *syntax.RegexNode, next step) step {
	branches := make([]step, len(n.Children))
	begin := make([]firsts, len(n.Children))
	for i, child := range n.Children {
		branches[i] = c.compile(child, next)
		if branches[i] == nil {
			branches[i] = func(_ *machine, pos int) int { return pos }
		}
		begin[i] = firstsOf(child)
	}
	if n.Options&syntax.RightToLeft != 0 {
		return func(m *machine, pos int) int { return m.try(branches, pos) }
	}
	// Which branches can match depends on the next character.
	choice := choose(begin)
	lists := make([][]step, len(choice.lists))
	for i, l := range choice.lists {
		for _, b := range l {
			lists[i] = append(lists[i], branches[b])
		}
	}
	return func(m *machine, pos int) int {
		if pos == len(m.text) {
			return m.try(lists[choice.end], pos)
		}
		return m.try(lists[choice.at(m.text[pos])], pos)
	}
}

// try returns the first of the branches that matches.
func (m *machine) try(branches []step, pos int) int {
	for _, b := range branches {
		if end := b(m, pos); end >= 0 {
			return end
		}
		if m.work--; m.work < 0 {
			return -1
		}
	}
	return -1
}

// loop repeats its child as often as it can. The state of its rounds is regexp2's: mark is where the last round
// began (-1: there was none), count the number of rounds beyond the least.
func (c *compiler) loop(n *syntax.RegexNode, next step) step {
	id := c.loops
	c.loops++
	counted := n.N < math.MaxInt32 || n.M > 1
	limit := n.N
	if n.N < math.MaxInt32 {
		limit = n.N - n.M
	}
	var body step
	again := func(m *machine, pos int) int {
		at := m.loops[id]
		if pos == at.mark && (!counted || at.count >= 0) || counted && at.count >= limit {
			return m.leave(next, id, at, pos)
		}
		if m.deeper() {
			return -1
		}
		m.loops[id] = loop{mark: pos, count: at.count + 1}
		end := body(m, pos)
		m.depth--
		if end >= 0 {
			return end
		}
		m.loops[id] = at
		if m.work < 0 || counted && at.count < 0 {
			return -1
		}
		return m.leave(next, id, at, pos)
	}
	body = c.child(n.Children[0], again)
	least := n.M
	return func(m *machine, pos int) int {
		old := m.loops[id]
		var end int
		if least == 0 {
			m.loops[id] = loop{mark: -1}
			end = again(m, pos)
		} else {
			m.loops[id] = loop{mark: pos, count: 1 - least}
			end = body(m, pos)
		}
		if end < 0 {
			m.loops[id] = old
		}
		return end
	}
}

// leave goes on behind a loop, whose state it restores when that fails.
func (m *machine) leave(next step, id int, at loop, pos int) int {
	if next == nil {
		return pos
	}
	end := next(m, pos)
	if end < 0 {
		m.loops[id] = at
	}
	return end
}

// deeper counts a nested call, and reports whether there are too many.
func (m *machine) deeper() bool {
	m.depth++
	m.work--
	if m.depth > maxLoops {
		m.work = -1
	}
	return m.work < 0
}

// lazyLoop repeats its child as seldom as it can.
func (c *compiler) lazyLoop(n *syntax.RegexNode, next step) step {
	id := c.loops
	c.loops++
	counted := n.N < math.MaxInt32 || n.M > 1
	limit := n.N
	if n.N < math.MaxInt32 {
		limit = n.N - n.M
	}
	var body step
	round := func(m *machine, at loop, pos int) int {
		if m.deeper() {
			return -1
		}
		m.loops[id] = loop{mark: pos, count: at.count + 1}
		end := body(m, pos)
		m.depth--
		if end < 0 {
			m.loops[id] = at
		}
		return end
	}
	again := func(m *machine, pos int) int {
		at := m.loops[id]
		if counted && at.count < 0 {
			return round(m, at, pos)
		}
		if end := m.leave(next, id, at, pos); end >= 0 || m.work < 0 {
			return end
		}
		if pos == at.mark || counted && at.count >= limit {
			return -1
		}
		return round(m, at, pos)
	}
	body = c.child(n.Children[0], again)
	least := n.M
	return func(m *machine, pos int) int {
		old := m.loops[id]
		var end int
		if least == 0 {
			m.loops[id] = loop{mark: -1}
			end = again(m, pos)
		} else {
			m.loops[id] = loop{mark: pos, count: 1 - least}
			end = body(m, pos)
		}
		if end < 0 {
			m.loops[id] = old
		}
		return end
	}
}

// child compiles what a loop repeats; it is never nil.
func (c *compiler) child(n *syntax.RegexNode, again step) step { return c.compile(n, again) }

// apart matches its child for itself: look-around and atomic groups. What is within is not tried again when what
// follows fails; groups that a failed match set are as before.
func (c *compiler) apart(n *syntax.RegexNode, next step) step {
	body := c.compile(n.Children[0], nil)
	if body == nil {
		body = func(_ *machine, pos int) int { return pos }
	}
	t := n.T
	groups := c.groups && captures(n)
	return func(m *machine, pos int) int {
		var saved [8]span
		var old []span
		if groups {
			old = append(saved[:0], m.ends...)
		}
		end := body(m, pos)
		if m.work < 0 {
			return -1
		}
		if t == syntax.NtNegLook {
			if end >= 0 {
				copy(m.ends, old)
				return -1
			}
			return then(next, m, pos)
		}
		if end < 0 {
			return -1
		}
		if t == syntax.NtPosLook {
			end = pos
		}
		if end = then(next, m, end); end < 0 {
			copy(m.ends, old)
		}
		return end
	}
}

func captures(n *syntax.RegexNode) bool {
	if n.T == syntax.NtCapture {
		return true
	}
	for _, c := range n.Children {
		if captures(c) {
			return true
		}
	}
	return false
}

func (c *compiler) reference(n *syntax.RegexNode, back bool, next step) step {
	slot := c.slot(n.M)
	fold := n.Options&syntax.IgnoreCase != 0
	return func(m *machine, pos int) int {
		g := m.ends[slot]
		if g.start < 0 {
			return -1
		}
		size := g.end - g.start
		from, after := pos, pos+size
		if back {
			from, after = pos-size, pos-size
		}
		if m.work -= size / 4; m.work < 0 || from < 0 || from+size > len(m.text) {
			return -1
		}
		for i := range size {
			a, b := m.text[g.start+i], m.text[from+i]
			if a != b && !(fold && unicode.ToLower(a) == unicode.ToLower(b)) {
				return -1
			}
		}
		return then(next, m, after)
	}
}
