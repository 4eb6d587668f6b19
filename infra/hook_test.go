//go:build unix

package infra

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPredeployHookPassesTheCommit runs the hook of azure.yaml as azd does, with each shell that is here.
func TestPredeployHookPassesTheCommit(t *testing.T) {
	t.Parallel()
	project := read(t, "../azure.yaml")
	t.Run("sh", func(t *testing.T) {
		t.Parallel()
		hook := find(t, project, `(?s)    posix:.*?\n      run: >-\n(.*?)\n    windows:`)
		if !strings.Contains(project, "    posix:\n      shell: sh\n      continueOnError: true\n") {
			t.Error("a failure of the hook stops the deployment")
		}
		testHook(t, "sh", "#!/bin/sh\nset -e\n\n"+strings.Join(strings.Fields(hook), " ")+"\n")
	})
	t.Run("pwsh", func(t *testing.T) {
		t.Parallel()
		hook := find(t, project, `(?s)    windows:.*?\n      run: >-\n(.*?)\npipeline:`)
		if !strings.Contains(project, "    windows:\n      shell: pwsh\n      continueOnError: true\n") {
			t.Error("a failure of the hook stops the deployment")
		}
		// PowerShell before 7.3 drops an argument that is empty.
		if !strings.HasSuffix(strings.TrimSpace(hook), `azd env set "CHAT_VERSION=$version"`) {
			t.Errorf("the hook ends in another command: %s", hook)
		}
		testHook(t, "pwsh", "$ErrorActionPreference = 'Stop'\n\n"+strings.Join(strings.Fields(hook), " ")+
			"\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }\n")
	})
}

func testHook(t *testing.T, shell, script string) {
	t.Helper()
	interpreter, err := exec.LookPath(shell)
	if err != nil {
		t.Skip("no " + shell + ", which no package that the tests may install has: " + err.Error())
	}
	git, err := exec.LookPath("git")
	if err != nil {
		missing(t, "no git: "+err.Error())
	}
	dir := t.TempDir()
	called := filepath.Join(dir, "called")
	file := filepath.Join(dir, map[string]string{"sh": "hook.sh", "pwsh": "hook.ps1"}[shell])
	project, commands := filepath.Join(dir, "a project"), filepath.Join(dir, "commands")
	for _, path := range []string{project, commands} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	stub := fmt.Sprintf("#!/bin/sh\nprintf '%%s|' \"$@\" > '%s'\n", called)
	azd := filepath.Join(commands, "azd")
	if err := os.WriteFile(azd, []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(path, name string, args ...string) (string, error) {
		t.Helper()
		command := exec.Command(name, args...)
		command.Dir = project
		command.Env = append(os.Environ(), "PATH="+path, "GIT_CEILING_DIRECTORIES="+dir,
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := command.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	everything := commands + ":" + os.Getenv("PATH")
	gitCommand := func(args ...string) string {
		t.Helper()
		out, err := run(everything, git, args...)
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return out
	}
	check := func(what, path, version string) {
		t.Helper()
		if out, err := run(path, interpreter, file); err != nil {
			t.Fatalf("%s the hook ends with %v and prints\n%s", what, err, out)
		}
		if got, want := read(t, called), "env|set|CHAT_VERSION="+version+"|"; got != want {
			t.Errorf("%s the hook calls azd with %q, want %q", what, got, want)
		}
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(project, "file"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check("outside of a repository", everything, "")
	gitCommand("init", "--quiet")
	write("1")
	gitCommand("add", "file")
	gitCommand("commit", "--quiet", "--message", "one")
	commit := gitCommand("rev-parse", "--short=12", "HEAD")
	check("with a commit", everything, commit)
	write("2")
	check("with changes", everything, commit+"+changes")
	check("without Git", commands, "")
	if err := os.Remove(azd); err != nil {
		t.Fatal(err)
	}
	if out, err := run(commands, interpreter, file); err == nil {
		t.Errorf("without azd the hook succeeds and prints\n%s", out)
	}
}
