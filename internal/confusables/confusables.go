// Package confusables tells texts that look alike by their skeleton: Unicode Technical Standard 39, "Confusable
// Detection". No Go library of it is kept up to date, so the table is generated from Unicode's data, see generate.go.
//
// # Concurrency
//
// The package starts no goroutine, and its functions may be called concurrently.
package confusables

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"
)

//go:generate sh -c "go run generate.go < confusables.txt > table.txt"

//go:embed table.txt
var source string

// table maps a code point to those that it looks like.
var table = sync.OnceValue(func() map[rune]string {
	entries := make(map[rune]string, 8192)
	for line := range strings.Lines(source) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue // the header
		}
		entries[codePoint(from)] = codePoints(to)
	}
	return entries
})

func codePoint(hex string) rune {
	n, err := strconv.ParseUint(hex, 16, 21)
	if err != nil {
		panic(err) // the table is generated
	}
	return rune(n)
}

func codePoints(hex string) string {
	var text strings.Builder
	for one := range strings.FieldsSeq(hex) {
		text.WriteRune(codePoint(one))
	}
	return text.String()
}

// Skeleton returns a text that is the same for texts that look alike. It is not for display. The caller removes
// characters that can't be seen before. Case makes a difference.
func Skeleton(text string) string {
	var skeleton strings.Builder
	for _, r := range norm.NFD.String(text) {
		if alike, ok := table()[r]; ok {
			skeleton.WriteString(alike)
		} else {
			skeleton.WriteRune(r)
		}
	}
	return norm.NFD.String(skeleton.String())
}
