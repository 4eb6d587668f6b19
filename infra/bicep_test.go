package infra

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// bicepCompiler returns the path of Microsoft's Bicep compiler, which is looked for in $BICEP, on the PATH and
// beside the repository. No package that the tests may install has it, so its absence skips the test even where all
// other tools are required.
func bicepCompiler(t *testing.T) string {
	t.Helper()
	beside, err := filepath.Abs("../../shared/tools/bicep/bicep")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{os.Getenv("BICEP"), "bicep", beside} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Bicep compiler: it is looked for in $BICEP and on the PATH")
	return ""
}

// compiler is the one compiler of all tests: a start costs more than all their calls. It answers JSON-RPC requests on
// its standard input, and ends with that, which is when the tests end.
var compiler struct {
	mu     sync.Mutex // held for a call
	err    error
	input  io.Writer // nil before the start
	output *bufio.Reader
	calls  int
}

func startCompilerLocked(path string) error {
	command := exec.Command(path, "jsonrpc", "--stdio")
	command.Env = append(os.Environ(),
		"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", // it runs without libicu
		"DOTNET_TieredPGO=0",                      // it lives too short to gain from profiles
	)
	input, err := command.StdinPipe()
	if err != nil {
		return err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	compiler.input, compiler.output = input, bufio.NewReader(output)
	return command.Start()
}

// errRefused is an answer of the compiler that is an error.
var errRefused = errors.New("the compiler refuses")

// ask calls a method of the compiler with the members of params, and decodes the result.
func ask(t *testing.T, method string, params map[string]any, result any) error {
	t.Helper()
	path := bicepCompiler(t)
	compiler.mu.Lock()
	defer compiler.mu.Unlock()
	if compiler.input == nil {
		compiler.err = startCompilerLocked(path)
	}
	if compiler.err != nil {
		t.Fatal(compiler.err)
	}
	compiler.calls++
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	request := map[string]any{"jsonrpc": "2.0", "id": compiler.calls, "method": method, "params": params}
	if compiler.err = exchangeLocked(request, &answer); compiler.err != nil {
		t.Fatalf("%s: %v", method, compiler.err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%w: %s", errRefused, answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, result)
}

// exchangeLocked writes a message and reads one, each after a header with its length, as language servers do.
func exchangeLocked(request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(compiler.input, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		return err
	}
	header, err := textproto.NewReader(compiler.output).ReadMIMEHeader()
	if err != nil {
		return err
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return err
	}
	body = make([]byte, length)
	if _, err := io.ReadFull(compiler.output, body); err != nil {
		return err
	}
	return json.Unmarshal(body, answer)
}

// bicepFiles returns the absolute paths of all Bicep files.
func bicepFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.bicep", "modules/*.bicep"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
	}
	return files
}

// template compiles a file, and reports each diagnostic as an error.
func template(t *testing.T, path string) string {
	t.Helper()
	var compiled struct {
		Success     bool
		Contents    string
		Diagnostics []struct {
			Source, Level, Code, Message string
			Range                        struct{ Start struct{ Line, Char int } }
		}
	}
	if err := ask(t, "bicep/compile", map[string]any{"path": path}, &compiled); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, one := range compiled.Diagnostics {
		t.Errorf("%s:%d: %s %s: %s", one.Source, one.Range.Start.Line+1, one.Level, one.Code, one.Message)
	}
	if !compiled.Success {
		t.Fatalf("%s does not compile", path)
	}
	return compiled.Contents
}

func TestBicepCompilesWithoutDiagnostics(t *testing.T) {
	t.Parallel()
	for _, path := range bicepFiles(t) {
		template(t, path)
	}
}

func TestBicepIsFormatted(t *testing.T) {
	t.Parallel()
	for _, path := range bicepFiles(t) {
		var formatted struct{ Contents string }
		if err := ask(t, "bicep/format", map[string]any{"path": path}, &formatted); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if text := read(t, path); text != formatted.Contents {
			t.Errorf("%s: run bicep format; it differs at line %d", path, differs(text, formatted.Contents))
		}
	}
}

// differs returns the number of the first line in which two texts differ.
func differs(a, b string) int {
	other := strings.Split(b, "\n")
	for i, line := range strings.Split(a, "\n") {
		if i >= len(other) || line != other[i] {
			return i + 1
		}
	}
	return len(other)
}
