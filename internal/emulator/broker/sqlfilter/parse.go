package sqlfilter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser is a recursive descent over the tokens, with one token in hand.
type parser struct {
	lexer
	tok        token
	parameters map[string]value
}

func newParser(text string, parameters map[string]any) (*parser, error) {
	p := &parser{lexer: lexer{text: text}}
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return nil, &SyntaxError{Detail: fmt.Sprintf("the expression has %d characters, more than the limit of %d", n, MaxLength)}
	}
	p.parameters = make(map[string]value, len(parameters))
	for name, v := range parameters {
		p.parameters[strings.ToLower(strings.TrimPrefix(name, "@"))] = valueOf(v)
	}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) errorf(format string, args ...any) error {
	return p.fail(p.tok.start, p.tok.raw, format, args...)
}

func (p *parser) unexpected(want string) error {
	if p.tok.kind == tokenEnd {
		return p.errorf("syntax error, unexpected end of the expression, expecting %s", want)
	}
	return p.errorf("syntax error, unexpected '%s', expecting %s", p.tok.raw, want)
}

func (p *parser) expect(symbol string) error {
	if !p.tok.is(symbol) {
		return p.unexpected("'" + symbol + "'")
	}
	return p.advance()
}

// take skips the keyword if it is next.
func (p *parser) take(word string) (bool, error) {
	if !p.tok.keyword(word) {
		return false, nil
	}
	return true, p.advance()
}

// predicate reads a whole condition, which must not be a mere value.
func (p *parser) predicate(depth int) (node, error) {
	start := p.tok
	n, err := p.disjunction(depth)
	if err != nil {
		return nil, err
	}
	if !isPredicate(n) {
		return nil, p.fail(start.start, start.raw, "syntax error, expecting a predicate instead of a value")
	}
	return n, nil
}

func (p *parser) disjunction(depth int) (node, error) {
	return p.binaryPredicate("OR", depth, p.conjunction, func(a, b node) node { return or{a, b} })
}

func (p *parser) conjunction(depth int) (node, error) {
	return p.binaryPredicate("AND", depth, p.negation, func(a, b node) node { return and{a, b} })
}

func (p *parser) binaryPredicate(word string, depth int, operand func(int) (node, error), join func(a, b node) node) (node, error) {
	left, err := operand(depth)
	if err != nil {
		return nil, err
	}
	for p.tok.keyword(word) {
		if !isPredicate(left) {
			return nil, p.unexpected("an operator")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		start := p.tok
		right, err := operand(depth)
		if err != nil {
			return nil, err
		}
		if !isPredicate(right) {
			return nil, p.fail(start.start, start.raw, "syntax error, expecting a predicate instead of a value")
		}
		left = join(left, right)
	}
	return left, nil
}

func (p *parser) negation(depth int) (node, error) {
	if depth > maxDepth {
		return nil, p.errorf("the expression is nested too deeply")
	}
	negated, err := p.take("NOT")
	if err != nil {
		return nil, err
	}
	if !negated {
		return p.comparison(depth)
	}
	start := p.tok
	operand, err := p.negation(depth + 1)
	if err != nil {
		return nil, err
	}
	if !isPredicate(operand) {
		return nil, p.fail(start.start, start.raw, "syntax error, expecting a predicate instead of a value")
	}
	return not{operand}, nil
}

func (p *parser) comparison(depth int) (node, error) {
	left, err := p.sum(depth)
	if err != nil || isPredicate(left) {
		return left, err
	}
	if p.tok.kind == tokenSymbol {
		switch op := p.tok.text; op {
		case "=", "<>", "!=", "<", "<=", ">", ">=":
			if err := p.advance(); err != nil {
				return nil, err
			}
			right, err := p.value(depth)
			return compare{op, left, right}, err
		}
	}
	if p.tok.keyword("IS") {
		return p.isNull(left)
	}
	negated, err := p.take("NOT")
	if err != nil {
		return nil, err
	}
	var n node
	switch {
	case p.tok.keyword("IN"):
		n, err = p.in(left, depth)
	case p.tok.keyword("LIKE"):
		n, err = p.like(left, depth)
	case negated:
		return nil, p.unexpected("IN or LIKE")
	default:
		return left, nil
	}
	if negated {
		n = not{n}
	}
	return n, err
}

func (p *parser) isNull(left node) (node, error) {
	prop, ok := left.(property)
	if !ok {
		return nil, p.errorf("IS NULL needs a property on its left")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	negated, err := p.take("NOT")
	if err != nil {
		return nil, err
	}
	if !p.tok.keyword("NULL") {
		return nil, p.unexpected("NULL")
	}
	return isNull{prop, negated}, p.advance()
}

func (p *parser) in(left node, depth int) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	n := in{left: left}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
		if !p.tok.is(",") {
			return n, p.expect(")")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) like(left node, depth int) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	pattern, err := p.value(depth)
	if err != nil {
		return nil, err
	}
	n := like{left: left, pattern: pattern}
	escaped, err := p.take("ESCAPE")
	if err != nil || !escaped {
		return n, err
	}
	n.escape, err = p.value(depth)
	return n, err
}

// value reads an expression, which must not be a predicate.
func (p *parser) value(depth int) (node, error) {
	start := p.tok
	n, err := p.sum(depth)
	if err != nil {
		return nil, err
	}
	if isPredicate(n) {
		return nil, p.fail(start.start, start.raw, "syntax error, expecting a value instead of a predicate")
	}
	return n, nil
}

func (p *parser) sum(depth int) (node, error) { return p.operators("+-", depth, p.product) }

func (p *parser) product(depth int) (node, error) { return p.operators("*/%", depth, p.unary) }

func (p *parser) operators(symbols string, depth int, operand func(int) (node, error)) (node, error) {
	left, err := operand(depth)
	if err != nil {
		return nil, err
	}
	for p.tok.kind == tokenSymbol && len(p.tok.text) == 1 && strings.Contains(symbols, p.tok.text) {
		op := p.tok.text[0]
		if isPredicate(left) {
			return nil, p.unexpected("AND or OR")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		start := p.tok
		right, err := operand(depth)
		if err != nil {
			return nil, err
		}
		if isPredicate(right) {
			return nil, p.fail(start.start, start.raw, "syntax error, expecting a value instead of a predicate")
		}
		left = arithmetic{op, left, right}
	}
	return left, nil
}

func (p *parser) unary(depth int) (node, error) {
	if depth > maxDepth {
		return nil, p.errorf("the expression is nested too deeply")
	}
	if !p.tok.is("-") && !p.tok.is("+") {
		return p.primary(depth)
	}
	op := p.tok.text[0]
	if err := p.advance(); err != nil {
		return nil, err
	}
	if op == '-' && p.tok.kind == tokenInteger && p.tok.text == "9223372036854775808" { // the one integer without a positive
		return constant{valueOf(int64(-1 << 63))}, p.advance()
	}
	start := p.tok
	operand, err := p.unary(depth + 1)
	if err != nil {
		return nil, err
	}
	if isPredicate(operand) {
		return nil, p.fail(start.start, start.raw, "syntax error, expecting a value instead of a predicate")
	}
	return sign{op, operand}, nil
}

func (p *parser) primary(depth int) (node, error) {
	t := p.tok
	switch t.kind {
	case tokenString:
		return constant{valueOf(t.text)}, p.advance()
	case tokenInteger:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, p.errorf("the number is too large for 64 bits")
		}
		return constant{valueOf(n)}, p.advance()
	case tokenDouble:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, p.errorf("the number is out of the range of a double")
		}
		return constant{valueOf(f)}, p.advance()
	case tokenParameter:
		v, ok := p.parameters[strings.ToLower(t.text)]
		if !ok {
			return nil, p.errorf("the parameter has no value")
		}
		return constant{v}, p.advance()
	case tokenSymbol:
		if !t.is("(") {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		n, err := p.disjunction(depth + 1)
		if err != nil {
			return nil, err
		}
		return parenthesized(n), p.expect(")")
	case tokenQuoted:
		return p.property()
	case tokenWord:
		return p.wordPrimary(depth)
	}
	return nil, p.unexpected("a value")
}

func (p *parser) wordPrimary(depth int) (node, error) {
	switch strings.ToUpper(p.tok.text) {
	case "TRUE":
		return constant{valueOf(true)}, p.advance()
	case "FALSE":
		return constant{valueOf(false)}, p.advance()
	case "NULL":
		return constant{}, p.advance()
	case "EXISTS":
		return p.exists()
	}
	name, start := p.tok.text, p.tok
	prop, err := p.property()
	if err != nil || !p.tok.is("(") || start.kind != tokenWord || prop.qualified {
		return prop, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch strings.ToLower(name) {
	case "newid":
		return newID{}, p.expect(")")
	case "property", "p":
		argument, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		return propertyCall{argument}, p.expect(")")
	}
	return nil, p.fail(start.start, start.raw, "the function is not known")
}

func (p *parser) exists() (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	prop, err := p.property()
	if err != nil {
		return nil, err
	}
	return exists{prop}, p.expect(")")
}

// property reads [scope.]name.
func (p *parser) property() (property, error) {
	first := p.tok
	if err := p.identifier(); err != nil {
		return property{}, err
	}
	if !p.tok.is(".") {
		return property{name: first.text}, nil
	}
	scope := strings.ToLower(first.text)
	if first.kind != tokenWord || scope != "sys" && scope != "user" {
		return property{}, p.fail(first.start, first.raw, "a scope must be sys or user")
	}
	if err := p.advance(); err != nil {
		return property{}, err
	}
	name := p.tok.text
	if err := p.identifier(); err != nil {
		return property{}, err
	}
	if scope == "sys" {
		return property{name: strings.ToLower(name), system: true, qualified: true}, nil
	}
	return property{name: name, qualified: true}, nil
}

func (p *parser) identifier() error {
	if p.tok.kind == tokenQuoted || p.tok.kind == tokenWord && !reserved[strings.ToUpper(p.tok.text)] {
		return p.advance()
	}
	return p.unexpected("a property")
}

// statement reads SET property = value or REMOVE property.
func (p *parser) statement() (statement, error) {
	set, err := p.take("SET")
	if err != nil {
		return statement{}, err
	}
	if !set {
		if remove, err := p.take("REMOVE"); err != nil || !remove {
			if err == nil {
				err = p.unexpected("SET, or REMOVE")
			}
			return statement{}, err
		}
	}
	target, err := p.property()
	if err != nil || !set {
		return statement{target: target}, err
	}
	if err := p.expect("="); err != nil {
		return statement{}, err
	}
	v, err := p.value(0)
	return statement{target, v}, err
}
