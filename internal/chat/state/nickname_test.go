package state

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		{"ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ", "oíouɸoo", Accepted},
		{"세종", "세종", "서丨조ᄋ", Accepted},
		{"\u1109\u1166\u110c\u1169\u11bc", "세종", "서丨조ᄋ", Accepted},
		{"constructor", "constructor", "constructor", Accepted},
		{"👩‍🚀", "👩‍🚀", "👩🚀", Accepted},
		{"❤\ufe0f", "❤\ufe0f", "❤", Accepted},
		{"می\u200cخواهم", "می\u200cخواهم", "مىخوloم", Accepted},
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

func TestSignedInNamesAreShownInFull(t *testing.T) {
	long := strings.Repeat("x", 100) + "@example.com"
	for typed, want := range map[string]string{
		"ann@example.com": "ann@example.com",
		"ann\u202e\x00":   "ann",
		long:              long,
		" a \t b ":        "a b",
		"me":              "me", // a directory may call somebody so
		"\u200b":          "",
	} {
		got := ParseSignedIn(typed)
		if got.Name != want || (got.Key == "") != (want == "") {
			t.Errorf("ParseSignedIn(%q) = %+v, want %q", typed, got, want)
		}
	}
	if one, other := ParseSignedIn(long+"1"), ParseSignedIn(long+"2"); one.Key == other.Key {
		t.Error("two people with long names have one key")
	}
	n := ParseSignedIn(strings.Repeat("\U0001F468\u200d\U0001F469\u200d\U0001F467", 100))
	if len(n.Name) > maxSignedInBytes || !utf8.ValidString(n.Name) {
		t.Errorf("a name of %d bytes, want at most %d", len(n.Name), maxSignedInBytes)
	}
}

func TestNamesThatLookAlikeHaveOneKey(t *testing.T) {
	for _, alike := range [][]string{
		{"Bob", "BOB", "Вob", "Ｂｏｂ", "𝓑𝓸𝓫", "B\u200dob", "Bοb"},
		{"admin 1", "adrnin 1", "аdmin l", "admin I"},
		{"Iris", "lris", "1ris", "IRIS"},
		{"user10", "userlO", "USER1O"},
	} {
		want := keyOf(alike[0])
		for _, name := range alike[1:] {
			if got := keyOf(name); got != want {
				t.Errorf("keyOf(%q) = %q, want %q as of %q", name, got, want, alike[0])
			}
		}
	}
	seen := make(map[string]string)
	for _, name := range []string{"Ann", "Anna", "Zoë", "Zoe", "한국", "한글", "user2", "user3", "user 2", "李", "王"} {
		if other, taken := seen[keyOf(name)]; taken {
			t.Errorf("%q and %q have one key", name, other)
		}
		seen[keyOf(name)] = name
	}
}

func TestVariantHasTheKeyOfItsName(t *testing.T) {
	for n := 2; n < 200; n++ {
		name := fmt.Sprint("Ann ", n)
		if got := keyOf("Ann") + " " + variantKey(n); got != keyOf(name) {
			t.Errorf("key of variant %d = %q, want %q as of %q", n, got, keyOf(name), name)
		}
	}
}

func TestNamesThatMisleadAreRefused(t *testing.T) {
	for _, name := range []string{
		"me", "Me", "ＭＥ", "mе", "(me)", "나", "관리자", "Server", "sуstem", // words of the chat
		"Bob is now Ann", "Ann connected", "Ann and 3 others", "Eve is typing", "밥 님이 들어왔습니다", // notices
		"Bob is nоw Ann", "Ann ｃｏｎｎｅｃｔｅｄ.", "Bob heisst jetzt Ann", "Zoë is typlng", // in other letters
		"du", "Alle", "niemand",
		"\u2800\u2800", "\u3164a", "\u115f", "\U0001D159", "\u00ad", "a\u00adb", // blank
		"\u0301a", "a \u0301b", "Z\u0330\u0325\u0333\u0325", "a\u0330\u0333\U000E0061\u0330\u0333", // marks
		"\U0001F9FF\U000E0001", "\U000E0100", "\uFFF9x", "\U0001F000\U0010FFFF",
	} {
		if n, code := ParseNickname(name, 32); code == Accepted {
			t.Errorf("ParseNickname(%q) = %+v, want it refused", name, n)
		}
	}
	for _, name := range []string{
		"Mel", "Meg", "나비", "Servera", "Leftie", "Andy", "Tim & Tom", "Nguyễn Văn Á", "กู้ชื่อ", "ज़ीं",
		"\U0001FACE", "\U0001FAC6", "\U0001FAE9x", "1\ufe0f\u20e3", "👍🏽", "🏴\U000E0067\U000E0062\U000E007F",
	} {
		if _, code := ParseNickname(name, 32); code != Accepted {
			t.Errorf("ParseNickname(%q) is refused with %v, want it accepted", name, code)
		}
	}
}

// No name reads like what the page says of people or of the reader, in any of the page's languages.
func TestNoNameReadsLikeThePage(t *testing.T) {
	files, err := filepath.Glob("../../../web/page/js/languages/*.js")
	if err != nil || len(files) < 3 {
		t.Fatalf("the page's languages: %v, %v", files, err)
	}
	phrase := regexp.MustCompile(`(?m)^  (you|(?:joined|left|passed|returned|renamed|typing)\w*): '(.*)',$`)
	names := strings.NewReplacer("{nick}", "Bob", "{other}", "Eve", "{was}", "Ann",
		"{a}", "Bob", "{b}", "Eve", "{c}", "Ann", "{n}", "3")
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := phrase.FindAllStringSubmatch(string(source), -1)
		if len(found) < 20 {
			t.Errorf("%s has %d phrases, want all notices", file, len(found))
		}
		for _, match := range found {
			if n, code := ParseNickname(names.Replace(match[2]), 100); code != NameInvalid {
				t.Errorf("%s, %s: ParseNickname(%q) = %q, %v, want it refused", filepath.Base(file), match[1],
					names.Replace(match[2]), n.Name, code)
			}
		}
	}
}

// TestFoldedNamesStay holds the short cut of foldName against the long way, for all names of up to four characters.
func TestFoldedNamesStay(t *testing.T) {
	const alphabet = " \taZ~\x00\x7f\u00e9\u200d"
	folded := 0
	var try func(name string, more int)
	try = func(name string, more int) {
		if isFolded(name) {
			folded++
			if got := fold(name); got != name {
				t.Errorf("%q counts as folded, and is folded to %q", name, got)
			}
		}
		if more == 0 {
			return
		}
		for _, r := range alphabet {
			try(name+string(r), more-1)
		}
	}
	try("", 4)
	if want := 1 + 2 + 4 + 8 + 16; folded < want { // those without a space
		t.Errorf("%d names count as folded, want %d at least", folded, want)
	}
}
