package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestFindPlaceholders(t *testing.T) {
	for _, row := range []struct {
		text string
		want string // "num@text" of each
		err  error
	}{
		{`["a",{"_placeholder":true,"num":0}]`, `[0@{"_placeholder":true,"num":0}]`, nil},
		{`["a",{"num":1,"_placeholder":true},{"_placeholder":true,"num":0}]`,
			`[1@{"num":1,"_placeholder":true} 0@{"_placeholder":true,"num":0}]`, nil},
		{`["a",{"b":[1,{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]`,
			`[1@{"_placeholder":true,"num":1} 0@{"_placeholder":true,"num":0}]`, nil},
		{`["a",{ "_placeholder" : true , "num" : 1 }]`, `[1@{ "_placeholder" : true , "num" : 1 }]`, nil},
		{`["a",{"\u005fplaceholder":true,"num":0}]`, `[0@{"\u005fplaceholder":true,"num":0}]`, nil},
		{`["a",{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":1}}]`,
			`[0@{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":1}}]`, nil},
		{`["a",{"_placeholder":false,"num":7},{"_placeholder":"true"},{"num":7},{"_placeholder":1}]`, `[]`, nil},
		{`["a",{"_placeholder":true,"_placeholder":false}]`, `[]`, nil},
		{`["a","_placeholder","num",{"x":"_placeholder"}]`, `[]`, nil},
		{`["a",{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":0}}]`,
			`[0@{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":0}}]`, nil},
		{`["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":2}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":-1}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":0.5}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":1e0}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":"0"}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":null}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":0,"num":9}]`, ``, errPlaceholder},
		{`["a",{"_placeholder":true,"num":99999999999999999999}]`, ``, errPlaceholder},
	} {
		found, err := findPlaceholders([]byte(row.text), 2, nil)
		if !errors.Is(err, row.err) {
			t.Errorf("findPlaceholders(%s) = %v, want %v", row.text, err, row.err)
			continue
		}
		if row.err != nil {
			continue
		}
		got := []string{}
		for _, p := range found {
			got = append(got, fmt.Sprintf("%d@%s", p.num, p.of([]byte(row.text))))
		}
		if fmt.Sprint(got) != row.want {
			t.Errorf("findPlaceholders(%s) = %s, want %s", row.text, got, row.want)
		}
	}
}

// FuzzPlaceholders checks on any valid JSON array: placeholders are found in order, do not overlap, are
// what they are said to be, and taking something else in their stead leaves valid JSON.
func FuzzPlaceholders(f *testing.F) {
	f.Add([]byte(`["a",{"_placeholder":true,"num":0}]`))
	f.Add([]byte(`["a",{"b":[1,{"_placeholder":true,"num":0}]},{"num":1,"_placeholder":true}]`))
	f.Add([]byte(`["a",{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":1}}]`))
	f.Add([]byte(`["a",{"_\u0070laceholder":true,"num":0}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := scanArray(text, &wide, nil); err != nil {
			return
		}
		found, err := findPlaceholders(text, 2, nil)
		if err != nil {
			return
		}
		var replaced []byte
		from := uint32(0)
		for _, p := range found {
			if p.start < from {
				t.Fatalf("findPlaceholders(%q) = %v: out of order", text, found)
			}
			members := map[string]any{}
			if err := json.Unmarshal(p.of(text), &members); err != nil {
				t.Fatalf("placeholder %q: %v", p.of(text), err)
			}
			if members["_placeholder"] != true || members["num"] != float64(p.num) {
				t.Fatalf("%q is taken for placeholder %d", p.of(text), p.num)
			}
			replaced = append(append(replaced, text[from:p.start]...), `null`...)
			from = p.end
		}
		replaced = append(replaced, text[from:]...)
		if !json.Valid(replaced) {
			t.Fatalf("%q without its placeholders is %q, not JSON", text, replaced)
		}
	})
}
