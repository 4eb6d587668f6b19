package web_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestModules runs the tests of the page's modules that need no browser, in test/, under Node.js.
func TestModules(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "Node.js")
	}
	files, err := filepath.Glob("test/*.test.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("test/ has %d files of tests, %v", len(files), err)
	}
	arguments := append([]string{"--test", "--test-reporter=spec"}, files...)
	if output, err := exec.Command(node, arguments...).CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, output)
	}
}
