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

// maxPage and maxFiles limit what a browser fetches from cold: bytes of compressed bodies, and requests.
const (
	maxPage  = 90_000
	maxFiles = 12
)

// handler is shared by all tests, because compressing the page takes a while.
var handler = sync.OnceValue(func() http.Handler { return Handler(Settings{}) })

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
	for _, m := range regexp.MustCompile(`(?:href|src)="(assets/[^"]*)"`).FindAllSubmatch(body(t, fetch(h, "GET", "/")), -1) {
		all = append(all, "/"+string(m[1]))
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
	if len(addresses) < 6 {
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
	// English is in the page; every other language is one more file.
	folder := path.Dir(path.Dir(linked(t, h)[0]))
	addresses := append(linked(t, h), "/", folder+"/js/languages/ko.js", "/sw.js")
	sum := 0
	for _, address := range addresses {
		r := fetch(h, "GET", address, "Accept-Encoding: gzip")
		if r.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: status %d", address, r.StatusCode)
		}
		sum += len(body(t, r))
	}
	t.Logf("%d bytes compressed, in %d files", sum, len(addresses))
	if sum > maxPage || len(addresses) > maxFiles {
		t.Errorf("the page has %d bytes compressed in %d files, want at most %d in %d",
			sum, len(addresses), maxPage, maxFiles)
	}
}

// The document of a path without a file leads up to the page, however deep the path is, also below BASE_PATH.
func TestNotFoundLeadsToThePage(t *testing.T) {
	for at, want := range map[string]string{"/x": "./", "/a/": "../", "/a/b/c": "../../"} {
		document := string(body(t, fetch(handler(), "GET", at)))
		if !strings.Contains(document, `href="`+want+`"`) || !strings.Contains(document, `href="`+want+`assets/`) {
			t.Errorf("GET %s: the links do not lead to %s:\n%s", at, want, document)
		}
	}
}

func TestSettingsChangeThePage(t *testing.T) {
	h := Handler(Settings{Title: "</title>Tom & Ann", Logo: "https://a.test/logo.svg", Accent: []string{"#aa0000"},
		Room: "garden", Parts: []string{"rooms"}, Languages: []string{"de"}, EmbedOrigins: []string{"https://a.test"}})
	document := string(body(t, fetch(h, "GET", "/")))
	for _, want := range []string{
		"<title>&lt;/title&gt;Tom &amp; Ann</title>", `"room":"garden"`, `"languages":["de"]`, `data-languages="de"`,
		`"title":"\u003c/title\u003eTom \u0026 Ann"`,
	} {
		if !strings.Contains(document, want) {
			t.Errorf("the document lacks %s", want)
		}
	}
	for target, want := range map[string]string{
		"/": "frame-ancestors 'none'", "/?embed": "frame-ancestors https://a.test",
	} {
		csp := fetch(h, "GET", target).Header.Get("Content-Security-Policy")
		if !strings.HasSuffix(csp, want) || !strings.Contains(csp, "img-src 'self' https://a.test;") {
			t.Errorf("GET %s: policy %q, want one with the logo's host that ends in %q", target, csp, want)
		}
	}
	if got := fetch(handler(), "GET", "/?embed").Header.Get("Content-Security-Policy"); !strings.HasSuffix(got,
		"frame-ancestors 'none'") {
		t.Errorf("without origins the policy of the page in a frame is %q", got)
	}
	if got := body(t, fetch(h, "GET", "/settings.json")); !strings.Contains(document, string(got)) {
		t.Errorf("settings.json = %s, want what the document has", got)
	}
	for _, bad := range []Settings{
		{Title: strings.Repeat("x", 61)}, {Logo: "javascript:x"}, {Logo: "https://a.test/x; script-src *"},
		{Accent: []string{"red"}}, {Accent: []string{"#000000", "#000000", "#000000"}}, {Parts: []string{"roof"}},
		{Languages: []string{"xx"}}, {EmbedOrigins: []string{"https://a.test; script-src *"}},
	} {
		if bad.Check() == nil {
			t.Errorf("Check(%+v) = nil, want an error", bad)
		}
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

func TestTextsAreThere(t *testing.T) {
	en := texts(t, "page/js/languages/en.js")
	used := regexp.MustCompile(`\b(?:t|pieces)\('([\w.]+)'|data-t(?:-label|-placeholder)?="(\w+)"`)
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

// TestPageIsBuiltWhenItIsAskedFor proves that starting a worker does not pay for the page.
func TestPageIsBuiltWhenItIsAskedFor(t *testing.T) {
	n := testing.AllocsPerRun(1, func() { Handler(Settings{}) })
	for range 10 { // others' goroutines count as well
		n = min(n, testing.AllocsPerRun(1, func() { Handler(Settings{}) }))
	}
	if n > 100 {
		t.Errorf("making a handler allocates %v times, want it to leave the work to the first request", n)
	}
}
