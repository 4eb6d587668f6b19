package state

import (
	"slices"
	"strings"
)

// reserved are words, by language, that a page or a server uses in the place of a name. Nobody may be called so.
var reserved = map[string][]string{
	"en": {"me", "you", "(you)", "everyone", "everybody", "nobody", "system", "server", "chat", "admin",
		"administrator", "moderator", "operator", "root", "support"},
	"ko": {"나", "너", "저", "모두", "전체", "아무도", "시스템", "서버", "채팅", "관리자", "운영자", "고객지원"},
}

var reservedKeys = keysOfReserved()

func keysOfReserved() map[string]bool {
	keys := make(map[string]bool)
	for _, words := range reserved {
		for _, word := range words {
			keys[keyOf(word)] = true
		}
	}
	return keys
}

// isReserved reports whether a nickname looks like a reserved word, whatever is around it that is no letter.
func isReserved(n Nickname) bool {
	return reservedKeys[n.Key] || reservedKeys[strings.Trim(n.Key, " .,:;-_*()[]{}<>!?'\"")]
}

// notices are what announcements say of people. Pages that show only the text of an announcement can't set names apart
// in it.
var notices = struct{ inside, atEnd []string }{
	inside: []string{" is now ", " are now ", " joined ", " left "},
	atEnd: []string{" connected", " disconnected", " is typing", " are typing", " others",
		"님이 들어왔습니다", "님이 나갔습니다", "입장했습니다", "퇴장했습니다"},
}

// looksLikeNotice reports whether a name reads like an announcement, or a list of names in one.
func looksLikeNotice(name string) bool {
	folded := " " + strings.TrimRight(foldName(name), " .!") + " "
	is := func(phrase string) bool { return strings.Contains(folded, phrase) }
	ends := func(phrase string) bool { return strings.HasSuffix(folded, phrase+" ") }
	return slices.ContainsFunc(notices.inside, is) || slices.ContainsFunc(notices.atEnd, ends)
}
