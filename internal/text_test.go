package internal

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	maxColumns     = 120
	maxPageColumns = 100 // of the page's own sources
	tabColumns     = 4
)

// ofPage are the endings of the page's own sources.
var ofPage = []string{".js", ".css", ".html"}

// written are the endings of files that people write and read. Data that tools write is not among them.
var written = []string{".go", ".md", ".js", ".mjs", ".css", ".html", ".bicep", ".bicepparam", ".kql", ".yaml", ".yml",
	".sh", ".ps1", "Dockerfile", "run"}

// pronouns are English words for people that users, clients and instances are not called by.
var pronouns = regexp.MustCompile(`(?i)(^|[^\w'"])(he|his|him|himself)($|[^\w'"])`)

// headless matches a sentence of a comment whose subject is a question word.
var headless = regexp.MustCompile(`(^\s*//|[.:]) (Who|Whoever|Whatever) [a-z]+ [a-z]`)

func TestTextKeepsTheHouseStyle(t *testing.T) {
	root := ".."
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); base == "node_modules" || base == ".git" || base == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(written, func(ending string) bool { return strings.HasSuffix(name, ending) }) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			for _, fault := range faults(filepath.Ext(name), strings.TrimSuffix(line, "\n")) {
				t.Errorf("%s:%d: %s", filepath.ToSlash(name), number, fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// faults returns what a line of a file with this ending does against the house style. A row of a table in Markdown may
// be as wide as it has to be, and so may a line with a word that fills half of it. Bicep's own formatter decides on
// line breaks there.
func faults(ending, line string) []string {
	var found []string
	columns, most := utf8.RuneCountInString(line)+(tabColumns-1)*strings.Count(line, "\t"), maxColumns
	if slices.Contains(ofPage, ending) {
		most = maxPageColumns
	}
	row := ending == ".md" && strings.HasPrefix(line, "|")
	unbreakable := slices.ContainsFunc(strings.Fields(line), func(word string) bool { return len(word) > maxColumns/2 })
	if columns > most && !row && !unbreakable && ending != ".bicep" {
		found = append(found, fmt.Sprintf("the line is wider than %d columns", most))
	}
	prose := line
	if ending != ".md" {
		_, comment, ok := strings.Cut(line, "//")
		if !ok {
			return found
		}
		prose = "// " + strings.TrimSpace(comment)
	}
	if pronouns.MatchString(prose) {
		found = append(found, "a user, client or instance is it or they")
	}
	if headless.MatchString(prose) {
		found = append(found, "a sentence begins with Who or Whatever: name the actor")
	}
	return found
}

func TestFaultsAreFound(t *testing.T) {
	wide := strings.Repeat("word ", 30)[:121]
	const comment = "/" + "/ " // so that this file has no fault itself
	for _, row := range []struct {
		ending, line string
		want         int
	}{
		{".go", wide, 1},
		{".js", wide[:101], 1},
		{".css", wide[:100], 0},
		{".go", "\t" + wide[:116], 0},
		{".go", strings.Repeat("x", 121), 0},
		{".go", "\t" + wide[:117], 1},
		{".md", "| " + wide, 0},
		{".go", comment + "The user keeps the name that he had.", 1},
		{".go", `he := "not prose"`, 0},
		{".md", "Every user keeps " + "his name.", 1},
		{".go", comment + "Who comes late waits.", 1},
		{".go", comment + "The server waits. Whoever comes late is refused.", 1},
		{".go", comment + "The server waits for clients that come late.", 0},
	} {
		if got := faults(row.ending, row.line); len(got) != row.want {
			t.Errorf("faults(%q, %q) = %q, want %d of them", row.ending, row.line, got, row.want)
		}
	}
}
