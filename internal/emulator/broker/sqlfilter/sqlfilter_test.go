package sqlfilter

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

// message is a Message, and an Editor, over two maps.
type message struct {
	user, system map[string]any
}

func (m message) User(name string) (any, bool) {
	for k, v := range m.user {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}
func (m message) System(name string) (any, bool) { v, ok := m.system[name]; return v, ok }
func (m message) NewID() any                     { return [16]byte{1} }
func (m message) SetUser(name string, v any)     { m.user[name] = v }
func (m message) RemoveUser(name string)         { delete(m.user, name) }
func (m message) SetSystem(name string, v any) error {
	if _, ok := m.system[name]; !ok {
		return errors.New("no such property")
	}
	m.system[name] = v
	return nil
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func sample() message {
	return message{
		user: map[string]any{
			"color": "blue", "quantity": int32(10), "price": 2.5, "big": int64(1) << 40, "flag": true, "empty": nil,
			"when": noon, "later": noon.Add(time.Hour), "name with space": "x", "it's": "quoted", "bytes": []byte("b"),
			"id": [16]byte{1}, "percent": "100%", "path": `a\b`, "unsigned": uint64(1<<64 - 1), "ünï": "ä",
		},
		system: map[string]any{"label": "bus stop", "to": nil, "messageid": "m1"},
	}
}

// conditions and their values for sample: T, F, U for unknown, E for an evaluation error.
var conditions = []struct {
	text string
	want string
}{
	{"1=1", "T"}, {"1 = 2", "F"}, {"color = 'blue'", "T"}, {"COLOR='blue'", "T"}, {"color='Blue'", "F"},
	{"user.color = 'blue'", "T"}, {"USER.color <> 'red'", "T"}, {"color != 'blue'", "F"},
	{"missing = 'x'", "U"}, {"missing <> 'x'", "U"}, {"NOT missing = 'x'", "U"}, {"empty = 1", "U"},
	{"color = NULL", "U"},
	{"missing IS NULL", "T"}, {"empty IS NULL", "T"}, {"color IS NULL", "F"}, {"color is not null", "T"},
	{"empty IS NOT NULL", "F"},
	{"missing IS NULL OR missing <> 'me'", "T"}, {"color IS NULL OR color <> 'me'", "T"},
	{"EXISTS(color)", "T"}, {"EXISTS(missing)", "F"}, {"exists ( empty )", "T"}, {"NOT EXISTS(missing)", "T"},
	{"EXISTS(sys.Label)", "T"}, {"EXISTS(sys.Nothing)", "E"},
	// The two truth tables of the documentation.
	{"1=1 AND 1=1", "T"}, {"1=1 AND 1=2", "F"}, {"1=1 AND missing=1", "U"}, {"1=2 AND missing=1", "F"},
	{"missing=1 AND 1=1", "U"},
	{"missing=1 AND 1=2", "F"}, {"missing=1 AND missing=2", "U"}, {"1=2 AND 1=2", "F"},
	{"1=1 OR 1=2", "T"}, {"1=2 OR 1=2", "F"}, {"1=1 OR missing=1", "T"}, {"missing=1 OR 1=1", "T"},
	{"missing=1 OR 1=2", "U"},
	{"1=2 OR missing=1", "U"}, {"missing=1 OR missing=1", "U"},
	// Binding.
	{"1=1 OR 1=1 AND 1=2", "T"}, {"(1=1 OR 1=1) AND 1=2", "F"}, {"NOT 1=2 AND 1=1", "T"}, {"NOT (1=2 OR 1=1)", "F"},
	{"NOT NOT 1=1", "T"},
	{"1+2*3 = 7", "T"}, {"(1+2)*3 = 9", "T"}, {"10-4-3 = 3", "T"}, {"7/2 = 3", "T"}, {"7%4 = 3", "T"},
	{"7.0/2 = 3.5", "T"}, {"-3 + 5 = 2", "T"},
	{"- -3 = 3", "T"}, {"+3 = 3", "T"}, {"2*-3 = -6", "T"},
	// Numbers.
	{"quantity = 10", "T"}, {"quantity > 9.5", "T"}, {"quantity >= 10", "T"}, {"quantity < 10", "F"},
	{"quantity <= 10", "T"}, {"quantity/3 = 3", "T"},
	{"price = 2.5", "T"}, {"price * 2 = 5", "T"}, {"price = 25E-1", "T"}, {"101.5E5 = 10150000", "T"},
	{".5 = 0.5", "T"}, {"5. = 5", "T"},
	{"big = 1099511627776", "T"}, {"-9223372036854775808 < 0", "T"}, {"unsigned > 9223372036854775807", "T"},
	{"1.0/0 > 1", "T"},
	{"quantity = price*4", "T"}, {"missing + 1 = 2", "U"}, {"-missing = 1", "U"}, {"1/0 = 1", "E"}, {"1%0 = 1", "E"},
	// Text.
	{"color + 'bird' = 'bluebird'", "T"}, {"'a' + 5 = 'a5'", "T"}, {"'quoted' = \"it's\"", "T"},
	{"'it''s' = 'it' + '''s'", "T"}, {"color < 'cyan'", "T"}, {"color > 'azure'", "T"},
	{"[name with space] = 'x'", "T"}, {"\"name with space\" = 'x'", "T"}, {"[it's] = 'quoted'", "T"},
	{"user.[name with space] = 'x'", "T"},
	{"ünï = 'ä'", "T"}, {"ÜNÏ = 'ä'", "T"}, {"'' = ''", "T"},
	{"color = 5", "E"}, {"color > 5", "E"}, {"flag = 'true'", "E"}, {"color - 'a' = 'b'", "E"}, {"-color = 'x'", "E"},
	{"flag = TRUE", "T"}, {"flag = false", "F"}, {"flag <> FALSE", "T"}, {"flag > false", "E"},
	// LIKE.
	{"color LIKE 'bl%'", "T"}, {"color LIKE '%u_'", "T"}, {"color LIKE 'blue'", "T"}, {"color LIKE 'b'", "F"},
	{"color LIKE '%'", "T"}, {"color like '____'", "T"},
	{"color LIKE '_____'", "F"}, {"color LIKE ''", "F"}, {"'' LIKE '%'", "T"}, {"'' LIKE ''", "T"},
	{"color LIKE '%b%l%u%e%'", "T"}, {"color LIKE '%e%b'", "F"},
	{"color NOT LIKE 'r%'", "T"}, {"missing LIKE 'a'", "U"}, {"missing NOT LIKE 'a'", "U"}, {"color LIKE missing", "U"},
	{`percent LIKE '100\%' ESCAPE '\'`, "T"}, {`color LIKE 'blu\%' ESCAPE '\'`, "F"},
	{`path LIKE 'a\\b' ESCAPE '\'`, "T"}, {`path LIKE 'a\b'`, "T"},
	{"percent LIKE '%!%' ESCAPE '!'", "T"}, {"color LIKE 'a!' ESCAPE '!'", "F"}, {"'a' LIKE 'a!' ESCAPE '!'", "E"},
	{"color LIKE 'a' ESCAPE 'ab'", "E"}, {"quantity LIKE '1%'", "E"},
	{"color LIKE 'a' ESCAPE missing", "U"}, {"ünï LIKE '_'", "T"},
	// IN.
	{"color IN ('red', 'blue')", "T"}, {"color IN ('red')", "F"}, {"color NOT IN ('red')", "T"},
	{"missing IN ('a')", "U"}, {"missing NOT IN ('a')", "U"},
	{"color IN (missing, 'blue')", "T"}, {"color IN (missing)", "F"}, {"quantity IN (1+9)", "T"}, {"color IN (1)", "E"},
	// System properties.
	{"sys.Label = 'bus stop'", "T"}, {"SYS.LABEL LIKE '%bus%'", "T"}, {"sys.To = 'x'", "U"}, {"sys.To IS NULL", "T"},
	{"sys.Nothing = 1", "E"},
	{"sys.Nothing IS NULL", "E"}, {"sys.To IN ('a') OR color = 'blue'", "T"}, {"1=1 OR sys.Nothing = 1", "T"},
	{"sys.Nothing = 1 OR 1=1", "E"},
	// Functions.
	{"property('color') = 'blue'", "T"}, {"p('col' + 'or') = 'blue'", "T"}, {"p('sys.label') = 'bus stop'", "T"},
	{"p('user.color') = 'blue'", "T"}, {"p(missing) = 1", "U"},
	{"p(5) = 1", "E"}, {"newid() = id", "T"}, {"p('missing') = 1", "U"},
	// Parameters and times.
	{"color = @Color", "T"}, {"quantity = @ten", "T"}, {"when < @after", "T"}, {"later - when <= @hour", "T"},
	{"(later-when) <= @hour", "T"}, {"when + @hour = later", "T"},
	{"later - @hour = when", "T"}, {"@hour + @hour > @hour", "T"}, {"-@hour < @hour", "T"}, {"when = @hour", "E"},
	{"when + when = when", "E"},
	{"bytes = bytes", "E"}, {"id = id", "T"}, {"id = 'x'", "E"}, {"id > id", "E"},
}

var parameters = map[string]any{"@color": "blue", "ten": 10, "@after": noon.Add(time.Minute), "@hour": time.Hour}

func TestConditionsEvaluate(t *testing.T) {
	for _, c := range conditions {
		f, err := Parse(c.text, parameters)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		v, err := f.root.eval(sample())
		got := "U"
		switch {
		case err != nil:
			got = "E"
		case v.isTrue():
			got = "T"
		case v.isFalse():
			got = "F"
		}
		if got != c.want {
			t.Errorf("%q is %s (%v), want %s", c.text, got, err, c.want)
		}
		if matches, err := f.Matches(sample()); matches != (c.want == "T") || (err != nil) != (c.want == "E") {
			t.Errorf("Matches of %q = %t, %v", c.text, matches, err)
		}
	}
}

var malformed = []struct {
	text   string
	column int
	token  string
}{
	{"", 0, ""}, {"color", 0, "color"}, {"1", 0, "1"}, {"TRUE", 0, "TRUE"}, {"color =", 7, ""}, {"= 1", 0, "="},
	{"1=1 1=1", 4, "1"}, {"1=1 AND", 7, ""}, {"1=1 AND color", 8, "color"},
	{"NOT color", 4, "color"}, {"(1=1", 4, ""}, {"1=1)", 3, ")"}, {"color = 'x", 8, "'x"}, {"[x = 1", 0, "[x = 1"},
	{"[] = 1", 0, "[]"}, {"a.b = 1", 0, "a"}, {"sys. = 1", 5, "="}, {"sys = 1 . 2", 8, "."},
	{"5 IS NULL", 2, "IS"}, {"(a) IS NULL", 4, "IS"}, {"a IS 5", 5, "5"}, {"a IN ()", 6, ")"}, {"a IN 1", 5, "1"},
	{"a NOT = 1", 6, "="}, {"a = @nothing", 4, "@nothing"}, {"a = @", 4, "@"},
	{"a = 9223372036854775808", 4, "9223372036854775808"}, {"a = 1E", 4, "1E"}, {"a = 1E999", 4, "1E999"},
	{"a = (b = c)", 4, "("}, {"(a = 1) + 1 = 2", 8, "+"}, {"1 + (a = 1) = 2", 4, "("}, {"-(a=1) = 1", 1, "("},
	{"a = foo(1)", 4, "foo"}, {"a = newid(1)", 10, "1"}, {"EXISTS(1)", 7, "1"}, {"EXISTS color", 7, "color"},
	{"a ~ 1", 2, "~"}, {"a = b = c", 6, "="}, {"and = 1", 0, "and"}, {"_a = 1", 0, "_"}, {"ä = ~", 4, "~"},
	{"(a = 1) = 1", 8, "="}, {"a LIKE", 6, ""}, {"a = 1; b = 2", 5, ";"}, {"a = \xff", 4, ""},
}

func TestSyntaxErrorsNameTheToken(t *testing.T) {
	for _, c := range malformed {
		_, err := Parse(c.text, parameters)
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || syntax.Column != c.column || syntax.Token != c.token {
			t.Errorf("Parse(%q) = %v, want an error at column %d, token %q", c.text, err, c.column, c.token)
		}
	}
	want := "There was an error parsing the SQL expression. [Token line=1, column=0, Token in error=EventType, " +
		"Additional details=syntax error, unexpected 'EventType', expecting SET, or REMOVE]"
	if _, err := ParseAction("EventType", nil); err == nil || err.Error() != want {
		t.Errorf("ParseAction(EventType) = %v, want %s", err, want)
	}
}

func TestExpressionsAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"longest":      {"a = '" + strings.Repeat("x", MaxLength-6) + "'", true},
		"too long":     {"a = '" + strings.Repeat("x", MaxLength-5) + "'", false},
		"runes count":  {"a = '" + strings.Repeat("ä", MaxLength-6) + "'", true},
		"parentheses":  {strings.Repeat("(", 500) + "1=1" + strings.Repeat(")", 500), false},
		"nots":         {strings.Repeat("NOT ", 200) + "1=1", false},
		"minus signs":  {"1 = " + strings.Repeat("- ", 300) + "1", false},
		"shallow":      {strings.Repeat("(", 90) + "1=1" + strings.Repeat(")", 90), true},
		"nested calls": {"1 = " + strings.Repeat("p(", 300) + "'a'" + strings.Repeat(")", 300), false},
	} {
		if _, err := Parse(c.text, nil); (err == nil) != c.ok {
			t.Errorf("%s: Parse gives %v, want success %t", name, err, c.ok)
		}
	}
	if _, err := ParseAction(strings.Repeat("SET a=1;", 32), nil); err != nil {
		t.Errorf("32 statements: %v", err)
	}
	if _, err := ParseAction(strings.Repeat("SET a=1;", 33), nil); err == nil {
		t.Error("33 statements were accepted")
	}
}

func TestActionsChangeProperties(t *testing.T) {
	for _, c := range []struct {
		text   string
		change func(user, system map[string]any)
	}{
		{"SET color = 'red'", func(u, _ map[string]any) { u["color"] = "red" }},
		{"SET new = 5", func(u, _ map[string]any) { u["new"] = int64(5) }},
		{"SET quantity = quantity / 2;", func(u, _ map[string]any) { u["quantity"] = int32(5) }},
		{"SET quantity = 1.5", func(u, _ map[string]any) { u["quantity"] = 1.5 }},
		{"SET price = 3", func(u, _ map[string]any) { u["price"] = 3.0 }},
		{"SET color = 7", func(u, _ map[string]any) { u["color"] = "7" }},
		{"SET color = flag", func(u, _ map[string]any) { u["color"] = "True" }},
		{"REMOVE color", func(u, _ map[string]any) { delete(u, "color") }},
		{"set sys.label = 'x' remove user.color set a = 1",
			func(u, s map[string]any) { s["label"] = "x"; delete(u, "color"); u["a"] = int64(1) }},
		{"SET a = 1; SET b = a + 1; REMOVE a;", func(u, _ map[string]any) { u["b"] = int64(2) }},
		{"REMOVE sys.Label", func(_, s map[string]any) { s["label"] = nil }},
		{"SET x = missing", func(u, _ map[string]any) { u["x"] = nil }},
		{"SET id2 = newid()", func(u, _ map[string]any) { u["id2"] = [16]byte{1} }},
		{"SET gap = later - when", func(u, _ map[string]any) { u["gap"] = time.Hour }},
	} {
		a, err := ParseAction(c.text, nil)
		if err != nil {
			t.Errorf("ParseAction(%q): %v", c.text, err)
			continue
		}
		got, want := sample(), sample()
		if err := a.Apply(got); err != nil {
			t.Errorf("Apply(%q): %v", c.text, err)
			continue
		}
		c.change(want.user, want.system)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after %q: %v, want %v", c.text, got, want)
		}
		if !maps.Equal(got.system, want.system) {
			t.Errorf("after %q: system properties %v, want %v", c.text, got.system, want.system)
		}
	}
	for _, text := range []string{"", ";", "SET", "SET a", "SET a =", "SET a = 1 = 1", "SET a = (b = 1)", "REMOVE",
		"REMOVE 5", "DELETE a", "SET a = 1,", "SET 5 = 1", "SET p('a') = 1"} {
		if _, err := ParseAction(text, nil); err == nil {
			t.Errorf("ParseAction(%q) succeeded", text)
		}
	}
	for _, text := range []string{"SET color = color + color + color + color" +
		strings.Repeat(" SET color = color + color + color + color",
			20), "SET a = 1/0", "SET sys.nothing = 1", "SET a = sys.nothing", "REMOVE sys.nothing"} {
		a, err := ParseAction(text, nil)
		if err != nil {
			t.Fatalf("ParseAction(%q): %v", text, err)
		}
		if err := a.Apply(sample()); err == nil {
			t.Errorf("Apply(%q) succeeded", text)
		}
	}
}

// FuzzParse checks that no text makes parsing or evaluation panic, and that a condition means the
// same in parentheses.
func FuzzParse(f *testing.F) {
	for _, c := range conditions {
		f.Add(c.text)
	}
	for _, c := range malformed {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAction(text, parameters); err == nil {
			_ = a.Apply(sample())
		}
		filter, err := Parse(text, parameters)
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Fatalf("Parse(%q) = %v, not a SyntaxError", text, err)
			}
			return
		}
		matches, evalErr := filter.Matches(sample())
		again, err := Parse("("+text+")", parameters)
		if err != nil {
			return // deeper or longer than allowed
		}
		if m, e := again.Matches(sample()); m != matches || (e == nil) != (evalErr == nil) {
			t.Fatalf("%q is %t, %v; in parentheses %t, %v", text, matches, evalErr, m, e)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	for _, text := range []string{"origin <> 'me'", "origin IS NULL OR origin <> 'me'",
		"color = 'blue' AND quantity > 5", "sys.label LIKE '%bus%'", "color IN ('red','green','blue')"} {
		b.Run(text, func(b *testing.B) {
			f, err := Parse(text, nil)
			if err != nil {
				b.Fatal(err)
			}
			m := message{user: map[string]any{"origin": "you", "color": "blue", "quantity": int32(10)},
				system: map[string]any{"label": "the bus stop"}}
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.Matches(exact{m}); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// exact finds names in their exact letter case, so that the benchmark measures the filter.
type exact struct{ message }

func (m exact) User(name string) (any, bool) { v, ok := m.user[name]; return v, ok }
