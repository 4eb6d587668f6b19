// Package web serves the chat's page: documents, style sheets and ES modules, embedded from page/ and bundled into few
// files when it is first asked for. The page connects to the worker that served it, and requests nothing from any
// other host. All its addresses are relative, so it works below a path as well.
//
// The files that a document links to are served in a folder named by the hash of all of them, and are therefore
// immutable. Documents are revalidated by a strong ETag. Everything is compressed once. [Settings] say what an operator
// has chosen: MAKE-IT-YOURS.md describes them.
//
// The page's modules carry JSDoc types. In this folder, npm ci installs the tools that check them; npm run lint and npm
// run types run them. go test runs the modules' own tests, in test/, under Node.js, and the browser tests in Chromium.
//
// # Concurrency
//
// The package starts no goroutines. The handler is immutable.
package web

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// assetsPath is followed by the version of the site and the name of an asset.
const assetsPath = "assets/"

// file is a served file, in both content codings.
type file struct {
	mediaType string
	plain     []byte
	zipped    []byte // empty where compression gains nothing
	tag       string // of plain, without quotes
}

// audience says who may load a file, and for how long a copy of it is good.
type audience struct {
	cache   string
	policy  string // Content-Security-Policy; "": the file is no document
	foreign bool   // pages of other origins may load it
}

// site holds all served files. It is immutable.
type site struct {
	version  string           // hash of all assets
	assets   map[string]*file // by name
	top      map[string]*file // beside the document, under names that stay: for other pages, and the service worker
	index    *file
	notFound []byte // with {top} in place of the way up to the page
	policy   string
	embedded string // the policy of a page in a frame
}

// Handler serves the page at "/", its assets below "/assets/", and a document with status 404 for every other path. It
// answers GET and HEAD. Documents carry a Content-Security-Policy and related headers. Any number of servers may use
// the handler at the same time. It panics if the settings are not valid, see [Settings.Check].
//
// The first request waits until everything is bundled and compressed, some tens of milliseconds. Most of the CPU of
// starting a worker would go into that otherwise, before it is ready and whether or not anybody asks it for the page.
func Handler(settings Settings) http.Handler {
	if err := settings.Check(); err != nil {
		panic(err)
	}
	made := sync.OnceValue(func() *site {
		s, err := newSite(settings)
		if err != nil {
			panic(err) // an embedded file that can't be read or bundled is a broken build
		}
		return s
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { made().ServeHTTP(w, r) })
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		policy := s.policy
		if r.URL.Query().Has("embed") {
			policy = s.embedded
		}
		serve(w, r, s.index, audience{cache: "no-cache", policy: policy})
		return
	}
	if f := s.top[name]; f != nil {
		serve(w, r, f, audience{cache: "no-cache", foreign: true})
		return
	}
	if rest, ok := strings.CutPrefix(name, assetsPath); ok {
		version, asset, _ := strings.Cut(rest, "/")
		if f := s.assets[asset]; f != nil {
			// While instances are being replaced, a document of another version may request its files from this one.
			// These files are better than none, but must not be cached under that name.
			cache := "no-store"
			if version == s.version {
				cache = "public, max-age=31536000, immutable"
			}
			serve(w, r, f, audience{cache: cache})
			return
		}
	}
	s.serveNotFound(w, r)
}

// serveNotFound serves a document whose links lead up to the page, however deep the path is.
func (s *site) serveNotFound(w http.ResponseWriter, r *http.Request) {
	top := strings.Repeat("../", strings.Count(strings.TrimPrefix(r.URL.Path, "/"), "/"))
	if top == "" {
		top = "./"
	}
	body := []byte(strings.ReplaceAll(string(s.notFound), "{top}", top))
	setHeaders(w.Header(), mediaTypes[".html"], audience{cache: "no-cache", policy: s.policy})
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		w.Write(body) // fails if the client is gone
	}
}

func setHeaders(h http.Header, mediaType string, who audience) {
	h.Set("Content-Type", mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", who.cache)
	resources := "same-origin"
	if who.foreign {
		resources = "cross-origin"
	}
	h.Set("Cross-Origin-Resource-Policy", resources)
	if who.policy != "" {
		h.Set("Content-Security-Policy", who.policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Referrer-Policy", "same-origin")
	}
}

// serve writes f, or status 304 if the client has it.
func serve(w http.ResponseWriter, r *http.Request, f *file, who audience) {
	h := w.Header()
	setHeaders(h, f.mediaType, who)
	body, tag := f.plain, `"`+f.tag+`"`
	if f.zipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			// RFC 9110 section 8.8.3.3: each encoding is another representation, and has another strong tag.
			body, tag = f.zipped, `"`+f.tag+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", tag)
	if matches(r.Header.Values("If-None-Match"), tag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(body) // fails if the client is gone
	}
}
