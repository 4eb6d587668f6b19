package web

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestEveryLanguageExplainsAFailedStart reads the texts out of the served script that explains why the page does not
// start, and out of the documents, for each language that has a file.
func TestEveryLanguageExplainsAFailedStart(t *testing.T) {
	h := handler()
	document := string(body(t, fetch(h, "GET", "/")))
	address := regexp.MustCompile(`assets/\w+/js/failure\.js`).FindString(document)
	script := body(t, fetch(h, "GET", "/"+address))
	literal := regexp.MustCompile(`(?m)^  var texts = (.*)$`).FindSubmatch(script)
	if literal == nil {
		t.Fatalf("%s has no texts:\n%s", address, script)
	}
	var served map[string]map[string]string
	if err := json.Unmarshal(literal[1], &served); err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`show\('(\w+)'|words\.(\w+)`).FindAllStringSubmatch(string(script), -1)
	if len(used) < 6 {
		t.Fatalf("the script uses the texts %q only", used)
	}
	absent := fetch(h, "GET", "/nothing")
	if absent.StatusCode != http.StatusNotFound {
		t.Fatalf("GET /nothing: status %d", absent.StatusCode)
	}
	notFound := string(body(t, absent))
	needed := []string{"noScript", "noPage", "toChat"}
	for _, match := range used {
		needed = append(needed, match[1]+match[2])
	}
	guide, err := os.ReadFile("MAKE-IT-YOURS.md")
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`\d+(\.\d+)?`)
	versions := number.FindAllString(regexp.MustCompile(`Chrome or Edge [^,]+, Firefox \S+ or Safari \S+\d`).
		FindString(string(guide)), -1)
	for _, tag := range languages() {
		if got := number.FindAllString(served[tag]["old"], -1); len(got) != 3 || !slices.Equal(got, versions) {
			t.Errorf("%s names the versions %q of browsers, MAKE-IT-YOURS.md %q", tag, got, versions)
		}
		own := texts(t, "page/js/languages/"+tag+".js")
		for _, name := range needed {
			if !slices.Contains(own, "start."+name) || served[tag][name] == "" {
				t.Errorf("%s lacks the text start.%s", tag, name)
			}
		}
		for _, want := range []string{
			`<p lang="` + tag + `">` + served[tag]["noPage"], `<span lang="` + tag + `">` + served[tag]["toChat"],
		} {
			if !strings.Contains(notFound, want) {
				t.Errorf("the document of an address without a page lacks %s", want)
			}
		}
		if want := `lang="` + tag + `">` + served[tag]["noScript"]; !strings.Contains(document, want) {
			t.Errorf("the page for browsers without JavaScript lacks %s", want)
		}
	}
}

func TestStartTextsAreRead(t *testing.T) {
	files := fstest.MapFS{
		"js/languages/en.js": {Data: []byte("export default {\n  'start.a': 'A',\n  'start.b': 'B',\n}\n")},
		"js/languages/fr.js": {Data: []byte("export default {\n  'start.a': 'l\\'un ' +\n    'et \"l\\\\autre\"',\n" +
			"  other: '{a}',\n}\n")},
		"js/languages/xx.js": {Data: []byte("export default {\n  'start.a': `A`,\n}\n")},
	}
	got, err := readStartTexts(files, []string{"en", "fr"})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := got["fr"]["a"], got["fr"]["b"]; a != `l'un et "l\autre"` || b != "B" {
		t.Errorf("the texts are %q and %q", a, b)
	}
	if _, err := readStartTexts(files, []string{"en", "xx"}); err == nil || !strings.Contains(err.Error(), "xx.js") {
		t.Errorf("a text in another form: error %v, want one that names the file", err)
	}
}
