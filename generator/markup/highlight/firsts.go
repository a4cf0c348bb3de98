package highlight

import (
	"github.com/dlclark/regexp2/v2/syntax"
)

// firsts are the characters that a match can begin with. They may be too many, never too few.
type firsts struct {
	ascii [2]uint64
	wide  bool // also characters beyond ASCII
	empty bool // a match may take no character
}

func (f *firsts) add(g firsts) {
	f.ascii[0] |= g.ascii[0]
	f.ascii[1] |= g.ascii[1]
	f.wide = f.wide || g.wide
}

func (f *firsts) has(ch rune) bool { return f.ascii[ch>>6]&(1<<(uint(ch)&63)) != 0 }

func (f *firsts) set(ch rune) {
	if ch < 128 {
		f.ascii[ch>>6] |= 1 << (uint(ch) & 63)
	} else {
		f.wide = true
	}
}

var anything = firsts{ascii: [2]uint64{^uint64(0), ^uint64(0)}, wide: true}

func firstsOf(n *syntax.RegexNode) firsts {
	if n.Options&syntax.RightToLeft != 0 {
		return firsts{empty: true} // it looks the other way
	}
	var f firsts
	switch n.T {
	case syntax.NtOne, syntax.NtOneloop, syntax.NtOneloopatomic, syntax.NtOnelazy:
		f.set(n.Ch)
	case syntax.NtNotone, syntax.NtNotoneloop, syntax.NtNotoneloopatomic, syntax.NtNotonelazy:
		f = anything
		if n.Ch < 128 {
			f.ascii[n.Ch>>6] &^= 1 << (uint(n.Ch) & 63)
		}
	case syntax.NtSet, syntax.NtSetloop, syntax.NtSetloopatomic, syntax.NtSetlazy:
		f.ascii, f.wide = newCharset(n.Set).ascii, true
	case syntax.NtMulti:
		f.set(n.Str[0])
		if n.Options&syntax.IgnoreCase != 0 {
			f = anything
		}
	case syntax.NtConcatenate:
		f.empty = true
		for _, c := range n.Children {
			g := firstsOf(c)
			f.add(g)
			if !g.empty {
				f.empty = false
				break
			}
		}
		return f
	case syntax.NtAlternate:
		for _, c := range n.Children {
			g := firstsOf(c)
			f.add(g)
			f.empty = f.empty || g.empty
		}
		return f
	case syntax.NtCapture, syntax.NtGroup, syntax.NtAtomic:
		return firstsOf(n.Children[0])
	case syntax.NtLoop, syntax.NtLazyloop:
		f = firstsOf(n.Children[0])
		f.empty = f.empty || n.M == 0
		return f
	case syntax.NtNothing:
		return f
	case syntax.NtRef:
		f = anything
		f.empty = true
		return f
	default: // anchors and look-around take nothing
		return firsts{empty: true}
	}
	switch n.T {
	case syntax.NtOne, syntax.NtNotone, syntax.NtSet, syntax.NtMulti:
	default:
		f.empty = n.M == 0
	}
	return f
}

// A choice says which of several alternatives can match, by the next character.
type choice struct {
	ascii [128]uint16 // into lists
	wide  uint16
	end   uint16 // at the end of the text
	lists [][]int
}

func (c *choice) at(ch rune) uint16 {
	if uint32(ch) < 128 {
		return c.ascii[ch]
	}
	return c.wide
}

func choose(alternatives []firsts) *choice {
	c := &choice{}
	known := map[string]uint16{}
	list := func(can func(f *firsts) bool) uint16 {
		var l []int
		key := make([]byte, 0, 2*len(alternatives))
		for i := range alternatives {
			if alternatives[i].empty || can(&alternatives[i]) {
				l = append(l, i)
				key = append(key, byte(i), byte(i>>8))
			}
		}
		n, ok := known[string(key)]
		if !ok {
			n = uint16(len(c.lists))
			c.lists = append(c.lists, l)
			known[string(key)] = n
		}
		return n
	}
	for ch := range rune(128) {
		c.ascii[ch] = list(func(f *firsts) bool { return f.has(ch) })
	}
	c.wide = list(func(f *firsts) bool { return f.wide })
	c.end = list(func(*firsts) bool { return false })
	return c
}
