package chat

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

func TestNicknames(t *testing.T) {
	for _, test := range []struct {
		typed     string
		name, key string
		code      code
	}{
		{"Ann", "Ann", "ann", accepted},
		{"  Ann \t Lee\u00a0", "Ann Lee", "ann lee", accepted},
		{"Jose\u0301", "José", "josé", accepted},
		{"STRASSE", "STRASSE", "strasse", accepted},
		{"Straße", "Straße", "strasse", accepted},
		{"ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ", "σίσυφοσ", accepted},
		{"세종", "세종", "세종", accepted},
		{"\u1109\u1166\u110c\u1169\u11bc", "세종", "세종", accepted},
		{"constructor", "constructor", "constructor", accepted},
		{"👩‍🚀", "👩‍🚀", "👩🚀", accepted},
		{"❤\ufe0f", "❤\ufe0f", "❤", accepted},
		{"می\u200cخواهم", "می\u200cخواهم", "میخواهم", accepted},
		{"null", "null", "null", accepted},
		{"", "", "", nameInvalid},
		{" \t ", "", "", nameInvalid},
		{"\u200d", "", "", nameInvalid},
		{"\u3164", "", "", nameInvalid},
		{"\u2800", "", "", nameInvalid},
		{"\u0301", "", "", nameInvalid},
		{"Ann\u200b", "", "", nameInvalid},
		{"Ann\u202eeel", "", "", nameInvalid},
		{"Ann\u2066", "", "", nameInvalid},
		{"A\x00nn", "", "", nameInvalid},
		{"A\x1bnn", "", "", nameInvalid},
		{"Ann\ufeff", "", "", nameInvalid},
		{"A\ue000", "", "", nameInvalid},
		{"A\xffnn", "", "", nameInvalid},
		{strings.Repeat("n", 33), "", "", nameTooLong},
		{strings.Repeat("👩‍🚀", 32), "", "", nameTooLong},          // 32 grapheme clusters, but 352 bytes
		{"Z" + strings.Repeat("\u0328", 70), "", "", nameInvalid}, // NFC breaks up so many marks
		{strings.Repeat("é", 32), strings.Repeat("é", 32), strings.Repeat("é", 32), accepted},
	} {
		n, why := parseNickname(test.typed, 32)
		if n.name != test.name || n.key != test.key || why != test.code {
			t.Errorf("parseNickname(%q) = %q, %q, %d, want %q, %q, %d", test.typed, n.name, n.key, why, test.name, test.key, test.code)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, test := range []struct {
		name, typed string
		limit       int
		code        code
	}{
		{"plain", "hi", 2, accepted},
		{"empty", "", 10, empty},
		{"white", " \n\t ", 10, empty},
		{"one too many", "hey", 2, tooLong},
		{"clusters count, not bytes", "👩‍🚀👩‍🚀", 2, accepted},
		{"one cluster too many", "👩‍🚀👩‍🚀👩‍🚀", 2, tooLong},
		{"no limit", strings.Repeat("x", maxText), -1, accepted},
		{"no limit but the log's", strings.Repeat("x", maxText+1), -1, tooLong},
	} {
		if _, why := parseText(test.typed, test.limit); why != test.code {
			t.Errorf("%s: parseText(%.20q, %d) = %d, want %d", test.name, test.typed, test.limit, why, test.code)
		}
	}
}

func FuzzNickname(f *testing.F) {
	for _, seed := range []string{"Ann", "Jose\u0301", "👩‍🚀", "\u1109\u1166", "ǅ", "ﬁ", "İ", "ß\u0301", "\u0345a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		n, why := parseNickname(typed, 32)
		if why != accepted {
			return
		}
		if len(n.name) > maxNameBytes || uniseg.GraphemeClusterCount(n.name) > 32 || n.key == "" {
			t.Errorf("parseNickname(%q) = %q, %q, which is too long or empty", typed, n.name, n.key)
		}
		// A name that is claimed again as it was granted is the same name.
		again, why := parseNickname(n.name, 32)
		if why != accepted || again != n {
			t.Errorf("parseNickname(%q) = %+v, and of that name %+v, %d", typed, n, again, why)
		}
		if c, err := decodeCommand((&command{Kind: renameUser, Name: n.name, Key: n.key}).encode()); err != nil {
			t.Errorf("decodeCommand of %+v: %v", c, err)
		}
	})
}
