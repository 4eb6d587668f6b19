package backplane_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// spin checks the model of joining and bootstrapping with the given definitions, and returns what the checker says.
// Optimizing the checker takes longer than it saves, except for a model with many states. Their compression would
// double the time, for a tenth less memory.
func spin(t *testing.T, optimization string, definitions ...string) string {
	t.Helper()
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		message := "the model of joining and bootstrapping is not checked: " + tool + " is not installed"
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	model, err := filepath.Abs("testdata/join.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var output []byte
	for _, command := range [][]string{
		append(append([]string{"spin"}, definitions...), "-a", model),
		{"cc", optimization, "-w", "-DSAFETY", "-o", "pan", "pan.c"},
		{"./pan", "-m100000", "-w22"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = dir
		if output, err = cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, output)
		}
	}
	if bytes.Contains(output, []byte("max search depth too small")) {
		t.Fatalf("the search is not complete:\n%s", output)
	}
	return string(output)
}

func TestModelOfJoiningHoldsItsClaim(t *testing.T) {
	length := "5"
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		length = "6" // eight times as many states
	}
	for _, test := range []struct {
		name         string
		optimization string
		definitions  []string
		violated     string // the claim that must not hold; "": all do
	}{
		{"cluster that loses instances", "-O1", []string{"-DLENGTH=" + length}, ""},
		{"start with nothing", "-O0", []string{"-DLENGTH=4", "-DCOLD"}, ""},
		{"without the fence", "-O0", []string{"-DNOFENCE"}, "lastBootstrap==m[i].cluster"},
		{"somebody bootstraps", "-O0", []string{"-DREACH"}, "lastBootstrap==0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			output := spin(t, test.optimization, test.definitions...)
			violated := strings.Contains(output, "assertion violated") && !strings.Contains(output, "errors: 0")
			if violated != (test.violated != "") || !strings.Contains(output, test.violated) {
				t.Errorf("the checker says, want %q violated:\n%s", test.violated, output)
			}
		})
	}
}
