package web

import (
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"regexp"
	"strings"
)

// startTexts are the page's texts for where no module runs, by the tag of the language and by the key without "start.".
// They stand in the files of the languages. Every language has every key: what a file lacks is in English.
type startTexts map[string]map[string]string

var (
	startKey   = regexp.MustCompile(`(?m)^  'start\.\w+':`)
	startEntry = regexp.MustCompile(`(?m)^  'start\.(\w+)':\s+((?:'(?:[^'\\\n]|\\.)*'(?:\s*\+\s*)?)+),$`)
	quotedPart = regexp.MustCompile(`'((?:[^'\\\n]|\\.)*)'`)
	escaped    = regexp.MustCompile(`\\(.)`)
)

func readStartTexts(from fs.FS, tags []string) (startTexts, error) {
	all := startTexts{}
	for _, tag := range tags {
		name := "js/languages/" + tag + ".js"
		script, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		found := startEntry.FindAllSubmatch(script, -1)
		if keys := startKey.FindAll(script, -1); len(keys) != len(found) {
			return nil, fmt.Errorf("%s: %d of its %d texts named start.* are quoted parts that + joins",
				name, len(found), len(keys))
		}
		all[tag] = map[string]string{}
		for _, match := range found {
			var text strings.Builder
			for _, part := range quotedPart.FindAllSubmatch(match[2], -1) {
				text.Write(escaped.ReplaceAll(part[1], []byte("$1")))
			}
			all[tag][string(match[1])] = text.String()
		}
	}
	for tag, texts := range all {
		whole := maps.Clone(all["en"])
		maps.Copy(whole, texts)
		all[tag] = whole
	}
	return all, nil
}

// json returns the texts as an expression of JavaScript.
func (s startTexts) json() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a map of texts can't fail
	}
	return text
}

// elements returns the text of a key in some languages, as HTML: each in an element of the kind, with its language.
func (s startTexts) elements(key, kind string, tags []string, between string) string {
	name, _, _ := strings.Cut(kind, " ")
	var all []string
	for _, tag := range tags {
		all = append(all, fmt.Sprintf(`<%s lang="%s">%s</%s>`, kind, tag, html.EscapeString(s[tag][key]), name))
	}
	return strings.Join(all, between)
}
