package state

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestQueriesFoldWhatPeopleType(t *testing.T) {
	for _, test := range []struct {
		query, text string
		want        bool
	}{
		{"hello", "Say HELLO, world", true},
		{"world say", "Say HELLO, world", true},
		{"hello moon", "Say HELLO, world", false},
		{"straße", "STRASSE", true},
		{"É", "cafe\u0301", true},
		{"e", "É", false},
		{"ﬁne １２３", "Fine 123", true},
		{"안녕", "여러분 안녕하세요", true},
		{norm.NFD.String("안녕"), "여러분 안녕하세요", true},
		{"안녕", norm.NFD.String("여러분 안녕하세요"), true},
		{"안냥", "여러분 안녕하세요", false},
		{"ﾊﾝｶｸ", "半角 ハンカク", true},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{"ПРИВЕТ", "привет", true},
	} {
		q, code := ParseQuery(test.query)
		if code != Accepted {
			t.Fatalf("ParseQuery(%q) = %v", test.query, code)
		}
		if got := q.Matches(&Line{From: "Ann", Text: test.text}); got != test.want {
			t.Errorf("%q finds %q: %v, want %v", test.query, test.text, got, test.want)
		}
	}
	q, _ := ParseQuery("ann")
	if q.Matches(&Line{Kind: JoinLine, From: "Ann", Text: "ann"}) || q.Matches(&Line{Text: "ann"}) {
		t.Error("a query finds what is no message, or forgotten")
	}
	for typed, want := range map[string]Code{"": Empty, " \u3000": Empty, strings.Repeat("x", MaxQuery+1): TooLong} {
		if _, code := ParseQuery(typed); code != want {
			t.Errorf("ParseQuery(%q) = %v, want %v", typed, code, want)
		}
	}
}
