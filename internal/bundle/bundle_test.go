package bundle_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"chatapp/internal/bundle"
)

// modules are two entries that share one module, one of which loads another one later, and a style sheet.
var modules = fstest.MapFS{
	"js/a.js":         file("import { both } from './deep/both.js'\nexport const a = both('a') // of a\n"),
	"js/b.js":         file("import { both } from './deep/both.js'\nboth('b')\nimport('./later.js')\n"),
	"js/deep/both.js": file("export const both = (longName) => longName + 'é'\nexport const unused = 1\n"),
	"js/later.js":     file("import { both } from './deep/both.js'\nexport const later = both('later')\n"),
	"css/all.css":     file("@import './part.css';\nb { color: red }\n"),
	"css/part.css":    file("a { color: blue }\n"),
	"js/lost.js":      file("import './nowhere.js'\n"),
	"js/package.js":   file("import 'left-pad'\n"),
	"js/wrong.js":     file("export const = 1\n"),
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

// build returns the results by name.
func build(t *testing.T, o bundle.Options) map[string]string {
	t.Helper()
	files, err := bundle.Build(modules, o)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]string{}
	for _, f := range files {
		results[f.Name] = string(f.Content)
	}
	return results
}

func TestOneEntryBecomesOneModule(t *testing.T) {
	got := build(t, bundle.Options{Entries: []string{"js/a.js"}})
	text := got["js/a.js"]
	if len(got) != 1 || !strings.Contains(text, "export {") || !strings.Contains(text, "'é'") &&
		!strings.Contains(text, `"é"`) || strings.Contains(text, "unused") || strings.Contains(text, "import") {
		t.Errorf("the bundle is %q", got)
	}
}

func TestSharedModulesAreSplitOff(t *testing.T) {
	got := build(t, bundle.Options{Entries: []string{"js/a.js", "js/b.js"}, Split: true})
	if len(got) < 4 {
		t.Fatalf("two entries, what they share and what comes later are %d files", len(got))
	}
	copies := 0
	for _, text := range got {
		copies += strings.Count(text, "é")
	}
	if copies != 1 || !strings.Contains(got["js/b.js"], `import("`) {
		t.Errorf("the shared module is in %d files; js/b.js is %q", copies, got["js/b.js"])
	}
}

func TestClassicScriptSetsItsGlobal(t *testing.T) {
	got := build(t, bundle.Options{Entries: []string{"js/a.js"}, GlobalName: "lib", Minify: true, SourceMaps: true,
		Footer: "lib=lib.a;"})
	text := got["js/a.js"]
	if !strings.HasPrefix(text, "var lib=") || !strings.Contains(text, "lib=lib.a;") ||
		strings.Contains(text, "longName") || !strings.HasSuffix(text, "//# sourceMappingURL=a.js.map\n") {
		t.Errorf("the script is %q", text)
	}
	if m := got["js/a.js.map"]; !strings.Contains(m, "deep/both.js") || !strings.Contains(m, "of a") {
		t.Errorf("the source map is %q", m)
	}
}

func TestStyleSheetsAreJoined(t *testing.T) {
	got := build(t, bundle.Options{Entries: []string{"css/all.css"}, Minify: true})
	if text := got["css/all.css"]; !strings.Contains(text, "a{color:") || !strings.Contains(text, "b{color:") {
		t.Errorf("the sheet is %q", text)
	}
}

func TestUnusableModuleIsNamed(t *testing.T) {
	for entry, want := range map[string]string{
		"js/lost.js":    "js/nowhere.js",
		"js/package.js": "left-pad",
		"js/wrong.js":   `Expected identifier but found "="`,
		"js/absent.js":  "js/absent.js",
	} {
		_, err := bundle.Build(modules, bundle.Options{Entries: []string{entry}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), entry) {
			t.Errorf("Build of %s: %v, want an error with %q", entry, err, want)
		}
	}
}
