package state

import (
	"slices"
	"strings"
)

// reserved are words, by language, that a page or a server uses in the place of a name. Nobody may be called so.
var reserved = map[string][]string{
	"en": {"me", "you", "(you)", "everyone", "everybody", "nobody", "system", "server", "chat", "admin",
		"administrator", "moderator", "operator", "root", "support"},
	"de": {"ich", "du", "(du)", "sie", "alle", "jeder", "niemand", "mehrere personen", "system", "server", "chat",
		"admin", "administrator", "moderator", "betreiber", "verwalter", "support", "hilfe"},
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

// notices are what announcements say of people, by language. Pages that show only the text of an announcement can't set
// names apart in it.
var notices = map[string]struct{ inside, atEnd []string }{
	"en": {
		inside: []string{" is now ", " are now ", " joined ", " left ", " disconnected "},
		atEnd: []string{" connected", " disconnected", " came back", " is typing", " are typing", " others",
			"people are typing"},
	},
	"de": {
		inside: []string{" heißt jetzt ", " ist jetzt "},
		atEnd: []string{" ist da", " sind da", " ist gegangen", " sind gegangen", " hereingekommen",
			" raum verlassen", " kam und ging", " kamen und gingen", " kam zurück", " kamen zurück", " ist wieder da",
			" schreibt", " schreiben", " andere"},
	},
	"ko": {
		inside: []string{" 애칭을 "},
		atEnd:  []string{"들어왔습니다", "나갔습니다", "돌아왔습니다", "바꿨습니다", "입장했습니다", "퇴장했습니다", "있습니다"},
	},
}

// noticeKeys are the notices as names are compared, each with the spaces around it.
var noticeKeys = keysOfNotices()

func keysOfNotices() (keys struct{ inside, atEnd []string }) {
	spaced := func(phrase string) string {
		key := keyOf(phrase)
		if strings.HasPrefix(phrase, " ") {
			key = " " + key
		}
		return key + " "
	}
	for _, n := range notices {
		for _, phrase := range n.inside {
			keys.inside = append(keys.inside, spaced(phrase))
		}
		for _, phrase := range n.atEnd {
			keys.atEnd = append(keys.atEnd, spaced(phrase))
		}
	}
	return keys
}

// looksLikeNotice reports whether a nickname reads like an announcement, or a list of names in one, in letters of
// whatever script.
func looksLikeNotice(n Nickname) bool {
	text := " " + strings.TrimRight(n.Key, " .!") + " "
	is := func(phrase string) bool { return strings.Contains(text, phrase) }
	ends := func(phrase string) bool { return strings.HasSuffix(text, phrase) }
	return slices.ContainsFunc(noticeKeys.inside, is) || slices.ContainsFunc(noticeKeys.atEnd, ends)
}
