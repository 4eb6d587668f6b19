package sqlfilter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// node is a node of the syntax tree.
type node interface {
	eval(m Message) (value, error)
}

type (
	constant struct{ v value }
	property struct {
		name      string // in lower case if system
		system    bool
		qualified bool // written with its scope
	}
	newID        struct{}
	propertyCall struct{ name node }
	sign         struct {
		op      byte
		operand node
	}
	arithmetic struct {
		op          byte
		left, right node
	}
	group struct{ inner node } // a value in parentheses, because "(a) IS NULL" is not valid for a property

	// The predicates.
	and     struct{ left, right node }
	or      struct{ left, right node }
	not     struct{ operand node }
	compare struct {
		op          string
		left, right node
	}
	isNull struct {
		property property
		negated  bool
	}
	in struct {
		left  node
		items []node
	}
	like struct {
		left, pattern, escape node // escape may be nil
	}
	exists struct{ property property }
)

func isPredicate(n node) bool {
	switch n.(type) {
	case and, or, not, compare, isNull, in, like, exists:
		return true
	}
	return false
}

func parenthesized(n node) node {
	if isPredicate(n) {
		return n
	}
	return group{n}
}

func (n constant) eval(Message) (value, error)     { return n.v, nil }
func (n newID) eval(m Message) (value, error)      { return valueOf(m.NewID()), nil }
func (n group) eval(m Message) (value, error)      { return n.inner.eval(m) }
func (n property) eval(m Message) (value, error)   { return n.look(m) }
func (n isNull) eval(m Message) (value, error)     { return n.test(m) }
func (n sign) eval(m Message) (value, error)       { return n.apply(m) }
func (n exists) eval(m Message) (value, error)     { return n.test(m) }
func (n arithmetic) eval(m Message) (value, error) { return n.combine(m) }

func (n property) look(m Message) (value, error) {
	if !n.system {
		v, _ := m.User(n.name)
		return valueOf(v), nil
	}
	v, ok := m.System(n.name)
	if !ok {
		return value{}, evalError(fmt.Sprintf("The system property 'sys.%s' does not exist.", n.name))
	}
	return valueOf(v), nil
}

func (n propertyCall) eval(m Message) (value, error) {
	name, err := n.name.eval(m)
	if err != nil || name.kind == unknown {
		return value{}, err
	}
	if name.kind != text {
		return value{}, evalError("The argument of property() is not a string.")
	}
	if scope, rest, ok := strings.Cut(name.s, "."); ok && strings.EqualFold(scope, "sys") {
		return property{name: strings.ToLower(rest), system: true}.look(m)
	} else if ok && strings.EqualFold(scope, "user") {
		return property{name: rest}.look(m)
	}
	return property{name: name.s}.look(m)
}

func (n sign) apply(m Message) (value, error) {
	v, err := n.operand.eval(m)
	if err != nil || v.kind == unknown {
		return value{}, err
	}
	return v.signed(n.op)
}

func (n arithmetic) combine(m Message) (value, error) {
	a, err := n.left.eval(m)
	if err != nil {
		return value{}, err
	}
	b, err := n.right.eval(m)
	if err != nil || a.kind == unknown || b.kind == unknown {
		return value{}, err
	}
	return a.combined(n.op, b)
}

func (n and) eval(m Message) (value, error) {
	a, err := n.left.eval(m)
	if err != nil || a.isFalse() {
		return a, err
	}
	b, err := n.right.eval(m)
	if err != nil || b.isFalse() || a.isTrue() {
		return b, err
	}
	return value{}, nil
}

func (n or) eval(m Message) (value, error) {
	a, err := n.left.eval(m)
	if err != nil || a.isTrue() {
		return a, err
	}
	b, err := n.right.eval(m)
	if err != nil || b.isTrue() || a.isFalse() {
		return b, err
	}
	return value{}, nil
}

func (n not) eval(m Message) (value, error) {
	v, err := n.operand.eval(m)
	if err != nil || v.kind == unknown {
		return value{}, err
	}
	return truth(!v.isTrue()), nil
}

func (n compare) eval(m Message) (value, error) {
	a, err := n.left.eval(m)
	if err != nil {
		return value{}, err
	}
	b, err := n.right.eval(m)
	if err != nil || a.kind == unknown || b.kind == unknown {
		return value{}, err
	}
	switch n.op {
	case "=", "<>", "!=":
		same, err := a.equals(b)
		return truth(same == (n.op == "=")), err
	}
	order, err := a.order(b)
	switch n.op {
	case "<":
		return truth(order == less), err
	case "<=":
		return truth(order == less || order == equal), err
	case ">":
		return truth(order == greater), err
	default:
		return truth(order == greater || order == equal), err
	}
}

// test of IS NULL is true for a property that is absent or null.
func (n isNull) test(m Message) (value, error) {
	v, err := n.property.look(m)
	return truth((v.kind == unknown) != n.negated), err
}

func (n exists) test(m Message) (value, error) {
	if n.property.system {
		_, err := n.property.look(m)
		return truth(err == nil), err
	}
	_, ok := m.User(n.property.name)
	return truth(ok), nil
}

// eval of IN is unknown only if the left operand is unknown; an unknown item equals no value.
func (n in) eval(m Message) (value, error) {
	left, err := n.left.eval(m)
	if err != nil || left.kind == unknown {
		return value{}, err
	}
	for _, item := range n.items {
		v, err := item.eval(m)
		if err != nil {
			return value{}, err
		}
		if v.kind == unknown {
			continue
		}
		same, err := left.equals(v)
		if err != nil || same {
			return truth(same), err
		}
	}
	return truth(false), nil
}

func (n like) eval(m Message) (value, error) {
	left, err := n.left.eval(m)
	if err != nil {
		return value{}, err
	}
	pattern, err := n.pattern.eval(m)
	if err != nil {
		return value{}, err
	}
	escape := value{kind: text}
	if n.escape != nil {
		if escape, err = n.escape.eval(m); err != nil {
			return value{}, err
		}
	}
	if left.kind == unknown || pattern.kind == unknown || escape.kind == unknown {
		return value{}, nil
	}
	if left.kind != text || pattern.kind != text || escape.kind != text {
		return value{}, evalError("The operands of LIKE are not strings.")
	}
	if n.escape != nil && utf8.RuneCountInString(escape.s) != 1 {
		return value{}, evalError("The escape character of LIKE is not one character.")
	}
	matches, err := matchLike(left.s, pattern.s, escape.s)
	return truth(matches), err
}

// matchLike matches s against a pattern in which % stands for any characters and _ for one
// character. It backtracks to the last % only, so that the product of the lengths bounds the work.
func matchLike(s, pattern, escape string) (bool, error) {
	retryS, retryPattern := "", ""
	retrying := false
	for s != "" || pattern != "" {
		r, size, literal, err := nextLike(pattern, escape)
		if err != nil {
			return false, err
		}
		if size > 0 && r == '%' && !literal {
			pattern = pattern[size:]
			retryS, retryPattern, retrying = s, pattern, true
			continue
		}
		if size > 0 && s != "" {
			have, n := utf8.DecodeRuneInString(s)
			if have == r || r == '_' && !literal {
				s, pattern = s[n:], pattern[size:]
				continue
			}
		}
		if !retrying || retryS == "" {
			return false, nil
		}
		_, n := utf8.DecodeRuneInString(retryS)
		retryS = retryS[n:]
		s, pattern = retryS, retryPattern
	}
	return true, nil
}

// nextLike returns the first character of a pattern, its length including an escape, and whether it was escaped.
func nextLike(pattern, escape string) (r rune, size int, literal bool, err error) {
	if pattern == "" {
		return 0, 0, false, nil
	}
	if escape != "" && strings.HasPrefix(pattern, escape) {
		r, n := utf8.DecodeRuneInString(pattern[len(escape):])
		if n == 0 {
			return 0, 0, false, evalError("The pattern of LIKE ends with its escape character.")
		}
		return r, len(escape) + n, true, nil
	}
	r, size = utf8.DecodeRuneInString(pattern)
	return r, size, false, nil
}
