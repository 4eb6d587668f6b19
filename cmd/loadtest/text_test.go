package main

import (
	"strings"
	"testing"
)

func TestTextRoundTrip(t *testing.T) {
	letters := filling(64)
	want := stamp{run: 0xbeef, sender: 0xfffff, seq: 0xffffffff, at: 0xffffffffffff}
	for _, s := range []stamp{{}, {run: 1, sender: 2, seq: 3, at: 4}, want} {
		text := appendText(nil, s, letters)
		if len(text) != 64 {
			t.Errorf("appendText makes %d bytes, want 64", len(text))
		}
		got, ours, ok := parseText(text, letters)
		if got != s || !ours || !ok {
			t.Errorf("parseText(%q) = %+v, %v, %v; want %+v", text, got, ours, ok, s)
		}
	}
}

func TestParseTextTellsDamageFromStrangers(t *testing.T) {
	letters := filling(64)
	text := string(appendText(nil, stamp{run: 7, sender: 1, seq: 2, at: 3}, letters))
	tests := []struct {
		name, text string
		ours, ok   bool
	}{
		{"whole", text, true, true},
		{"cut", text[:63], true, false},
		{"longer", text + "x", true, false},
		{"a letter changed", strings.Replace(text, "q", "Q", 1), true, false},
		{"a digit changed to none", text[:10] + "g" + text[11:], false, false},
		{"somebody's words", "hello, is anybody here who knows how this works?", false, false},
		{"short", "hi", false, false},
		{"empty", "", false, false},
	}
	for _, test := range tests {
		if _, ours, ok := parseText([]byte(test.text), letters); ours != test.ours || ok != test.ok {
			t.Errorf("%s: parseText(%q) = %v, %v; want %v, %v", test.name, test.text, ours, ok, test.ours, test.ok)
		}
	}
}

func FuzzParseText(f *testing.F) {
	letters := filling(40)
	f.Add(appendText(nil, stamp{run: 7, sender: 1, seq: 2, at: 3}, letters))
	f.Add([]byte("lt"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _, ok := parseText(text, letters)
		if !ok {
			return
		}
		if again := appendText(nil, s, letters); string(again) != string(text) {
			t.Fatalf("parseText(%q) = %+v, which is written %q", text, s, again)
		}
	})
}
