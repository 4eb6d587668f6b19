package sqlfilter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// parser is a recursive-descent parser with one token of lookahead.
type parser struct {
	lexer
	tok        token
	parameters map[string]value
}

func newParser(text string, parameters map[string]any) (*parser, error) {
	p := &parser{lexer: lexer{text: text}}
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return nil, &SyntaxError{Detail: fmt.Sprintf("the expression has %d characters, more than the limit of %d", n,
			MaxLength)}
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

// take consumes the keyword if it is next, and reports whether it was.
func (p *parser) take(word string) (bool, error) {
	if !p.tok.keyword(word) {
		return false, nil
	}
	return true, p.advance()
}

// predicate parses a whole condition, which must not be only a value.
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

func (p *parser) binaryPredicate(word string, depth int, operand func(int) (node, error),
	join func(a, b node) node) (node, error) {
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

// statement parses SET property = value or REMOVE property.
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
