package state

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Query is what somebody searches for in messages: words or parts of words, all of which a message has to contain.
// Case, width and the way in which a character is composed make no difference (NFKC and case folding), so Korean that
// was typed in jamo is found by syllables, and the other way round.
type Query struct{ terms []string }

// MaxQuery is the greatest length of a query's text in bytes.
const MaxQuery = 256

// ParseQuery returns the query that a user has typed.
func ParseQuery(typed string) (Query, Code) {
	if len(typed) > MaxQuery {
		return Query{}, TooLong
	}
	q := Query{terms: strings.Fields(foldText(strings.ToValidUTF8(typed, "\uFFFD")))}
	if len(q.terms) == 0 {
		return Query{}, Empty
	}
	return q, Accepted
}

// Matches reports whether a line is a message that the query finds.
func (q Query) Matches(l *Line) bool {
	if l.Kind != MessageLine || l.Forgotten() {
		return false
	}
	folded := foldText(l.Text)
	for _, term := range q.terms {
		if !strings.Contains(folded, term) {
			return false
		}
	}
	return true
}

// foldText maps texts to one that differ in case, width or composition only.
func foldText(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}
