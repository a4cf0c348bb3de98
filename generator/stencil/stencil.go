// Package stencil runs html/template templates several times faster, to the same bytes.
//
// A [Stencil] is one entry template, with all it includes, compiled for one type of data: which fields a template
// reads, of which types they are, and how each is escaped is known then, so that running it needs no look-up of names
// and no calls by reflection. What is escaped, and how, is decided by html/template alone: Compile reads the escaped
// templates and adds nothing of its own.
//
// It knows the part of the template language that pages need: fields, variables, if, with, range, template, the
// built-in functions and, or, not, eq, ne, lt, le, gt, ge, len, index, slice and printf, methods without arguments
// that can fail, and functions of the caller. For all else (values whose type is known only when they are there,
// break, continue, templates called inside attributes or scripts) Compile returns an [UnsupportedError], and
// html/template is the way. The same holds when Append returns an error: html/template, given the same data, says what is wrong and
// where.
package stencil

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/template/parse"
	"time"
)

// An UnsupportedError says what of a template stencils do not know, and where that is. The template may be good all the
// same. Line and Col count from 1, Col in bytes; Line is 0 where no place is known.
type UnsupportedError struct {
	Template  string // that was to be compiled
	File      string // name of the template that the place is in, as it was parsed
	Line, Col int
	What      string
}

func (e *UnsupportedError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("compile %s: not known to stencils: %s", e.Template, e.What)
	}
	return fmt.Sprintf("compile %s: %s:%d:%d: not known to stencils: %s", e.Template, e.File, e.Line, e.Col, e.What)
}

// A Stencil is a compiled template. It is immutable; any number of goroutines may use it.
type Stencil struct {
	typ  reflect.Type
	body *body
}

// Compile makes a stencil of the template t, and all it includes, for data of the type of sample. Functions are those
// that t was parsed with. It makes t escape itself, as executing it would.
func Compile(t *template.Template, functions template.FuncMap, sample any) (s *Stencil, err error) {
	// Executing is what escapes a template. Without data it soon stops, which is no matter; a template that cannot be
	// escaped is not executed at all.
	var escape *template.Error
	if err := t.Execute(io.Discard, nil); errors.As(err, &escape) {
		return nil, err
	}
	c := &compiler{set: t, functions: functions, bodies: map[bodyKey]*body{}}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case unsupported:
			s, err = nil, c.unsupported(string(r))
		default:
			panic(r)
		}
	}()
	typ := reflect.TypeOf(sample)
	if typ == nil {
		panic(unsupported("no data"))
	}
	return &Stencil{typ: typ, body: c.template(t.Name(), typ)}, nil
}

// Append appends what executing the template with data writes. After an error dst is unchanged.
func (s *Stencil) Append(dst []byte, data any) (out []byte, err error) {
	if reflect.TypeOf(data) != s.typ {
		return dst, fmt.Errorf("data is %T, want %v", data, s.typ)
	}
	m := &machine{out: dst}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			out, err = dst, r.err
		default:
			panic(r)
		}
	}()
	root := reflect.New(s.typ).Elem() // addressable, so that its fields are reached without copies
	root.Set(reflect.ValueOf(data))
	m.call(s.body, root)
	return m.out, nil
}

// A machine is a stencil at work.
type machine struct {
	out  []byte
	vars []reflect.Value // of all templates being executed
	base int             // where the variables of the innermost begin
}

type (
	value = reflect.Value

	// An op is a node of a template: it writes what the node stands for.
	op func(m *machine, dot value)

	// A body is a template compiled for one type of dot. Its first variable is $.
	body struct {
		ops  []op
		vars int
	}
	bodyKey struct {
		name string
		dot  reflect.Type
	}

	unsupported string              // panics within Compile
	failure     struct{ err error } // panics within Append
)

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (m *machine) call(b *body, dot value) {
	base, top := m.base, len(m.vars)
	m.base = top
	for range b.vars {
		m.vars = append(m.vars, value{})
	}
	m.vars[top] = dot
	run(m, b.ops, dot)
	m.vars = m.vars[:top]
	m.base = base
}

func run(m *machine, ops []op, dot value) {
	for _, o := range ops {
		o(m, dot)
	}
}

// A compiler makes bodies. Its variables are those in scope in the template it is at.
type compiler struct {
	set       *template.Template
	functions template.FuncMap
	bodies    map[bodyKey]*body
	at        *body
	scope     []variable
	here      parse.Node // the innermost node that is being compiled
}

// unsupported makes an error of what the node that is being compiled has.
func (c *compiler) unsupported(what string) error {
	e := &UnsupportedError{Template: c.set.Name(), What: what}
	if c.here == nil {
		return e
	}
	place, _ := c.set.Tree.ErrorContext(c.here) // name:line:column, the column from 0
	place, col := cutNumber(place)
	name, line := cutNumber(place)
	e.File, e.Line, e.Col = name, line, col+1
	return e
}

// cutNumber cuts off the number behind the last colon.
func cutNumber(s string) (before string, n int) {
	i := strings.LastIndexByte(s, ':')
	n, _ = strconv.Atoi(s[i+1:])
	return s[:max(i, 0)], n
}

type variable struct {
	name string
	typ  reflect.Type
	slot int
}

func (c *compiler) template(name string, dot reflect.Type) *body {
	if b, ok := c.bodies[bodyKey{name, dot}]; ok {
		return b // perhaps one that is being made: templates may include themselves
	}
	t := c.set.Lookup(name)
	if t == nil || t.Tree == nil || t.Tree.Root == nil {
		panic(unsupported("template " + name + " within an attribute or script"))
	}
	b := &body{vars: 1}
	c.bodies[bodyKey{name, dot}] = b
	at, scope := c.at, c.scope
	c.at, c.scope = b, []variable{{"$", dot, 0}}
	b.ops = c.list(t.Tree.Root, dot)
	c.at, c.scope = at, scope
	return b
}

// declare makes a variable that is in scope until the end of the list it is in.
func (c *compiler) declare(name string, typ reflect.Type) int {
	slot := c.at.vars
	c.at.vars++
	c.scope = append(c.scope, variable{name, typ, slot})
	return slot
}

func (c *compiler) variable(name string) variable {
	for i := len(c.scope) - 1; i >= 0; i-- {
		if c.scope[i].name == name {
			return c.scope[i]
		}
	}
	panic(unsupported("variable " + name))
}

func (c *compiler) list(l *parse.ListNode, dot reflect.Type) []op {
	if l == nil {
		return nil
	}
	depth := len(c.scope)
	var ops []op
	for _, n := range l.Nodes {
		if o := c.node(n, dot); o != nil {
			ops = append(ops, o)
		}
	}
	c.scope = c.scope[:depth]
	return ops
}

func (c *compiler) node(n parse.Node, dot reflect.Type) op {
	outer := c.here
	c.here = n
	o := c.compile(n, dot)
	c.here = outer
	return o
}

func (c *compiler) compile(n parse.Node, dot reflect.Type) op {
	switch n := n.(type) {
	case *parse.TextNode:
		text := n.Text
		if len(text) == 0 {
			return nil
		}
		return func(m *machine, _ value) { m.out = append(m.out, text...) }
	case *parse.CommentNode:
		return nil
	case *parse.ActionNode:
		return c.action(n, dot)
	case *parse.IfNode:
		return c.branch(&n.BranchNode, dot, false)
	case *parse.WithNode:
		return c.branch(&n.BranchNode, dot, true)
	case *parse.RangeNode:
		return c.rng(n, dot)
	case *parse.TemplateNode:
		if n.Pipe == nil {
			panic(unsupported("a template without data"))
		}
		e := c.pipe(n.Pipe, dot)
		if e.typ.Kind() == reflect.Interface {
			panic(unsupported("data of unknown type"))
		}
		get := e.value()
		b := c.template(n.Name, e.typ)
		return func(m *machine, dot value) { m.call(b, get(m, dot)) }
	}
	panic(unsupported(n.String()))
}

func (c *compiler) branch(n *parse.BranchNode, dot reflect.Type, with bool) op {
	depth := len(c.scope)
	e := c.pipe(n.Pipe, dot)
	if len(n.Pipe.Decl) > 0 {
		e = c.assign(n.Pipe, e)
	}
	truth := e.truth()
	if !with {
		then, otherwise := c.list(n.List, dot), c.list(n.ElseList, dot)
		c.scope = c.scope[:depth]
		return func(m *machine, dot value) {
			if truth(m, dot) {
				run(m, then, dot)
			} else {
				run(m, otherwise, dot)
			}
		}
	}
	get, isTrue := e.value(), truthOf(e.typ)
	then, otherwise := c.list(n.List, e.typ), c.list(n.ElseList, dot)
	c.scope = c.scope[:depth]
	return func(m *machine, dot value) {
		if v := get(m, dot); isTrue(v) {
			run(m, then, v)
		} else {
			run(m, otherwise, dot)
		}
	}
}

// assign makes an expression set the one variable that its pipeline declares or assigns, and have its value.
func (c *compiler) assign(p *parse.PipeNode, e expr) expr {
	if len(p.Decl) != 1 || len(p.Decl[0].Ident) != 1 {
		panic(unsupported(p.String()))
	}
	name := p.Decl[0].Ident[0]
	var slot int
	if p.IsAssign {
		v := c.variable(name)
		if v.typ != e.typ {
			panic(unsupported(name + " changes its type"))
		}
		slot = v.slot
	} else {
		slot = c.declare(name, e.typ)
	}
	get := e.value()
	return expr{typ: e.typ, get: func(m *machine, dot value) value {
		v := get(m, dot)
		m.vars[m.base+slot] = v
		return v
	}}
}

func (c *compiler) rng(n *parse.RangeNode, dot reflect.Type) op {
	depth := len(c.scope)
	p := *n.Pipe
	p.Decl = nil
	e := c.pipe(&p, dot)
	if e.typ.Kind() != reflect.Slice || n.Pipe.IsAssign {
		panic(unsupported(n.Pipe.String()))
	}
	get, elem := e.value(), e.typ.Elem()
	index, item := -1, -1
	switch d := n.Pipe.Decl; len(d) {
	case 0:
	case 1:
		item = c.declare(d[0].Ident[0], elem)
	default:
		index = c.declare(d[0].Ident[0], intType)
		item = c.declare(d[1].Ident[0], elem)
	}
	each := c.list(n.List, elem)
	c.scope = c.scope[:depth]
	none := c.list(n.ElseList, dot)
	return func(m *machine, dot value) {
		v := get(m, dot)
		count := v.Len()
		if count == 0 {
			run(m, none, dot)
			return
		}
		for i := range count {
			it := v.Index(i)
			if item >= 0 {
				m.vars[m.base+item] = it
			}
			if index >= 0 {
				m.vars[m.base+index] = reflect.ValueOf(i)
			}
			run(m, each, it)
		}
	}
}

// action is a pipeline on its own: it sets a variable, or its value is escaped and written.
func (c *compiler) action(n *parse.ActionNode, dot reflect.Type) op {
	if len(n.Pipe.Decl) > 0 {
		get := c.assign(n.Pipe, c.pipe(n.Pipe, dot)).get
		return func(m *machine, dot value) { get(m, dot) }
	}
	p := *n.Pipe
	var escapers []string
	for len(p.Cmds) > 1 {
		last := p.Cmds[len(p.Cmds)-1]
		id, ok := last.Args[0].(*parse.IdentifierNode)
		if !ok || len(last.Args) != 1 || !isEscaper(id.Ident) {
			break
		}
		escapers = append([]string{id.Ident}, escapers...)
		p.Cmds = p.Cmds[:len(p.Cmds)-1]
	}
	e := c.pipe(&p, dot)
	write := writer(e.typ, escapers)
	get := e.value()
	return func(m *machine, dot value) { m.out = write(m.out, get(m, dot)) }
}

var (
	intType  = reflect.TypeFor[int]()
	boolType = reflect.TypeFor[bool]()
	textType = reflect.TypeFor[string]()
	timeType = reflect.TypeFor[time.Time]()
)
