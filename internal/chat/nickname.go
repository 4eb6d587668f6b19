package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxNameBytes bounds a nickname however few its grapheme clusters are: one cluster may pile up any number of marks.
const maxNameBytes = 128

// nickname is a name as it is shown and as it is compared. Both are computed where it is claimed and travel in the
// log, since instances of two versions may know two versions of Unicode.
type nickname struct {
	name string // trimmed, inner white space single, NFC
	key  string // the same for names that differ in case, or in characters that can't be seen
}

// parseNickname makes a nickname of what somebody typed.
func parseNickname(typed string, maxLength int) (nickname, code) {
	if len(typed) > 4*maxNameBytes {
		return nickname{}, nameTooLong
	}
	name := norm.NFC.String(strings.Join(strings.Fields(strings.ToValidUTF8(typed, "\uFFFD")), " "))
	visible := false
	for _, r := range name {
		if !allowedInName(r) {
			return nickname{}, nameInvalid
		}
		visible = visible || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
	}
	key := foldName(name)
	if !visible || key == "" {
		return nickname{}, nameInvalid
	}
	if len(name) > maxNameBytes || len(key) > 2*maxNameBytes || uniseg.GraphemeClusterCount(name) > maxLength {
		return nickname{}, nameTooLong
	}
	return nickname{name, key}, accepted
}

// allowedInName excludes what can't be seen and changes what is: controls, bidirectional overrides, embeddings, isolates
// and marks, other format characters, unassigned and private code points, and letters that are drawn blank. The
// joiners stay: emoji and several scripts need them.
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

// isEmojiTag reports a tag character, as in the flags of Scotland and Wales.
func isEmojiTag(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }

// foldName maps names to one key that people would take for one name: case folded, and without joiners and variation
// selectors.
func foldName(name string) string {
	folded := cases.Fold().String(name)
	folded = strings.Map(func(r rune) rune {
		if r == zeroWidthJoiner || r == zeroWidthNonJoiner || unicode.Is(unicode.Variation_Selector, r) || isEmojiTag(r) {
			return -1
		}
		return r
	}, folded)
	return strings.Join(strings.Fields(norm.NFC.String(folded)), " ")
}

// parseRoom makes a room's name of what somebody typed. Rooms are called by their folded name.
func parseRoom(typed string, maxLength int) (string, code) {
	n, why := parseNickname(typed, maxLength)
	if why != accepted || len(n.key) > maxNameBytes {
		return "", roomInvalid
	}
	return n.key, accepted
}

// parseText checks what somebody wants to say. maxLength counts grapheme clusters; negative: as long as maxText bytes.
func parseText(typed string, maxLength int) (string, code) {
	text := strings.ToValidUTF8(typed, "\uFFFD")
	if strings.TrimSpace(text) == "" {
		return "", empty
	}
	if len(text) > maxText {
		return "", tooLong
	}
	if maxLength >= 0 && len(text) > maxLength && uniseg.GraphemeClusterCount(text) > maxLength {
		return "", tooLong
	}
	return text, accepted
}
