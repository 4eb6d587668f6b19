package state

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxNameBytes limits a nickname however few grapheme clusters it has: one cluster may pile up any number of marks.
const maxNameBytes = 128

// Nickname is a name as it is displayed and as it is compared. The instance that appends a claim computes both, and
// both travel in the log: two versions of the server may know two versions of Unicode.
type Nickname struct {
	_    struct{} `cbor:",toarray"`
	Name string   // trimmed, with single spaces inside, NFC
	Key  string   // the same for names that differ in case only, or in characters that can't be seen
}

// ParseNickname returns the nickname that a user has typed, of at most maxLength grapheme clusters.
func ParseNickname(typed string, maxLength int) (Nickname, Code) {
	if len(typed) > 4*maxNameBytes {
		return Nickname{}, NameTooLong
	}
	name := norm.NFC.String(strings.Join(strings.Fields(strings.ToValidUTF8(typed, "\uFFFD")), " "))
	visible := false
	for _, r := range name {
		if !allowedInName(r) {
			return Nickname{}, NameInvalid
		}
		visible = visible || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
	}
	key := foldName(name)
	if !visible || key == "" {
		return Nickname{}, NameInvalid
	}
	if len(name) > maxNameBytes || len(key) > 2*maxNameBytes || uniseg.GraphemeClusterCount(name) > maxLength {
		return Nickname{}, NameTooLong
	}
	return Nickname{Name: name, Key: key}, Accepted
}

// allowedInName excludes characters that can't be seen or that change others: controls, bidirectional overrides,
// embeddings, isolates and marks, other format characters, unassigned and private code points, and letters that are
// drawn blank. It allows the joiners, which emoji and several scripts need.
func allowedInName(r rune) bool {
	switch {
	case r == zeroWidthJoiner, r == zeroWidthNonJoiner, r == ' ', isEmojiTag(r):
		return true
	case r == utf8.RuneError, unicode.In(r, unicode.C, unicode.Z, unicode.Noncharacter_Code_Point):
		return false
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x2800, r == 0x3164, r == 0xFFA0:
		return false // grapheme joiner, Hangul fillers, Khmer inherent vowels, blank Braille
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

// isEmojiTag reports whether r is a tag character, as in the flags of Scotland and Wales.
func isEmojiTag(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }

// foldName maps names that people would take for the same to one key: case folded, without joiners and variation
// selectors.
func foldName(name string) string {
	folded := cases.Fold().String(name)
	folded = strings.Map(func(r rune) rune {
		switch {
		case r == zeroWidthJoiner, r == zeroWidthNonJoiner, isEmojiTag(r), unicode.Is(unicode.Variation_Selector, r):
			return -1
		}
		return r
	}, folded)
	return strings.Join(strings.Fields(norm.NFC.String(folded)), " ")
}

// TrimName makes a legal nickname of a name that nobody has typed: it drops illegal characters, and cuts the rest to
// maxLength grapheme clusters. The result is empty, or ParseNickname accepts it if it has a visible character.
func TrimName(name string, maxLength int) string {
	legal := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case allowedInName(r):
			return r
		}
		return -1
	}, name)
	legal = strings.Join(strings.Fields(legal), " ")
	end := 0
	for graphemes, n := uniseg.NewGraphemes(legal), 0; n < maxLength && graphemes.Next(); n++ {
		if _, to := graphemes.Positions(); to <= maxNameBytes {
			end = to
		}
	}
	return legal[:end]
}

// IsVariantOf reports whether a nickname is another one, or one of its variants, such as "Ann 2" of "Ann".
func (n Nickname) IsVariantOf(other Nickname) bool {
	rest, found := strings.CutPrefix(n.Key, other.Key)
	return found && strings.Trim(rest, " 0123456789") == ""
}

// ParseRoom returns the name of the room that a user has typed. Rooms are known by their folded name alone.
func ParseRoom(typed string, maxLength int) (string, Code) {
	n, code := ParseNickname(typed, maxLength)
	if code != Accepted || len(n.Key) > maxNameBytes {
		return "", RoomInvalid
	}
	return n.Key, Accepted
}

// ParseText checks the text of a message. maxLength counts grapheme clusters; negative: maxBytes alone limits it. What
// is too long costs no more than what is just not.
func ParseText(typed string, maxLength, maxBytes int) (string, Code) {
	if len(typed) > maxBytes {
		return "", TooLong
	}
	text := strings.ToValidUTF8(typed, "\uFFFD")
	switch {
	case strings.TrimSpace(text) == "":
		return "", Empty
	case len(text) > maxBytes, maxLength >= 0 && longerThan(text, maxLength):
		return "", TooLong
	}
	return text, Accepted
}

// longerThan reports whether a text has more grapheme clusters than n. A cluster has at least one code point.
func longerThan(text string, n int) bool {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return false
	}
	for state := -1; text != ""; n-- {
		if n == 0 {
			return true
		}
		_, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
	}
	return false
}
