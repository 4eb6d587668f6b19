// Package web serves the chat's page: documents, style sheets and ES modules, embedded from page/ and
// served without a build step. The page connects to the raw WebSocket endpoint, /ws, of the worker
// that served it, and requests nothing from any other host.
//
// The files that a document links to are served in a folder named by the hash of all files, and are
// therefore immutable. Documents are revalidated by a strong ETag. Handler compresses everything
// once.
//
// The page's modules carry JSDoc types. In this folder, npm ci installs the tools that check them;
// npm run lint and npm run types run them. go test runs the modules' own tests, in test/, under
// Node.js, and the browser tests in Chromium.
//
// # Concurrency
//
// The package starts no goroutines. The handler is immutable.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed page
var embedded embed.FS

// mediaTypes are the media types of the files in page/. The tables of the mime package differ from
// one machine to the next.
var mediaTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".webmanifest": "application/manifest+json",
}

// policy allows the page to load files from this origin and to connect to it, and nothing else. In
// every browser since Safari 15.4, 'self' includes ws: and wss: of the same host. Trusted Types turn
// every assignment of text to markup into an error.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// assetsPath is followed by the version of the site and the name of an asset.
const assetsPath = "/assets/"

// file is a served file, in both content codings.
type file struct {
	mediaType string
	plain     []byte
	zipped    []byte // empty where compression gains nothing
	tag       string // of plain, without quotes
	document  bool
	anyOrigin bool // whether pages of other origins may load it
}

// site holds all served files. It is immutable.
type site struct {
	version  string // hash of all assets
	files    map[string]*file
	notFound *file
}

// Handler serves the page at "/", its assets below "/assets/", and a document with status 404 for
// every other path. It answers GET and HEAD. Documents carry a Content-Security-Policy and related
// headers. Any number of servers may use the handler at the same time.
func Handler() http.Handler {
	pages, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	s, err := load(pages)
	if err != nil {
		panic(err) // an embedded file that can't be read is a broken build
	}
	return s
}

// load reads and compresses a site. HTML files are documents: index.html is served at "/", 404.html
// for paths without a file. In documents, {assets} is replaced by the folder of the other files.
func load(pages fs.FS) (*site, error) {
	contents := map[string][]byte{}
	var names []string
	err := fs.WalkDir(pages, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contents[name], err = fs.ReadFile(pages, name)
		if path.Ext(name) == ".js" {
			contents[name] = stripComments(contents[name])
		}
		names = append(names, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		sum.Write([]byte(name + "\x00" + strconv.Itoa(len(contents[name])) + "\x00"))
		sum.Write(contents[name])
	}
	s := &site{version: hex.EncodeToString(sum.Sum(nil)[:8]), files: map[string]*file{}}
	folder := assetsPath + s.version
	for _, name := range names {
		f := &file{mediaType: mediaTypes[path.Ext(name)], plain: contents[name], document: path.Ext(name) == ".html"}
		if f.document {
			f.plain = bytes.ReplaceAll(f.plain, []byte("{assets}"), []byte(folder))
		}
		digest := sha256.Sum256(f.plain)
		f.tag = hex.EncodeToString(digest[:12])
		if f.zipped, err = compress(f.plain); err != nil {
			return nil, err
		}
		switch {
		case name == "index.html":
			s.files["/"] = f
		case name == "404.html":
			s.notFound = f
		default:
			s.files[name] = f
		}
	}
	return s, nil
}

// stripComments removes the comments of a script that take whole lines, types included: a third of its bytes on the
// wire. It leaves empty lines in their place, so that the lines of errors are those of the source. No line of
// a template literal may begin like a comment.
func stripComments(script []byte) []byte {
	var out bytes.Buffer
	inComment := false
	for line := range bytes.Lines(script) {
		text := bytes.TrimSpace(line)
		starts := bytes.HasPrefix(text, []byte("/*")) && !bytes.Contains(text[:max(len(text)-2, 0)], []byte("*/"))
		if inComment || starts || bytes.HasPrefix(text, []byte("//")) {
			inComment = (inComment || starts) && !bytes.HasSuffix(text, []byte("*/"))
			out.WriteByte('\n')
			continue
		}
		out.Write(line)
	}
	return out.Bytes()
}

// compress returns content as gzip, or nil if that is not smaller.
func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() >= len(content) {
		return nil, nil
	}
	return out.Bytes(), nil
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/" {
		serve(w, r, s.files["/"], "no-cache", http.StatusOK)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, assetsPath); ok {
		version, name, _ := strings.Cut(rest, "/")
		if f := s.files[name]; f != nil && !f.document {
			// While instances are being replaced, a document of another version may request its files
			// from this one. These files are better than none, but must not be cached under that name.
			cache := "no-store"
			if version == s.version {
				cache = "public, max-age=31536000, immutable"
			}
			serve(w, r, f, cache, http.StatusOK)
			return
		}
	}
	serve(w, r, s.notFound, "no-cache", http.StatusNotFound)
}

// serve writes f, or status 304 if the client has it.
func serve(w http.ResponseWriter, r *http.Request, f *file, cache string, status int) {
	h := w.Header()
	body, tag := f.plain, `"`+f.tag+`"`
	if f.zipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			// RFC 9110 section 8.8.3.3: each encoding is another representation, and has another
			// strong tag.
			body, tag = f.zipped, `"`+f.tag+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Type", f.mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", resourcePolicy(f))
	h.Set("Cache-Control", cache)
	if f.document {
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Referrer-Policy", "same-origin")
	}
	if status == http.StatusOK {
		h.Set("ETag", tag)
		if matches(r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Type")
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // fails if the client is gone
	}
}

// resourcePolicy returns the origins whose pages may load a file, in the words of the Fetch standard.
func resourcePolicy(f *file) string {
	if f.anyOrigin {
		return "cross-origin"
	}
	return "same-origin"
}

// acceptsGzip reports whether Accept-Encoding allows gzip: RFC 9110 section 12.5.3.
func acceptsGzip(values []string) bool {
	accepted, byName := false, false
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(coding, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "gzip" && name != "x-gzip" && (name != "*" || byName) {
				continue
			}
			accepted, byName = weight(parameters) > 0, name != "*"
		}
	}
	return accepted
}

// weight returns the quality value of a coding, 0 if it is malformed: RFC 9110 section 12.4.2.
func weight(parameters string) float64 {
	key, value, _ := strings.Cut(strings.TrimSpace(parameters), "=")
	if strings.TrimSpace(key) == "" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.EqualFold(strings.TrimSpace(key), "q") || err != nil {
		return 0
	}
	return q
}

// matches reports whether If-None-Match contains tag. The comparison is weak: RFC 9110 section 13.1.2.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == "*" || candidate == tag {
				return true
			}
		}
	}
	return false
}
