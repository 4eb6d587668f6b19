//go:build unix

package infra

import (
	"bufio"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/workertest"
)

type instruction struct{ name, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	var all []instruction
	text := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(read(t, "../Dockerfile"), "") // joins continued lines
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		all = append(all, instruction{name, strings.TrimSpace(rest)})
	}
	return all
}

// values returns the arguments of all instructions with a name.
func values(all []instruction, name string) []string {
	var found []string
	for _, one := range all {
		if one.name == name {
			found = append(found, one.rest)
		}
	}
	return found
}

func TestDockerfile(t *testing.T) {
	all := dockerfile(t)
	from := values(all, "FROM")
	distroless := regexp.MustCompile(`^gcr\.io/distroless/static-.*:nonroot@sha256:[0-9a-f]{64}$`)
	if len(from) != 2 || !distroless.MatchString(from[1]) {
		t.Fatalf("stages are %q, want a build and a distroless one, by digest", from)
	}
	builder := find(t, from[0], `^golang:(\d+\.\d+)\.\d+@sha256:[0-9a-f]{64} AS build$`)
	if want := find(t, read(t, "../go.mod"), `(?m)^go (\d+\.\d+)`); builder != want {
		t.Errorf("the image is built by Go %s, go.mod says %s", builder, want)
	}
	if user := values(all, "USER"); !slices.Equal(user, []string{"65532:65532"}) {
		t.Errorf("USER is %q, want distroless's nonroot by number, which every platform can check", user)
	}
	if entry := values(all, "ENTRYPOINT"); !slices.Equal(entry, []string{`["/worker"]`}) {
		t.Errorf("ENTRYPOINT is %q, want the worker without a shell, so that it gets the signals", entry)
	}
	for _, name := range []string{"ADD", "CMD", "SHELL", "VOLUME", "ENV"} {
		if found := values(all, name); len(found) != 0 {
			t.Errorf("the Dockerfile has %s %q", name, found)
		}
	}
	for _, one := range all {
		if strings.Contains(one.rest, "--mount") || strings.Contains(one.rest, "<<") {
			t.Errorf("%s %s needs BuildKit, which the registry's builders do not have", one.name, one.rest)
		}
	}
	passed := strings.Contains(read(t, "../azure.yaml"), "- VERSION=${CHAT_VERSION}")
	if !passed || !slices.Contains(values(all, "ARG"), "VERSION=") {
		t.Error("azure.yaml and the Dockerfile do not agree on the build argument with the version")
	}
}

// uploaded reports whether .dockerignore lets a file into the build's context: the last pattern that matches the file,
// or a folder above it, decides.
func uploaded(patterns []string, name string) bool {
	in := true
	for _, pattern := range patterns {
		keep := strings.HasPrefix(pattern, "!")
		pattern = strings.TrimPrefix(pattern, "!")
		for prefix := name; prefix != "."; prefix = path.Dir(prefix) {
			of, against := pattern, prefix
			if rest, deep := strings.CutPrefix(pattern, "**/"); deep {
				of, against = rest, path.Base(prefix)
			}
			if ok, _ := path.Match(of, against); ok {
				in = keep
			}
		}
	}
	return in
}

func ignorePatterns(t *testing.T) []string {
	t.Helper()
	var patterns []string
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return patterns
}

func TestPrivateFilesAreNotUploaded(t *testing.T) {
	patterns := ignorePatterns(t)
	for name, want := range map[string]bool{
		"Dockerfile": true, "LICENSE": true, "go.mod": true, "go.sum": true, "cmd/worker/main.go": true,
		"internal/worker/config.go": true, "web/page/index.html": true,
		".azure/chat/.env": false, "infra/.azure/config.json": false, "internal/.azure/x/.env": false, ".env": false,
		"web/.env": false, "internal/worker/.env": false, ".git/config": false, "README.md": false,
		"infra/main.bicep": false, "cmd/emulator/main.go": false, "internal/worker/config_test.go": false,
		"internal/chat/testdata/x.json": false, "web/node_modules/x/index.js": false,
		".github/workflows/azure-dev.yml": false,
	} {
		if got := uploaded(patterns, name); got != want {
			t.Errorf("uploaded(%q) = %v, want %v", name, got, want)
		}
	}
}

// copyContext copies the files that the Dockerfile's COPY takes from the context and .dockerignore does not exclude.
func copyContext(t *testing.T, all []instruction, to string) {
	t.Helper()
	patterns := ignorePatterns(t)
	for _, rest := range values(all, "COPY") {
		fields := strings.Fields(rest)
		if strings.HasPrefix(fields[0], "--from=") {
			continue
		}
		for _, source := range fields[:len(fields)-1] {
			err := filepath.WalkDir(filepath.Join("..", source), func(name string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				rel, err := filepath.Rel("..", name)
				if err != nil || !uploaded(patterns, filepath.ToSlash(rel)) {
					return err
				}
				bytes, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				target := filepath.Join(to, rel)
				if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
					return err
				}
				return os.WriteFile(target, bytes, 0o644)
			})
			if err != nil {
				t.Fatalf("COPY %s: %v", rest, err)
			}
		}
	}
}

var workerBuild struct {
	once     sync.Once
	binary   []byte              // empty where the build failed
	licences map[string][]string // names of licence files, by module
}

// imageWorker returns the path of the worker that the Dockerfile's own commands build from their own context. The
// first call builds it for all tests; each test gets a copy.
func imageWorker(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		missing(t, "no shell for the Dockerfile's commands: "+err.Error())
	}
	binary := filepath.Join(t.TempDir(), "worker")
	workerBuild.once.Do(func() {
		all := dockerfile(t)
		source, output := t.TempDir(), t.TempDir()
		copyContext(t, all, source)
		for _, command := range values(all, "RUN") {
			run := exec.Command("sh", "-ec", strings.ReplaceAll(command, "/out/", output+"/"))
			run.Dir = source
			run.Env = append(os.Environ(), "VERSION=image-test", "GOFLAGS=") // as in the image, without -race
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", command, err, out)
			}
		}
		content, err := os.ReadFile(filepath.Join(output, "worker"))
		if err != nil {
			t.Fatal(err)
		}
		workerBuild.binary, workerBuild.licences = content, licenceFiles(t, filepath.Join(output, "licenses"))
	})
	if len(workerBuild.binary) == 0 {
		t.Fatal("the worker was not built")
	}
	if err := os.WriteFile(binary, workerBuild.binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return binary
}

func licenceFiles(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		module, err := filepath.Rel(root, filepath.Dir(name))
		found[filepath.ToSlash(module)] = append(found[filepath.ToSlash(module)], entry.Name())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestImageHasLicences(t *testing.T) {
	t.Parallel()
	info, err := buildinfo.ReadFile(imageWorker(t))
	if err != nil {
		t.Fatal(err)
	}
	modules := []string{"chatapp", "go"}
	for _, module := range info.Deps {
		modules = append(modules, module.Path)
	}
	for _, module := range modules {
		if len(workerBuild.licences[module]) == 0 {
			t.Errorf("the image has no licence of %s", module)
		}
	}
	if copies := values(dockerfile(t), "COPY"); !slices.Contains(copies, "--from=build /out/licenses /licenses") {
		t.Errorf("the licences do not get into the image: COPY %q", copies)
	}
}

// TestImageRuns builds the worker with the Dockerfile's own commands, from its own context, and runs it as the image
// does: as the image's user, in a file system that holds only the binary and that the user can't write to.
func TestImageRuns(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		missing(t, "changing the root directory needs Linux and root")
	}
	t.Parallel()
	binary := imageWorker(t)
	checkBinary(t, binary)
	root, err := os.MkdirTemp("", "chatapp-image") // t.TempDir's parents are closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "worker"), content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	runAlone(t, root)
}

// maxBinary leaves room in the image, for which .ci/run allows 33 MB, for distroless/static, which is about 2 MB, and
// the licences.
const maxBinary = 30_500_000

func checkBinary(t *testing.T, binary string) {
	t.Helper()
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MB", float64(info.Size())/(1<<20))
	if info.Size() > maxBinary {
		t.Errorf("the binary has %d bytes, want at most %d", info.Size(), maxBinary)
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			t.Error("the binary needs a dynamic linker, which the image does not have")
		}
	}
}

func runAlone(t *testing.T, root string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "/worker")
	command.Dir = "/"
	command.Env = []string{"PORT=0", "DRAIN_TIMEOUT=0s", "LOG_FORMAT=json", "METRICS_LOG_INTERVAL=1h"}
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	logs, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start in an empty root directory: %v", err)
	}
	address, printed := awaitAddress(logs)
	if address == "" {
		t.Fatalf("the worker ended with %v without listening, and printed:\n%s", command.Wait(), printed)
	}
	if !strings.Contains(printed, `"version":"image-test"`) {
		t.Errorf("the worker does not log the version it was built with, it printed:\n%s", printed)
	}
	workertest.WaitReady(t, "http://"+address)
	status, body := get(t, "http://"+address+"/")
	if status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("GET / answers %d and %d bytes, want the page", status, len(body))
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(logs)
	if err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after SIGTERM the worker ended with %v, want exit status 0; it printed:\n%s", err, rest)
	}
	if !strings.Contains(string(rest), `"msg":"metrics"`) || !strings.Contains(string(rest), `"chat.sockets":0`) {
		t.Errorf("at its end the worker does not log its metrics, it printed:\n%s", rest)
	}
}

var listening = regexp.MustCompile(`"addr":"[^"]*:(\d+)"`)

// awaitAddress reads the log until it names the port.
func awaitAddress(logs io.Reader) (address, printed string) {
	lines := bufio.NewReader(logs)
	for {
		line, err := lines.ReadString('\n')
		printed += line
		if match := listening.FindStringSubmatch(line); match != nil {
			return "127.0.0.1:" + match[1], printed
		}
		if err != nil {
			return "", printed
		}
	}
}
