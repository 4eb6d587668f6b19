package socketiotest

import "testing"

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{`0`, `0`, true},
		{`0`, `01`, false},
		{`0{"sid":"*"}`, `0{"sid":"abc"}`, true},
		{`0{"sid":"*"}`, `0{"sid":"abc"}x`, false},
		{`*`, ``, true},
		{`a*b*c`, `a1b2c`, true},
		{`a*b*c`, `a1c2c`, false},
		{`a*b*`, `ab`, true},
		{`ab*ba`, `aba`, false},
	} {
		if got := match(row.pattern, row.text); got != row.want {
			t.Errorf("match(%q, %q) = %v, want %v", row.pattern, row.text, got, row.want)
		}
	}
}
