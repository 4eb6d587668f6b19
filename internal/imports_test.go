package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule says what one package of this module may import: others of this module, by their path below the module's
// name, and modules from outside the standard library, by prefix. Test files may import more.
type rule struct {
	ours    []string
	outside []string
}

// table is the architecture: every package has a line, and no import runs upwards. A package without a line fails
// the test, so a new package is a decision and not an accident.
var table = map[string]rule{
	"cmd/worker": {ours: []string{"internal/stopsignal", "internal/worker"}},
	"cmd/emulator": {
		ours: []string{"internal/emulator", "internal/emulator/broker", "internal/stopsignal",
			"internal/worker"},
		outside: []string{"golang.org/x/sys"},
	},
	"cmd/loadtest":       {ours: []string{"internal/chatcheck", "internal/chatclient"}},
	"cmd/loadtest/floor": {outside: []string{"github.com/gorilla/websocket"}},
	"internal/worker": {
		ours: []string{"internal/allowance", "internal/audit", "internal/engineio", "internal/socketio",
			"internal/chat",
			"internal/tokenbucket", "internal/backplane", "internal/pause", "internal/recorder", "internal/store",
			"internal/store/azuretable", "internal/store/embedded",
			"internal/backplane/inprocess", "internal/backplane/servicebus", "web"},
		outside: []string{"go.opentelemetry.io",
			"github.com/prometheus/client_golang"},
	},
	"internal/audit":     {},
	"internal/bundle":    {outside: []string{"github.com/evanw/esbuild"}},
	"internal/allowance": {ours: []string{"internal/tokenbucket"}},
	"internal/engineio": {
		ours:    []string{"internal/allowance", "internal/tokenbucket"},
		outside: []string{"github.com/gorilla/websocket"},
	},
	"internal/socketio": {
		ours: []string{"internal/allowance", "internal/engineio", "internal/timerheap"},
	},
	"internal/socketio/clients":    {}, // tests alone
	"internal/socketio/echoserver": {ours: []string{"internal/engineio", "internal/socketio"}},
	"internal/socketio/socketiotest": {
		ours:    []string{"internal/engineio", "internal/socketio"},
		outside: []string{"github.com/gorilla/websocket"},
	},
	"internal/chat": {
		ours: []string{"internal/allowance", "internal/chat/state", "internal/socketio", "internal/store",
			"internal/timerheap", "internal/tokenbucket"},
	},
	"internal/confusables": {outside: []string{"golang.org/x/text"}},
	"internal/chat/state": {
		ours:    []string{"internal/confusables", "internal/corecbor"},
		outside: []string{"golang.org/x/text", "github.com/rivo/uniseg", "github.com/fxamacker/cbor"},
	},
	"internal/corecbor": {},
	"internal/backplane": {
		ours:    []string{"internal/corecbor", "internal/pause", "internal/tokenbucket"},
		outside: []string{"github.com/fxamacker/cbor"},
	},
	"internal/recorder":                {ours: []string{"internal/backplane", "internal/store"}},
	"internal/backplane/inprocess":     {ours: []string{"internal/backplane"}},
	"internal/backplane/backplanetest": {ours: []string{"internal/backplane", "internal/pause", "internal/waittest"}},
	"internal/backplane/servicebus": {ours: []string{"internal/backplane", "internal/pause"},
		outside: []string{"github.com/Azure"}},
	"internal/emulator": {
		ours: []string{"internal/emulator/amqp", "internal/emulator/broker", "internal/emulator/journal",
			"internal/emulator/management"},
		outside: []string{"github.com/gorilla/websocket"},
	},
	"internal/emulator/amqp": {},
	"internal/emulator/broker": {ours: []string{"internal/emulator/broker/sqlfilter",
		"internal/emulator/journal"}},
	"internal/emulator/journal":          {ours: []string{"internal/folder"}},
	"internal/emulator/broker/sqlfilter": {},
	"internal/emulator/management":       {ours: []string{"internal/emulator/broker"}},
	"internal/attacktest":                {}, // tests alone
	"internal/chaostest":                 {}, // tests alone
	"internal/chatcheck":                 {ours: []string{"internal/chatclient", "internal/pause"}},
	"internal/chatclient":                {},
	"internal/emulator/emulatortest":     {ours: []string{"internal/emulator", "internal/emulator/broker"}},
	"internal/logtest":                   {}, // tests alone
	"internal/folder":                    {outside: []string{"golang.org/x/sys"}},
	"internal/leaktest":                  {outside: []string{"go.uber.org/goleak"}},
	"internal/simulation": {
		ours: []string{"internal/backplane", "internal/chat", "internal/chat/state", "internal/engineio",
			"internal/folder", "internal/recorder", "internal/socketio", "internal/store", "internal/store/embedded",
			"internal/store/storetest"},
	},
	"internal/stopsignal": {},
	"internal/store":      {},
	"internal/store/azuretable": {ours: []string{"internal/store"},
		outside: []string{"github.com/Azure", "github.com/fxamacker/cbor"}},
	"internal/store/azuretable/azuritetest": {ours: []string{"internal/waittest"}},
	"internal/store/embedded":               {ours: []string{"internal/folder", "internal/store"}},
	"internal/store/storetest":              {ours: []string{"internal/store"}},
	"internal/waittest":                     {},
	"internal/workertest": {
		ours: []string{"internal/backplane", "internal/waittest", "internal/worker"},
	},
	"internal":             {},
	"internal/pause":       {},
	"internal/timerheap":   {},
	"internal/tokenbucket": {},
	"infra":                {},
	"web":                  {ours: []string{"internal/bundle"}},
}

// codecs are the files that turn bytes into values and back: no I/O, locks, contexts or clocks in them.
var codecs = []string{
	"internal/engineio/packet.go", "internal/engineio/payload.go", "internal/socketio/packet.go",
	"internal/emulator/amqp/*.go", "internal/backplane/envelope.go", "internal/backplane/batch.go",
	"internal/corecbor/*.go",
}

var codecBans = []string{"net", "net/http", "os", "sync", "sync/atomic", "context", "time", "log/slog"}

// timeAllowed are codecs whose format has a timestamp type, so that they need the package time as a vocabulary.
var timeAllowed = []string{"internal/emulator/amqp"}

func TestImports(t *testing.T) {
	root := ".."
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		checkFile(t, filepath.ToSlash(rel), name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, rel, name string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	pkg := path.Dir(rel)
	allowed, ok := table[pkg]
	if !ok {
		t.Errorf("%s: package %s has no line in the table of imports", rel, pkg)
		return
	}
	isTest := strings.HasSuffix(rel, "_test.go")
	for _, spec := range file.Imports {
		imported := importPath(spec)
		switch first, _, _ := strings.Cut(imported, "/"); {
		case first == "chatapp":
			ours := strings.TrimPrefix(imported, "chatapp/")
			if !isTest && !slices.Contains(allowed.ours, ours) {
				t.Errorf("%s imports %s: not in the table of imports", rel, ours)
			}
		case strings.Contains(first, "."):
			within := func(prefix string) bool { return strings.HasPrefix(imported, prefix) }
			if !isTest && !slices.ContainsFunc(allowed.outside, within) {
				t.Errorf("%s imports %s: not in the table of imports", rel, imported)
			}
		case !isTest && isCodec(rel) && slices.Contains(codecBans, imported):
			if imported == "time" && slices.Contains(timeAllowed, pkg) {
				continue
			}
			t.Errorf("%s imports %s: a codec has no I/O, locks, contexts or clocks", rel, imported)
		}
	}
}

func importPath(spec *ast.ImportSpec) string {
	value, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return value
}

func isCodec(rel string) bool {
	return slices.ContainsFunc(codecs, func(pattern string) bool {
		ok, _ := path.Match(pattern, rel)
		return ok
	})
}
