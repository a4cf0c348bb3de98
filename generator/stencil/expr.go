package stencil

import (
	"fmt"
	"reflect"
	"text/template/parse"
	"time"
)

// An expr is something that has a value of a known type. One of get, num and cond is set: num when the value is the
// int that it returns, cond when it is the bool.
type expr struct {
	typ  reflect.Type
	get  func(m *machine, dot value) value
	num  func(m *machine, dot value) int64
	cond func(m *machine, dot value) bool
}

var (
	yes = reflect.ValueOf(true)
	no  = reflect.ValueOf(false)
)

func (e expr) value() func(m *machine, dot value) value {
	switch {
	case e.typ == mixedType:
		panic(unsupported("a value that may have one of several types"))
	case e.get != nil:
		return e.get
	case e.num != nil:
		num := e.num
		return func(m *machine, dot value) value { return reflect.ValueOf(int(num(m, dot))) }
	}
	cond := e.cond
	return func(m *machine, dot value) value {
		if cond(m, dot) {
			return yes
		}
		return no
	}
}

func (e expr) truth() func(m *machine, dot value) bool {
	switch {
	case e.cond != nil:
		return e.cond
	case e.num != nil:
		num := e.num
		return func(m *machine, dot value) bool { return num(m, dot) != 0 }
	}
	get, isTrue := e.get, truthOf(e.typ)
	return func(m *machine, dot value) bool { return isTrue(get(m, dot)) }
}

func (e expr) integer() func(m *machine, dot value) int64 {
	if e.num != nil {
		return e.num
	}
	if !isInt(e.typ) {
		panic(unsupported(fmt.Sprintf("%v where an int is wanted", e.typ)))
	}
	get := e.value()
	return func(m *machine, dot value) int64 { return get(m, dot).Int() }
}

func isInt(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64 }

// truthOf is what makes a value of the type true in templates.
func truthOf(t reflect.Type) func(value) bool {
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return value.Bool
	case k == reflect.String, k == reflect.Slice, k == reflect.Map, k == reflect.Array:
		return func(v value) bool { return v.Len() > 0 }
	case k == reflect.Pointer:
		return func(v value) bool { return !v.IsNil() }
	case k == reflect.Struct:
		return func(value) bool { return true }
	case isInt(t):
		return func(v value) bool { return v.Int() != 0 }
	case k == reflect.Float32 || k == reflect.Float64:
		return func(v value) bool { return v.Float() != 0 }
	}
	panic(unsupported(fmt.Sprintf("the truth of %v", t)))
}

// pipe compiles a pipeline; what it declares is the caller's matter.
func (c *compiler) pipe(p *parse.PipeNode, dot reflect.Type) expr {
	var e expr
	for i, cmd := range p.Cmds {
		var last []expr
		if i > 0 {
			last = []expr{e}
		}
		e = c.command(cmd, dot, last)
	}
	return e
}

// command compiles a command; last is the value piped into it, if any.
func (c *compiler) command(n *parse.CommandNode, dot reflect.Type, last []expr) expr {
	arguments := func() []expr {
		var args []expr
		for _, a := range n.Args[1:] {
			args = append(args, c.operand(a, dot))
		}
		return append(args, last...)
	}
	switch first := n.Args[0].(type) {
	case *parse.FieldNode:
		return c.fields(expr{typ: dot, get: dotOf}, first.Ident, arguments())
	case *parse.VariableNode:
		return c.fields(c.load(first.Ident[0]), first.Ident[1:], arguments())
	case *parse.ChainNode:
		return c.fields(c.operand(first.Node, dot), first.Field, arguments())
	case *parse.IdentifierNode:
		return c.function(first.Ident, arguments())
	}
	if len(n.Args) > 1 || len(last) > 0 {
		panic(unsupported(n.String()))
	}
	return c.operand(n.Args[0], dot)
}

func dotOf(_ *machine, dot value) value { return dot }

func (c *compiler) load(name string) expr {
	v := c.variable(name)
	slot := v.slot
	return expr{typ: v.typ, get: func(m *machine, _ value) value { return m.vars[m.base+slot] }}
}

// operand compiles a node that stands for a value without being given any.
func (c *compiler) operand(n parse.Node, dot reflect.Type) expr {
	constant := func(x any) expr {
		v := reflect.ValueOf(x)
		return expr{typ: v.Type(), get: func(*machine, value) value { return v }}
	}
	switch n := n.(type) {
	case *parse.DotNode:
		return expr{typ: dot, get: dotOf}
	case *parse.FieldNode:
		return c.fields(expr{typ: dot, get: dotOf}, n.Ident, nil)
	case *parse.VariableNode:
		return c.fields(c.load(n.Ident[0]), n.Ident[1:], nil)
	case *parse.ChainNode:
		return c.fields(c.operand(n.Node, dot), n.Field, nil)
	case *parse.IdentifierNode:
		return c.function(n.Ident, nil)
	case *parse.PipeNode:
		if len(n.Decl) > 0 {
			panic(unsupported(n.String()))
		}
		return c.pipe(n, dot)
	case *parse.StringNode:
		return constant(n.Text)
	case *parse.BoolNode:
		return constant(n.True)
	case *parse.NumberNode:
		if n.IsInt {
			return constant(int(n.Int64))
		}
		if n.IsFloat {
			return constant(n.Float64)
		}
	}
	panic(unsupported(n.String()))
}

// fields follows names from e; args are for the last one, which then is a method.
func (c *compiler) fields(e expr, names []string, args []expr) expr {
	for i, name := range names {
		var with []expr
		if i == len(names)-1 {
			with = args
		}
		e = c.field(e, name, with)
	}
	if len(names) == 0 && len(args) > 0 {
		panic(unsupported("arguments for what is no function"))
	}
	return e
}

func (c *compiler) field(e expr, name string, args []expr) expr {
	get := e.value()
	if _, ok := e.typ.MethodByName(name); ok {
		return c.method(e, name, args)
	}
	typ, pointer := e.typ, false
	if typ.Kind() == reflect.Pointer {
		typ, pointer = typ.Elem(), true
	} else if _, ok := reflect.PointerTo(typ).MethodByName(name); ok {
		panic(unsupported("method " + name + " of a pointer"))
	}
	if typ.Kind() != reflect.Struct || len(args) > 0 {
		panic(unsupported(fmt.Sprintf("field %s of %v", name, e.typ)))
	}
	f, ok := typ.FieldByName(name)
	if !ok || !f.IsExported() || len(f.Index) != 1 || f.Type.Kind() == reflect.Interface {
		panic(unsupported(fmt.Sprintf("field %s of %v", name, e.typ)))
	}
	i := f.Index[0]
	if !pointer {
		return expr{typ: f.Type, get: func(m *machine, dot value) value { return get(m, dot).Field(i) }}
	}
	return expr{typ: f.Type, get: func(m *machine, dot value) value {
		v := get(m, dot)
		if v.IsNil() {
			fail("field %s of a nil %v", name, v.Type())
		}
		return v.Elem().Field(i)
	}}
}

// An asset finder is what a method with a text and a text as result may be called as without reflection.
type assetFinder interface{ Asset(name string) string }

func (c *compiler) method(e expr, name string, args []expr) expr {
	get := e.value()
	if e.typ == timeType && name == "IsZero" && len(args) == 0 {
		return expr{typ: boolType, cond: func(m *machine, dot value) bool { return timeOf(get(m, dot)).IsZero() }}
	}
	if e.typ.Kind() == reflect.Pointer {
		inner := get
		get = func(m *machine, dot value) value {
			v := inner(m, dot)
			if v.IsNil() {
				fail("method %s of a nil %v", name, v.Type())
			}
			return v
		}
	}
	if e.typ.Implements(reflect.TypeFor[assetFinder]()) && name == "Asset" && len(args) == 1 && args[0].typ == textType {
		arg := args[0].value()
		return expr{typ: textType, get: func(m *machine, dot value) value {
			return reflect.ValueOf(get(m, dot).Interface().(assetFinder).Asset(arg(m, dot).String()))
		}}
	}
	method, _ := e.typ.MethodByName(name)
	f := method.Func
	return c.call(name, method.Type, func(in []value) []value { return f.Call(in) }, append([]expr{{typ: e.typ, get: get}}, args...))
}

// timeOf reads a time without copying it to the heap.
func timeOf(v value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

// function compiles a call of a built-in function or one of the caller's.
func (c *compiler) function(name string, args []expr) expr {
	if f, ok := c.functions[name]; ok {
		return c.custom(name, f, args)
	}
	wants := func(n int) {
		if len(args) != n {
			panic(unsupported(fmt.Sprintf("%s with %d arguments", name, len(args))))
		}
	}
	switch name {
	case "and", "or":
		return logic(name == "or", args)
	case "not":
		wants(1)
		truth := args[0].truth()
		return expr{typ: boolType, cond: func(m *machine, dot value) bool { return !truth(m, dot) }}
	case "eq", "ne", "lt", "le", "gt", "ge":
		wants(2)
		return compare(name, args[0], args[1])
	case "len":
		wants(1)
		switch args[0].typ.Kind() {
		case reflect.Slice, reflect.Map, reflect.String:
		default:
			panic(unsupported(fmt.Sprintf("len of %v", args[0].typ)))
		}
		get := args[0].value()
		return expr{typ: intType, num: func(m *machine, dot value) int64 { return int64(get(m, dot).Len()) }}
	case "index":
		wants(2)
		typ := args[0].typ
		if typ.Kind() != reflect.Slice || typ.Elem().Kind() == reflect.Interface {
			panic(unsupported(fmt.Sprintf("index of %v", typ)))
		}
		get, at := args[0].value(), args[1].integer()
		return expr{typ: typ.Elem(), get: func(m *machine, dot value) value {
			v, i := get(m, dot), at(m, dot)
			if i < 0 || i >= int64(v.Len()) {
				fail("index %d of %d", i, v.Len())
			}
			return v.Index(int(i))
		}}
	case "slice":
		return cut(args)
	case "printf":
		return format(args)
	}
	panic(unsupported("function " + name))
}

// logic is and (its first argument that is not true, else the last) and or (the first that is true, else the last).
func logic(or bool, args []expr) expr {
	if len(args) == 0 {
		panic(unsupported("no arguments"))
	}
	typ := args[0].typ
	truths := make([]func(*machine, value) bool, len(args))
	for i, a := range args {
		truths[i] = a.truth()
		if a.typ != typ {
			typ = mixedType
		}
	}
	if typ == mixedType || typ == boolType {
		return expr{typ: typ, cond: func(m *machine, dot value) bool {
			for _, truth := range truths {
				if truth(m, dot) == or {
					return or
				}
			}
			return !or
		}}
	}
	gets := make([]func(*machine, value) value, len(args))
	for i, a := range args {
		gets[i] = a.value()
	}
	isTrue := truthOf(typ)
	return expr{typ: typ, get: func(m *machine, dot value) value {
		var v value
		for _, get := range gets {
			if v = get(m, dot); isTrue(v) == or {
				break
			}
		}
		return v
	}}
}

// mixed is the type of what may have one of several types: it can be asked for its truth and nothing else.
type mixed struct{ _ func() }

var mixedType = reflect.TypeFor[mixed]()

// compare compares two values of one basic kind.
func compare(name string, a, b expr) expr {
	switch {
	case isInt(a.typ) && isInt(b.typ):
		return comparison(name, a.integer(), b.integer())
	case a.typ.Kind() == reflect.String && b.typ.Kind() == reflect.String:
		x, y := a.value(), b.value()
		return comparison(name, func(m *machine, dot value) string { return x(m, dot).String() },
			func(m *machine, dot value) string { return y(m, dot).String() })
	case a.typ == boolType && b.typ == boolType && (name == "eq" || name == "ne"):
		x, y, want := a.truth(), b.truth(), name == "eq"
		return expr{typ: boolType, cond: func(m *machine, dot value) bool { return (x(m, dot) == y(m, dot)) == want }}
	}
	panic(unsupported(fmt.Sprintf("%s of %v and %v", name, a.typ, b.typ)))
}

func comparison[T int64 | string](name string, x, y func(*machine, value) T) expr {
	cond := map[string]func(m *machine, dot value) bool{
		"eq": func(m *machine, dot value) bool { return x(m, dot) == y(m, dot) },
		"ne": func(m *machine, dot value) bool { return x(m, dot) != y(m, dot) },
		"lt": func(m *machine, dot value) bool { return x(m, dot) < y(m, dot) },
		"le": func(m *machine, dot value) bool { return x(m, dot) <= y(m, dot) },
		"gt": func(m *machine, dot value) bool { return x(m, dot) > y(m, dot) },
		"ge": func(m *machine, dot value) bool { return x(m, dot) >= y(m, dot) },
	}[name]
	return expr{typ: boolType, cond: cond}
}

// cut is slice for texts.
func cut(args []expr) expr {
	if len(args) == 0 || len(args) > 3 || args[0].typ.Kind() != reflect.String {
		panic(unsupported("slice of this"))
	}
	get := args[0].value()
	var ends []func(*machine, value) int64
	for _, a := range args[1:] {
		ends = append(ends, a.integer())
	}
	return expr{typ: textType, get: func(m *machine, dot value) value {
		s := get(m, dot).String()
		i, j := 0, len(s)
		if len(ends) > 0 {
			i = int(ends[0](m, dot))
		}
		if len(ends) > 1 {
			j = int(ends[1](m, dot))
		}
		if i < 0 || j > len(s) || i > j {
			fail("slice %d to %d of %d bytes", i, j, len(s))
		}
		return reflect.ValueOf(s[i:j])
	}}
}

func format(args []expr) expr {
	if len(args) == 0 || args[0].typ != textType {
		panic(unsupported("printf without a format"))
	}
	gets := make([]func(*machine, value) value, len(args))
	for i, a := range args {
		gets[i] = a.value()
	}
	return expr{typ: textType, get: func(m *machine, dot value) value {
		in := make([]any, len(gets)-1)
		for i := range in {
			in[i] = gets[i+1](m, dot).Interface()
		}
		return reflect.ValueOf(fmt.Sprintf(gets[0](m, dot).String(), in...))
	}}
}

// custom is a call of one of the caller's functions: directly where its type is a common one.
func (c *compiler) custom(name string, f any, args []expr) expr {
	types := make([]reflect.Type, len(args))
	gets := make([]func(*machine, value) value, len(args))
	for i, a := range args {
		types[i], gets[i] = a.typ, a.value()
	}
	switch f := f.(type) {
	case func(time.Time) string:
		if len(args) == 1 && types[0] == timeType {
			return expr{typ: textType, get: func(m *machine, dot value) value {
				return reflect.ValueOf(f(timeOf(gets[0](m, dot))))
			}}
		}
	case func(string) string:
		if len(args) == 1 && types[0] == textType {
			return expr{typ: textType, get: func(m *machine, dot value) value {
				return reflect.ValueOf(f(gets[0](m, dot).String()))
			}}
		}
	case func([]string, string) string:
		if len(args) == 2 && types[0] == reflect.TypeFor[[]string]() && types[1] == textType {
			return expr{typ: textType, get: func(m *machine, dot value) value {
				return reflect.ValueOf(f(gets[0](m, dot).Interface().([]string), gets[1](m, dot).String()))
			}}
		}
	}
	v := reflect.ValueOf(f)
	return c.call(name, v.Type(), v.Call, args)
}

// call is a call by reflection of a function that returns one value, or one and an error.
func (c *compiler) call(name string, typ reflect.Type, f func([]value) []value, args []expr) expr {
	results := typ.NumOut()
	if typ.IsVariadic() || typ.NumIn() != len(args) || results == 0 || results > 2 ||
		results == 2 && typ.Out(1) != reflect.TypeFor[error]() || typ.Out(0).Kind() == reflect.Interface {
		panic(unsupported("function " + name))
	}
	gets := make([]func(*machine, value) value, len(args))
	for i, a := range args {
		if a.typ != typ.In(i) {
			panic(unsupported(fmt.Sprintf("%v as argument of %s", a.typ, name)))
		}
		gets[i] = a.value()
	}
	return expr{typ: typ.Out(0), get: func(m *machine, dot value) value {
		in := make([]value, len(gets))
		for i, get := range gets {
			in[i] = get(m, dot)
		}
		out := f(in)
		if len(out) == 2 && !out[1].IsNil() {
			panic(failure{out[1].Interface().(error)})
		}
		return out[0]
	}}
}
