package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"chatapp/internal/bundle"
)

//go:embed client/*.js
var embeddedClient embed.FS

// clientScripts are the forms of the Socket.IO client, under the names that the official servers give
// theirs: classic scripts that set the global variable io, and a module.
var clientScripts = map[string]bundle.Options{
	"socket.io.js":         {GlobalName: "io", Footer: "io = io.io;"},
	"socket.io.min.js":     {GlobalName: "io", Footer: "io=io.io;", Minify: true},
	"socket.io.esm.min.js": {Minify: true},
}

// ClientHandler serves the Socket.IO client of the folder client: socket.io.js, socket.io.min.js,
// socket.io.esm.min.js and their source maps, in whatever directory they are requested. It bundles them
// for the first request. Pages of any origin may load them, as they may connect where the server's
// origins allow it. It answers GET and HEAD, and any number of servers may use it at the same time.
func ClientHandler() http.Handler {
	files := sync.OnceValue(func() map[string]*file {
		all, err := bundleClient()
		if err != nil {
			panic(err) // an embedded module that can't be bundled is a broken build
		}
		return all
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		f := files()[path.Base(r.URL.Path)]
		if f == nil {
			http.NotFound(w, r)
			return
		}
		// A module is requested with CORS, also by pages of other origins.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		serve(w, r, f, audience{cache: "no-cache", foreign: true})
	})
}

// ClientScripts returns the names of the files that ClientHandler serves.
func ClientScripts() []string {
	var names []string
	for name := range clientScripts {
		names = append(names, name, name+".map")
	}
	return names
}

// bundleClient returns the files of ClientScripts by their names.
func bundleClient() (map[string]*file, error) {
	modules, err := fs.Sub(embeddedClient, "client")
	if err != nil {
		return nil, err
	}
	all := map[string]*file{}
	for name, options := range clientScripts {
		options.Entries, options.SourceMaps = []string{"index.js"}, true
		results, err := bundle.Build(modules, options)
		if err != nil {
			return nil, err
		}
		for _, result := range results {
			f := &file{mediaType: mediaTypes[".js"], plain: result.Content}
			served := name
			if strings.HasSuffix(result.Name, ".map") {
				f.mediaType, served = "application/json", name+".map"
			} else {
				old, linked := "sourceMappingURL=index.js.map", "sourceMappingURL="+name+".map"
				f.plain = []byte(strings.Replace(string(f.plain), old, linked, 1))
			}
			digest := sha256.Sum256(f.plain)
			f.tag = hex.EncodeToString(digest[:12])
			if f.zipped, err = compress(f.plain); err != nil {
				return nil, err
			}
			all[served] = f
		}
	}
	return all, nil
}
