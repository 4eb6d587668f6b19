package state

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"chatapp/internal/confusables"
)

// maxNameBytes limits a name that somebody has typed, however few grapheme clusters it has; maxSignedInBytes limits the
// name of a user that is signed in.
const (
	maxNameBytes     = 128
	maxSignedInBytes = 256
)

// Nickname is a name as it is displayed and as it is compared. The instance that appends a claim computes both, and
// both travel in the log: two versions of the server may know two versions of Unicode.
type Nickname struct {
	_    struct{} `cbor:",toarray"`
	Name string   // trimmed, with single spaces inside, NFC
	Key  string   // the same for names that look alike, see keyOf
}

// ParseNickname returns the nickname that a user has typed, of at most maxLength grapheme clusters. It refuses names
// that can't be seen in full, and those that the chat's own words could be taken for.
func ParseNickname(typed string, maxLength int) (Nickname, Code) {
	name, code := parseName(typed, maxLength)
	if code != Accepted {
		return Nickname{}, code
	}
	n := Nickname{Name: name, Key: keyOf(name)}
	switch {
	case n.Key == "" || isReserved(n) || looksLikeNotice(n):
		return Nickname{}, NameInvalid
	case len(n.Key) > 2*maxNameBytes:
		return Nickname{}, NameTooLong
	}
	return n, Accepted
}

// parseName returns the name of a user or a room that somebody has typed.
func parseName(typed string, maxLength int) (string, Code) {
	if len(typed) > 4*maxNameBytes {
		return "", NameTooLong
	}
	name := norm.NFC.String(strings.Join(strings.Fields(strings.ToValidUTF8(typed, "\uFFFD")), " "))
	visible := false
	for _, r := range name {
		if !allowedInName(r) {
			return "", NameInvalid
		}
		visible = visible || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || isNewEmoji(r)
	}
	if !visible || !marksFit(name) {
		return "", NameInvalid
	}
	if len(name) > maxNameBytes || uniseg.GraphemeClusterCount(name) > maxLength {
		return "", NameTooLong
	}
	return name, Accepted
}

// maxMarks is how many marks may stand on one base, more than any language puts there in NFC. More would reach into the
// lines above and below.
const maxMarks = 2

// marksFit reports whether every mark has a base and no base too many of them. Spacing marks, which stand beside the
// base, and what can't be seen don't count.
func marksFit(name string) bool {
	marks := maxMarks + 1 // as behind a base with too many
	for _, r := range name {
		switch {
		case unicode.Is(unicode.Variation_Selector, r), r == zeroWidthJoiner, r == zeroWidthNonJoiner, isEmojiTag(r):
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				return false
			}
		case r == ' ':
			marks = maxMarks + 1
		case unicode.Is(unicode.Mc, r):
			if marks > maxMarks {
				return false
			}
		default:
			marks = 0
		}
	}
	return true
}

// allowedInName excludes characters that can't be seen or that change others: controls, bidirectional overrides,
// embeddings, isolates and marks, other format characters, unassigned and private code points, and letters that are
// drawn blank. It allows the joiners, which emoji and several scripts need, and emoji newer than Go's tables.
func allowedInName(r rune) bool {
	switch {
	case r == zeroWidthJoiner, r == zeroWidthNonJoiner, r == ' ', isEmojiTag(r), isNewEmoji(r):
		return true
	case r == utf8.RuneError, unicode.In(r, unicode.C, unicode.Z, unicode.Noncharacter_Code_Point):
		return false
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), r == 0x2800, r == 0x1D159:
		return false // Hangul fillers and others that are drawn blank; blank Braille, null notehead
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

// isEmojiTag reports whether r is a tag character, as in the flags of Scotland and Wales.
func isEmojiTag(r rune) bool { return r >= 0xE0020 && r <= 0xE007F }

// isNewEmoji reports whether r is a code point that Go's tables don't know in a block that Unicode keeps for emoji:
// every year some are assigned there, and systems display them before Go does.
func isNewEmoji(r rune) bool {
	return (r >= 0x1F300 && r <= 0x1FAFF || r >= 0x1FC00 && r <= 0x1FFFD) && unicode.Is(unicode.Cn, r)
}

// foldName maps names that differ in case only, or in characters that can't be seen, to one: case folded, without
// joiners and variation selectors.
func foldName(name string) string {
	if isFolded(name) {
		return name
	}
	return fold(name)
}

func fold(name string) string {
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

// isFolded reports whether folding changes nothing in a name, for ASCII alone: most names of rooms are such, and every
// message has one.
func isFolded(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c == ' ' && i > 0 && i < len(name)-1 && name[i-1] != ' ':
		case c <= ' ', c >= 0x7f, c >= 'A' && c <= 'Z':
			return false
		}
	}
	return true
}

// keyOf maps names that people would take for the same to one key: the skeleton of Unicode Technical Standard 39 of the
// name in NFKC, folded. What looks like ASCII as it is written is folded as that: a Cyrillic capital looks like B where
// the small letter looks like none. All other names are folded first, so that case makes no difference. A capital I
// looks like l, and is i in lower case, so i is l as well.
func keyOf(name string) string {
	compatible := norm.NFKC.String(name)
	written := foldName(confusables.Skeleton(compatible))
	if !isASCII(written) {
		written = foldName(compatible)
	}
	folded := foldName(norm.NFKC.String(confusables.Skeleton(written)))
	return strings.ReplaceAll(folded, "i", "l")
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// variantKey is keyOf for the number of a variant. It must not depend on the version of Unicode's data: apply uses it.
func variantKey(n int) string {
	return strings.NewReplacer("0", "o", "1", "l").Replace(strconv.Itoa(n))
}

// ParseSignedIn returns the nickname of a user that is signed in, whose name nobody has typed. It drops illegal
// characters and shows the rest in full, up to a bound that no directory reaches. There may be nothing left.
func ParseSignedIn(name string) Nickname {
	legal := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case allowedInName(r):
			return r
		}
		return -1
	}, strings.ToValidUTF8(name, ""))
	legal = norm.NFC.String(strings.Join(strings.Fields(legal), " "))
	end := 0
	for graphemes := uniseg.NewGraphemes(legal); graphemes.Next(); {
		if _, to := graphemes.Positions(); to <= maxSignedInBytes {
			end = to
		}
	}
	n := Nickname{Name: legal[:end], Key: keyOf(legal[:end])}
	if n.Key == "" || len(n.Key) > 3*maxSignedInBytes {
		return Nickname{}
	}
	return n
}

// ParseRoom returns the name of the room that a user has typed, folded: rooms are displayed like that. State.Meant says
// which room it is the name of.
func ParseRoom(typed string, maxLength int) (string, Code) {
	name, code := parseName(typed, maxLength)
	if folded := foldName(name); code == Accepted && folded != "" && len(folded) <= maxNameBytes {
		return folded, Accepted
	}
	return "", RoomInvalid
}

// RoomKey returns the key of a room's name, the same for names that look alike. It is "" for the few names that have
// none, of which no room can be made.
func RoomKey(name string) string {
	if key := keyOf(name); validRoomKey(key) {
		return key
	}
	return ""
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
