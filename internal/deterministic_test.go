package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deterministic are the packages whose code depends on its arguments alone, so that equal calls have equal results on
// every instance and in every run.
var deterministic = map[string]struct {
	// shells are the files that are exempt, because they own goroutines, locks, clock and I/O. A new file of the
	// package is deterministic unless it is added here.
	shells []string
	// time says that the code may use the types and constants of package time.
	time bool
}{
	"internal/backplane": {
		shells: []string{"bus.go", "node.go", "execute.go", "receiver.go", "sender.go", "evictor.go", "options.go",
			"driver.go", "combiner.go", "recorder.go", "replay.go", "decompressor.go"},
		time: true,
	},
	"internal/chat/state": {},
}

// nondeterministic are packages that deterministic code does not import.
var nondeterministic = []string{
	"context", "crypto/rand", "hash/maphash", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os",
	"runtime", "sync", "sync/atomic", "unsafe",
}

// clocks are the functions of package time that read the clock or wait.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func TestDeterministicCode(t *testing.T) {
	for pkg, rule := range deterministic {
		names, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("files of %s: %v, %v", pkg, names, err)
		}
		for _, name := range names {
			base := filepath.Base(name)
			if strings.HasSuffix(base, "_test.go") || slices.Contains(rule.shells, base) {
				continue
			}
			for _, offence := range offences(t, name, rule.time) {
				t.Errorf("%s/%s %s: its code depends on its arguments alone", pkg, base, offence)
			}
		}
	}
}

// offences says what in a file is not deterministic.
func offences(t *testing.T, name string, timeAllowed bool) (found []string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		imported := importPath(spec)
		if slices.Contains(nondeterministic, imported) || imported == "time" && !timeAllowed {
			found = append(found, "imports "+imported)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, "starts a goroutine")
		case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
			found = append(found, "uses a channel")
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				found = append(found, "calls time."+n.Sel.Name)
			}
		}
		return true
	})
	return found
}
