package state

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

func TestNicknamesAreNormalized(t *testing.T) {
	for _, test := range []struct {
		typed     string
		name, key string
		want      Code
	}{
		{"Ann", "Ann", "ann", Accepted},
		{"  Ann \t Lee\u00a0", "Ann Lee", "ann lee", Accepted},
		{"Jose\u0301", "José", "josé", Accepted},
		{"STRASSE", "STRASSE", "strasse", Accepted},
		{"Straße", "Straße", "strasse", Accepted},
		{"ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ", "σίσυφοσ", Accepted},
		{"세종", "세종", "세종", Accepted},
		{"\u1109\u1166\u110c\u1169\u11bc", "세종", "세종", Accepted},
		{"constructor", "constructor", "constructor", Accepted},
		{"👩‍🚀", "👩‍🚀", "👩🚀", Accepted},
		{"❤\ufe0f", "❤\ufe0f", "❤", Accepted},
		{"می\u200cخواهم", "می\u200cخواهم", "میخواهم", Accepted},
		{"null", "null", "null", Accepted},
		{"", "", "", NameInvalid},
		{" \t ", "", "", NameInvalid},
		{"\u200d", "", "", NameInvalid},
		{"\u3164", "", "", NameInvalid},
		{"\u2800", "", "", NameInvalid},
		{"\u0301", "", "", NameInvalid},
		{"Ann\u200b", "", "", NameInvalid},
		{"Ann\u202eeel", "", "", NameInvalid},
		{"Ann\u2066", "", "", NameInvalid},
		{"A\x00nn", "", "", NameInvalid},
		{"A\x1bnn", "", "", NameInvalid},
		{"Ann\ufeff", "", "", NameInvalid},
		{"A\ue000", "", "", NameInvalid},
		{"A\xffnn", "", "", NameInvalid},
		{strings.Repeat("n", 33), "", "", NameTooLong},
		{strings.Repeat("👩‍🚀", 32), "", "", NameTooLong},          // 32 grapheme clusters, but 352 bytes
		{"Z" + strings.Repeat("\u0328", 70), "", "", NameInvalid}, // NFC breaks up so many marks
		{strings.Repeat("é", 32), strings.Repeat("é", 32), strings.Repeat("é", 32), Accepted},
	} {
		n, code := ParseNickname(test.typed, 32)
		if n.Name != test.name || n.Key != test.key || code != test.want {
			t.Errorf("ParseNickname(%q) = %q, %q, %d, want %q, %q, %d",
				test.typed, n.Name, n.Key, code, test.name, test.key, test.want)
		}
	}
}

func TestTextsAreLimited(t *testing.T) {
	for _, test := range []struct {
		name, typed string
		limit       int
		want        Code
	}{
		{"short", "hi", 2, Accepted},
		{"empty", "", 10, Empty},
		{"white", " \n\t ", 10, Empty},
		{"one too many", "hey", 2, TooLong},
		{"clusters count, not bytes", "👩‍🚀👩‍🚀", 2, Accepted},
		{"one cluster too many", "👩‍🚀👩‍🚀👩‍🚀", 2, TooLong},
		{"no limit", strings.Repeat("x", MaxText), -1, Accepted},
		{"no limit but the log's", strings.Repeat("x", MaxText+1), -1, TooLong},
	} {
		if _, code := ParseText(test.typed, test.limit, MaxText); code != test.want {
			t.Errorf("%s: ParseText(%.20q, %d) = %d, want %d", test.name, test.typed, test.limit, code, test.want)
		}
	}
}

func FuzzNickname(f *testing.F) {
	for _, seed := range []string{"Ann", "Jose\u0301", "👩‍🚀", "\u1109\u1166", "ǅ", "ﬁ", "İ", "ß\u0301", "\u0345a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		n, code := ParseNickname(typed, 32)
		if code != Accepted {
			return
		}
		if len(n.Name) > maxNameBytes || uniseg.GraphemeClusterCount(n.Name) > 32 || n.Key == "" {
			t.Errorf("ParseNickname(%q) = %q, %q, which is too long or empty", typed, n.Name, n.Key)
		}
		// A name that is claimed again as it was granted is the same name.
		again, code := ParseNickname(n.Name, 32)
		if code != Accepted || again != n {
			t.Errorf("ParseNickname(%q) = %+v, and of that name %+v, %d", typed, n, again, code)
		}
		if c, err := DecodeCommand((&Command{Action: &Rename{Name: n.Name, Key: n.Key}}).Encode()); err != nil {
			t.Errorf("DecodeCommand of %+v: %v", c, err)
		}
	})
}

func TestTrimmedNameIsLegal(t *testing.T) {
	for typed, want := range map[string]string{
		"ann@example.com":        "ann@example.com",
		"ann\u202e\x00":          "ann",
		strings.Repeat("x", 100): strings.Repeat("x", 32),
		" a \t b ":               "a b",
		strings.Repeat("\U0001F468\u200d\U0001F469\u200d\U0001F467", 40): "",
	} {
		got := TrimName(typed, 32)
		if !utf8.ValidString(got) || want != "" && got != want {
			t.Errorf("TrimName(%q) = %q, want %q", typed, got, want)
		}
		if _, code := ParseNickname(got, 32); code != Accepted {
			t.Errorf("TrimName(%q) = %q, which is refused: %v", typed, got, code)
		}
	}
}
