package backplane_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// check is what spin checks of a model in testdata.
type check struct {
	model       string
	definitions []string
	compiler    []string // what the checker is compiled with
	checker     []string // what it is called with
}

// spin makes a check, and returns what the checker says.
func spin(t *testing.T, c check) string {
	t.Helper()
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		message := "the models of joining and bootstrapping are not checked: " + tool + " is not installed"
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	model, err := filepath.Abs("testdata/" + c.model)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var output []byte
	for _, command := range [][]string{
		slices.Concat([]string{"spin"}, c.definitions, []string{"-a", model}),
		slices.Concat([]string{"cc", "-w", "-o", "pan"}, c.compiler, []string{"pan.c"}),
		slices.Concat([]string{"./pan", "-m100000", "-w22"}, c.checker),
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
			// Optimizing the checker takes longer than it saves, except for a model with many states. Their
			// compression would double the time, for a tenth less memory.
			output := spin(t, check{
				model: "join.pml", definitions: test.definitions, compiler: []string{test.optimization, "-DSAFETY"},
			})
			violated := strings.Contains(output, "assertion violated") && !strings.Contains(output, "errors: 0")
			if violated != (test.violated != "") || !strings.Contains(output, test.violated) {
				t.Errorf("the checker says, want %q violated:\n%s", test.violated, output)
			}
		})
	}
}

func TestModelOfAskingHoldsItsClaim(t *testing.T) {
	for _, test := range []struct {
		name        string
		definitions []string
		holds       bool
	}{
		{"requests as often as needed", nil, true},
		{"requests that become rare", []string{"-DREQUEST=32"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			output := spin(t, check{model: "asking.pml", definitions: test.definitions, checker: []string{"-a"}})
			if strings.Contains(output, "errors: 0") != test.holds ||
				strings.Contains(output, "acceptance cycle (") == test.holds {
				t.Errorf("the checker says, want the claim to hold: %v:\n%s", test.holds, output)
			}
		})
	}
}
