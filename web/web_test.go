package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// maxPage is the limit of the whole page's size on the wire, compressed.
const maxPage = 64 << 10

// handler is shared by all tests, because compressing the page takes a while.
var handler = sync.OnceValue(Handler)

// fetch sends h a request with header lines of the form "Name: value".
func fetch(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return b
}

// linked returns the addresses on this origin that the page's document contains, in order.
func linked(t *testing.T, h http.Handler) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?:href|src)="(/[^"]*)"`).FindAllSubmatch(body(t, fetch(h, "GET", "/")), -1) {
		all = append(all, string(m[1]))
	}
	return all
}

func TestDocument(t *testing.T) {
	h := handler()
	for _, c := range []struct {
		path   string
		status int
	}{{"/", 200}, {"/nothing", 404}, {"/assets/", 404}, {"/assets/x/index.html", 404}, {"/index.html", 404}} {
		r := fetch(h, "GET", c.path)
		if r.StatusCode != c.status {
			t.Errorf("GET %s: status %d, want %d", c.path, r.StatusCode, c.status)
		}
		for name, want := range map[string]string{
			"Content-Type":           "text/html; charset=utf-8",
			"Cache-Control":          "no-cache",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("GET %s: %s = %q, want %q", c.path, name, got, want)
			}
		}
		csp := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
			"connect-src 'self'",
		} {
			if !slices.Contains(strings.Split(csp, "; "), want) {
				t.Errorf("GET %s: policy %q lacks %q", c.path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("GET %s: policy %q allows more than this origin", c.path, csp)
		}
		if bytes.Contains(body(t, r), []byte("{assets}")) {
			t.Errorf("GET %s: {assets} is left in the document", c.path)
		}
	}
}

func TestMethods(t *testing.T) {
	h := handler()
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		r := fetch(h, method, "/")
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s /: status %d, Allow %q, want 405, %q",
				method, r.StatusCode, r.Header.Get("Allow"), "GET, HEAD")
		}
	}
	get, head := fetch(h, "GET", "/"), fetch(h, "HEAD", "/")
	if b := body(t, head); len(b) != 0 {
		t.Errorf("HEAD / has a body of %d bytes", len(b))
	}
	if !maps.EqualFunc(get.Header, head.Header, slices.Equal) {
		t.Errorf("HEAD / has header %v, want that of GET, %v", head.Header, get.Header)
	}
}

func TestAssets(t *testing.T) {
	h := handler()
	addresses := linked(t, h)
	if len(addresses) < 10 {
		t.Fatalf("the document links %d files, want all of its parts", len(addresses))
	}
	for _, address := range addresses {
		r := fetch(h, "GET", address)
		if r.StatusCode != 200 {
			t.Errorf("GET %s: status %d, want 200", address, r.StatusCode)
			continue
		}
		if got, want := r.Header.Get("Content-Type"), mediaTypes[path.Ext(address)]; got != want || want == "" {
			t.Errorf("GET %s: Content-Type %q, want %q", address, got, want)
		}
		if got, want := r.Header.Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("GET %s: Cache-Control %q, want %q", address, got, want)
		}
	}
}

func TestAssetOfAnotherVersionIsNotCached(t *testing.T) {
	r := fetch(handler(), "GET", "/assets/0123456789abcdef/js/main.js")
	if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, Cache-Control %q, want 200, no-store", r.StatusCode, r.Header.Get("Cache-Control"))
	}
}

func TestCompression(t *testing.T) {
	h := handler()
	plain := body(t, fetch(h, "GET", "/"))
	for accept, want := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "*": true, "GZIP": true, "x-gzip": true,
		"*;q=0, gzip": true, "gzip ; q=1": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=0, *": false, "*, gzip;q=0.0": false, "gzip;q=x": false,
	} {
		r := fetch(h, "GET", "/", "Accept-Encoding: "+accept)
		zipped := r.Header.Get("Content-Encoding") == "gzip"
		if zipped != want {
			t.Errorf("Accept-Encoding %q: compressed %v, want %v", accept, zipped, want)
			continue
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary %q", accept, r.Header.Get("Vary"))
		}
		got := body(t, r)
		if zipped {
			z, err := gzip.NewReader(bytes.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("Accept-Encoding %q: the document differs from the uncompressed one", accept)
		}
	}
}

func TestRevalidation(t *testing.T) {
	h := handler()
	asset := linked(t, h)[0]
	for _, address := range []string{"/", asset} {
		plain := fetch(h, "GET", address).Header.Get("ETag")
		zipped := fetch(h, "GET", address, "Accept-Encoding: gzip").Header.Get("ETag")
		if plain == "" || plain == zipped || strings.HasPrefix(plain, "W/") || strings.HasPrefix(zipped, "W/") {
			t.Fatalf("GET %s: ETag %s and compressed %s, want two strong ones", address, plain, zipped)
		}
		for match, want := range map[string]int{
			plain: 304, "W/" + plain: 304, `"x", ` + plain: 304, "*": 304,
			zipped: 200, `"x"`: 200, strings.Trim(plain, `"`): 200,
		} {
			r := fetch(h, "GET", address, "If-None-Match: "+match)
			if r.StatusCode != want {
				t.Errorf("GET %s, If-None-Match %s: status %d, want %d", address, match, r.StatusCode, want)
			}
			if b := body(t, r); want == 304 && (len(b) > 0 || r.Header.Get("ETag") != plain) {
				t.Errorf("GET %s, If-None-Match %s: %d bytes, ETag %s, want none, %s",
					address, match, len(b), r.Header.Get("ETag"), plain)
			}
		}
	}
}

func TestCommentsAreNotServed(t *testing.T) {
	const script = "// a\n/** b */\nconst c = 1 // d\n" +
		"  /**\n   * e\n   */\n/** @type {f} */ (g)\nconst h = /x/ /* i */\n"
	const want = "\n\nconst c = 1 // d\n\n\n\n/** @type {f} */ (g)\nconst h = /x/ /* i */\n"
	if got := string(stripComments([]byte(script))); got != want {
		t.Errorf("stripComments(%q) = %q, want %q", script, got, want)
	}
}

func TestPageIsSmall(t *testing.T) {
	h := handler()
	sum := 0
	for _, address := range append(linked(t, h), "/") {
		sum += len(body(t, fetch(h, "GET", address, "Accept-Encoding: gzip")))
	}
	t.Logf("%d bytes compressed, in %d files", sum, len(linked(t, h)))
	if sum > maxPage {
		t.Errorf("the page has %d bytes compressed, want at most %d", sum, maxPage)
	}
}

// TestDocumentListsAllModules compares the document's list of modules with the folder. The browser
// would load a module that is not listed only after the module that imports it.
func TestDocumentListsAllModules(t *testing.T) {
	document, err := fs.ReadFile(embedded, "page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	var named, there []string
	for _, m := range regexp.MustCompile(`\{assets\}/(js/[^"]+)"`).FindAllSubmatch(document, -1) {
		named = append(named, string(m[1]))
	}
	walk(t, func(name string, _ []byte) {
		if path.Ext(name) == ".js" {
			there = append(there, strings.TrimPrefix(name, "page/"))
		}
	})
	slices.Sort(named)
	slices.Sort(there)
	if !slices.Equal(named, there) {
		t.Errorf("the document lists the modules\n%v, want those in the folder\n%v", named, there)
	}
}

// TestNoModuleParsesMarkup holds in every browser what the policy forbids only in those with Trusted Types.
func TestNoModuleParsesMarkup(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|setHTML|` +
		`document\.write|createContextualFragment|DOMParser|\beval\(|new Function`)
	walk(t, func(name string, content []byte) {
		if path.Ext(name) != ".js" {
			return
		}
		if found := bad.Find(content); found != nil {
			t.Errorf("%s uses %s", name, found)
		}
	})
}

var key = regexp.MustCompile(`(?m)^  '?([\w.]+)'?: `)

func texts(t *testing.T, name string) []string {
	t.Helper()
	content, err := fs.ReadFile(embedded, name)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range key.FindAllSubmatch(content, -1) {
		keys = append(keys, string(m[1]))
	}
	return keys
}

func TestLanguagesHaveTheSameTexts(t *testing.T) {
	en, ko := texts(t, "page/js/en.js"), texts(t, "page/js/ko.js")
	if len(en) < 50 || !slices.Equal(en, ko) {
		t.Errorf("texts in English:\n%v\nin Korean:\n%v\nwant the same keys in the same order", en, ko)
	}
	used := regexp.MustCompile(`\bt\('([\w.]+)'|data-t(?:-label|-placeholder)?="(\w+)"`)
	walk(t, func(name string, content []byte) {
		for _, m := range used.FindAllSubmatch(content, -1) {
			k := string(m[1]) + string(m[2])
			begins := func(key string) bool { return strings.HasPrefix(key, k) } // the rest depends on a value
			if !slices.ContainsFunc(en, begins) {
				t.Errorf("%s uses the text %q, which no language has", name, k)
			}
		}
	})
}

func walk(t *testing.T, visit func(name string, content []byte)) {
	t.Helper()
	err := fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(embedded, name)
		visit(name, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkServe(b *testing.B) {
	h := handler()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
