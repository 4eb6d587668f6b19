package sqlfilter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError describes a syntax error in a filter or an action.
type SyntaxError struct {
	Column int    // of the token, in characters from 0
	Token  string // the token in error; empty at the end of the text
	Detail string
}

// Error returns a text in the form of the service's.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("There was an error parsing the SQL expression. [Token line=1, column=%d, Token in "+
		"error=%s, Additional details=%s]",
		e.Column, e.Token, e.Detail)
}

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a keyword or a regular identifier
	tokenQuoted           // [delimited] or "quoted" identifier; text is unescaped
	tokenString           // text is unescaped
	tokenInteger
	tokenDouble
	tokenParameter // @name; text is without the sign
	tokenSymbol
)

type token struct {
	kind  tokenKind
	text  string
	raw   string // as written
	start int    // byte offset
}

func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// keyword reports whether t is the given keyword, which must be in upper case.
func (t token) keyword(word string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, word)
}

var reserved = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "IS": true, "NULL": true, "IN": true, "LIKE": true, "ESCAPE": true,
	"EXISTS": true, "TRUE": true, "FALSE": true, "SET": true, "REMOVE": true,
}

// lexer splits text into tokens.
type lexer struct {
	text string
	pos  int
}

func (l *lexer) fail(start int, token, format string, args ...any) *SyntaxError {
	return &SyntaxError{Column: utf8.RuneCountInString(l.text[:start]), Token: token,
		Detail: fmt.Sprintf(format, args...)}
}

func (l *lexer) next() (token, error) {
	l.pos += len(l.text[l.pos:]) - len(strings.TrimLeftFunc(l.text[l.pos:], unicode.IsSpace))
	start := l.pos
	if start == len(l.text) {
		return token{kind: tokenEnd, start: start}, nil
	}
	r, size := utf8.DecodeRuneInString(l.text[start:])
	switch {
	case r == utf8.RuneError && size == 1:
		return token{}, l.fail(start, "", "the text is not valid UTF-8")
	case unicode.IsLetter(r):
		return l.word(tokenWord, start), nil
	case isDigit(r), r == '.' && start+1 < len(l.text) && isDigit(rune(l.text[start+1])):
		return l.number(start)
	case r == '\'':
		return l.delimited(tokenString, '\'', start)
	case r == '"':
		return l.delimited(tokenQuoted, '"', start)
	case r == '[':
		return l.delimited(tokenQuoted, ']', start)
	case r == '@':
		l.pos++
		t := l.word(tokenParameter, l.pos)
		if t.text == "" {
			return token{}, l.fail(start, "@", "a parameter has no name")
		}
		t.start, t.raw = start, l.text[start:l.pos]
		return t, nil
	}
	for _, symbol := range []string{"<>", "<=", ">=", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",",
		".", ";"} {
		if strings.HasPrefix(l.text[start:], symbol) {
			l.pos += len(symbol)
			return token{kind: tokenSymbol, text: symbol, raw: symbol, start: start}, nil
		}
	}
	return token{}, l.fail(start, string(r), "Unrecognized character. '%c'", r)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func (l *lexer) word(kind tokenKind, start int) token {
	end := start
	for end < len(l.text) {
		r, size := utf8.DecodeRuneInString(l.text[end:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		end += size
	}
	l.pos = end
	return token{kind: kind, text: l.text[start:end], raw: l.text[start:end], start: start}
}

func (l *lexer) number(start int) (token, error) {
	kind := tokenInteger
	digits := func() {
		for l.pos < len(l.text) && isDigit(rune(l.text[l.pos])) {
			l.pos++
		}
	}
	digits()
	if l.pos < len(l.text) && l.text[l.pos] == '.' {
		kind = tokenDouble
		l.pos++
		digits()
	}
	if l.pos < len(l.text) && (l.text[l.pos] == 'e' || l.text[l.pos] == 'E') {
		kind = tokenDouble
		l.pos++
		if l.pos < len(l.text) && (l.text[l.pos] == '+' || l.text[l.pos] == '-') {
			l.pos++
		}
		if l.pos == len(l.text) || !isDigit(rune(l.text[l.pos])) {
			return token{}, l.fail(start, l.text[start:l.pos], "a number has no exponent after E")
		}
		digits()
	}
	return token{kind: kind, text: l.text[start:l.pos], raw: l.text[start:l.pos], start: start}, nil
}

// delimited reads up to the closing character. A doubled closing character stands for itself.
func (l *lexer) delimited(kind tokenKind, closing byte, start int) (token, error) {
	var text strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		if l.text[i] != closing {
			text.WriteByte(l.text[i])
			continue
		}
		if i+1 < len(l.text) && l.text[i+1] == closing {
			text.WriteByte(closing)
			i++
			continue
		}
		l.pos = i + 1
		if kind == tokenQuoted && text.Len() == 0 {
			return token{}, l.fail(start, l.text[start:l.pos], "a property has no name")
		}
		return token{kind: kind, text: text.String(), raw: l.text[start:l.pos], start: start}, nil
	}
	return token{}, l.fail(start, l.text[start:], "%c is missing", closing)
}
