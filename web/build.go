package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"chatapp/internal/bundle"
)

//go:embed page
var embedded embed.FS

// mediaTypes are the media types of the files in page/. The tables of the mime package differ from one machine to the
// next.
var mediaTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
}

// defaultTitle is that of Settings without one.
const defaultTitle = "chatapp"

func pages() fs.FS {
	sub, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// languages returns the tags of the languages that the page has, one for each file of texts.
var languages = sync.OnceValue(func() []string {
	names, err := fs.Glob(pages(), "js/languages/*.js")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(path.Base(name), ".js")
	}
	return names
})

// build holds the files that are the same for all settings, bundled and compressed.
type build struct {
	assets map[string]*file
	plain  map[string][]byte // documents and others that name assets or settings
	texts  startTexts
}

// built is made once in a process, because bundling takes some hundredth of a second.
var built = sync.OnceValues(func() (*build, error) { return buildPages(pages()) })

// scripts are classic scripts that old browsers read too, and which the bundler would make newer.
var scripts = []string{"js/failure.js", "js/theme.js"}

// templates are the files that name assets or settings.
var templates = []string{"index.html", "404.html", "app.webmanifest", "sw.js", "chat-room.js"}

func buildPages(from fs.FS) (*build, error) {
	b := &build{assets: map[string]*file{}, plain: map[string][]byte{}}
	entries := []string{"js/main.js", "css/page.css"}
	for _, tag := range languages() {
		entries = append(entries, "js/languages/"+tag+".js")
	}
	for i := range entries {
		entries[i] = "page/" + entries[i]
	}
	bundled, err := bundle.Build(withClient{from}, bundle.Options{Entries: entries, Minify: true})
	if err != nil {
		return nil, err
	}
	if b.texts, err = readStartTexts(from, languages()); err != nil {
		return nil, err
	}
	contents := map[string][]byte{}
	for _, f := range bundled {
		contents[strings.TrimPrefix(f.Name, "page/")] = f.Content
	}
	for _, name := range scripts {
		script, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		contents[name] = bytes.ReplaceAll(stripComments(script), []byte(`JSON.parse('{texts}')`), b.texts.json())
	}
	pictures, err := fs.Glob(from, "icons/*")
	if err != nil {
		return nil, err
	}
	for _, name := range pictures {
		if contents[name], err = fs.ReadFile(from, name); err != nil {
			return nil, err
		}
	}
	for name, content := range contents {
		if b.assets[name], err = newFile(name, content); err != nil {
			return nil, err
		}
	}
	for _, name := range templates {
		if b.plain[name], err = fs.ReadFile(from, name); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// withClient is the page and the client that it imports, as they lie in this folder.
type withClient struct{ page fs.FS }

// Open implements fs.FS.
func (w withClient) Open(name string) (fs.File, error) {
	if rest, ok := strings.CutPrefix(name, "page/"); ok {
		return w.page.Open(rest)
	}
	return embeddedClient.Open(name)
}

// newSite makes the site of some settings.
func newSite(settings Settings) (*site, error) {
	if err := settings.Check(); err != nil {
		return nil, err
	}
	b, err := built()
	if err != nil {
		return nil, err
	}
	s := &site{assets: maps.Clone(b.assets), top: map[string]*file{}}
	s.policy, s.embedded = settings.policies()
	title := settings.Title
	if title == "" {
		title = defaultTitle
	}
	quoted, err := json.Marshal(title)
	if err != nil {
		return nil, err
	}
	manifest := bytes.ReplaceAll(b.plain["app.webmanifest"], []byte(`"{title}"`), quoted)
	if s.assets["app.webmanifest"], err = newFile("app.webmanifest", manifest); err != nil {
		return nil, err
	}
	s.version = s.hash()
	folder, offered := assetsPath+s.version, settings.offered()
	fill := strings.NewReplacer("{assets}", folder, "{title}", html.EscapeString(title),
		"{languages}", strings.Join(offered, " "), "{settings}", string(settings.public()),
		"{noScript}", b.texts.elements("noScript", `p class="noscript"`, offered, ""))
	if s.index, err = newFile("index.html", []byte(fill.Replace(string(b.plain["index.html"])))); err != nil {
		return nil, err
	}
	s.notFound = []byte(strings.NewReplacer("{assets}", "{top}"+folder, "{title}", html.EscapeString(title),
		"{noPage}", b.texts.elements("noPage", "p", offered, ""),
		"{toChat}", b.texts.elements("toChat", "span", offered, " · ")).Replace(string(b.plain["404.html"])))
	shell, err := json.Marshal(s.shell(folder))
	if err != nil {
		return nil, err
	}
	worker := strings.NewReplacer(`"{version}"`, strconv.Quote(s.index.tag), `"{shell}"`, string(shell))
	for name, content := range map[string]string{
		"sw.js":        worker.Replace(string(b.plain["sw.js"])),
		"chat-room.js": string(b.plain["chat-room.js"]),
	} {
		if s.top[name], err = newFile(name, stripComments([]byte(content))); err != nil {
			return nil, err
		}
	}
	s.top["settings.json"], err = newFile("settings.json", settings.public())
	return s, err
}

// hash returns the version of all assets.
func (s *site) hash() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.assets)) {
		fmt.Fprintf(sum, "%s\x00%s\x00", name, s.assets[name].tag)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// shell returns the addresses of what the page needs to start, relative to it.
func (s *site) shell(folder string) []string {
	all := []string{"./"}
	for _, name := range slices.Sorted(maps.Keys(s.assets)) {
		if path.Ext(name) == ".js" || path.Ext(name) == ".css" || name == "icons/icon.svg" {
			all = append(all, folder+"/"+name)
		}
	}
	return all
}

func newFile(name string, content []byte) (*file, error) {
	zipped, err := compress(content)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(content)
	mediaType := mediaTypes[path.Ext(name)]
	if mediaType == "" {
		mediaType = "application/json"
	}
	return &file{mediaType: mediaType, plain: content, zipped: zipped, tag: hex.EncodeToString(digest[:12])}, nil
}

// stripComments removes the comments of a script that take whole lines, types included. It leaves empty lines in their
// place, so that the lines of errors are those of the source. No line of a template literal may begin like a comment.
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
