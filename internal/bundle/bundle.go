// Package bundle joins ES modules, or style sheets, into few files without Node.js and without a build step: programs
// embed their modules as they are written, and bundle them when they start. Package
// github.com/evanw/esbuild does the work.
//
// # Concurrency
//
// The package keeps no state. While [Build] runs, esbuild has goroutines of its own, at most one for each module and
// processor; none is left when Build returns.
package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Options says what to bundle, and how.
type Options struct {
	// Entries are the names of the files that documents load. Each becomes one file of the result, with all that it
	// imports.
	Entries []string
	// GlobalName makes classic scripts of the entries, each of which sets a global variable of this name to what the
	// entry exports. Where it is empty the results are ES modules.
	GlobalName string
	// Split puts what several entries import, and what one imports with import(), into files of their own, instead
	// of copies. It is for ES modules.
	Split bool
	// Minify removes white space and comments, and shortens names and syntax. Names of properties stay.
	Minify bool
	// SourceMaps adds a source map beside each result, with the sources in it.
	SourceMaps bool
	// Footer is added at the end of every script.
	Footer string
}

// File is one result: an entry under its own name, a part that several of them share under a name that ends in a hash
// of its content, or the source map of either, with the suffix ".map".
type File struct {
	Name    string
	Content []byte
}

// Build bundles files of fsys. A relative import leads from the importing file to another one of fsys; every other
// import is an error, and so is a file that can't be parsed. The result is the same for the same input, sorted by name.
func Build(fsys fs.FS, o Options) ([]File, error) {
	format := api.FormatESModule
	if o.GlobalName != "" {
		format = api.FormatIIFE
	}
	maps := api.SourceMapNone
	if o.SourceMaps {
		maps = api.SourceMapLinked
	}
	var footer map[string]string
	if o.Footer != "" {
		footer = map[string]string{"js": o.Footer}
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       o.Entries,
		Bundle:            true,
		Splitting:         o.Split,
		Format:            format,
		GlobalName:        o.GlobalName,
		Footer:            footer,
		MinifyWhitespace:  o.Minify,
		MinifyIdentifiers: o.Minify,
		MinifySyntax:      o.Minify,
		LegalComments:     api.LegalCommentsNone,
		Charset:           api.CharsetUTF8,
		Sourcemap:         maps,
		Target:            api.ES2022,
		Outdir:            root(),
		AbsWorkingDir:     root(),
		Outbase:           root(),
		TsconfigRaw:       "{}", // no search for a file of settings
		Plugins:           []api.Plugin{from(fsys)},
		LogLevel:          api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		var all []error
		for _, text := range api.FormatMessages(result.Errors, api.FormatMessagesOptions{}) {
			all = append(all, errors.New(strings.TrimSpace(text)))
		}
		return nil, fmt.Errorf("bundle %s: %w", strings.Join(o.Entries, ", "), errors.Join(all...))
	}
	files := make([]File, 0, len(result.OutputFiles))
	for _, f := range result.OutputFiles {
		files = append(files, File{Name: nameOf(f.Path), Content: f.Contents})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// root stands for the top of the file system in the paths of esbuild, which wants absolute ones. It never reads there.
func root() string {
	if runtime.GOOS == "windows" {
		return `C:\`
	}
	return "/"
}

// pathOf returns the path that esbuild has for a name of the file system.
func pathOf(name string) string { return root() + filepath.FromSlash(name) }

// nameOf is the inverse of pathOf.
func nameOf(p string) string { return filepath.ToSlash(strings.TrimPrefix(p, root())) }

// namespace is that of esbuild's own files: with any other one the results would have other names.
const namespace = "file"

// from makes esbuild read modules from fsys alone, never from the disk.
func from(fsys fs.FS) api.Plugin {
	resolve := func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		name := path.Clean(args.Path)
		if args.Kind != api.ResolveEntryPoint {
			if !strings.HasPrefix(args.Path, "./") && !strings.HasPrefix(args.Path, "../") {
				return api.OnResolveResult{}, fmt.Errorf("%q is not a relative path", args.Path)
			}
			name = path.Join(path.Dir(nameOf(args.Importer)), args.Path)
		}
		if _, err := fs.Stat(fsys, name); err != nil {
			return api.OnResolveResult{}, err
		}
		return api.OnResolveResult{Path: pathOf(name), Namespace: namespace}, nil
	}
	load := func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		content, err := fs.ReadFile(fsys, nameOf(args.Path))
		if err != nil {
			return api.OnLoadResult{}, err
		}
		text, loader := string(content), api.LoaderJS
		if path.Ext(args.Path) == ".css" {
			loader = api.LoaderCSS
		}
		return api.OnLoadResult{Contents: &text, Loader: loader}, nil
	}
	return api.Plugin{Name: "files", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, resolve)
		build.OnLoad(api.OnLoadOptions{Filter: ".*"}, load)
	}}
}
