package sqlfilter

import (
	"strconv"
	"strings"
)

// value parses an expression that is not a predicate.
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
	// the only integer whose positive counterpart does not fit
	if op == '-' && p.tok.kind == tokenInteger && p.tok.text == "9223372036854775808" {
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

// property parses [scope.]name.
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
