package infra

import (
	"strings"
	"testing"
)

// TestEmulatorImageMatchesTheWorkers compares the pinned images, and the actions of the workflow of releases, with
// those that the tests of the worker's image and workflow check.
func TestEmulatorImageMatchesTheWorkers(t *testing.T) {
	from := func(name string) (lines []string) {
		for line := range strings.Lines(read(t, name)) {
			if strings.HasPrefix(line, "FROM ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		return lines
	}
	worker, emulator := from("../Dockerfile"), from("../cmd/emulator/Dockerfile")
	if len(emulator) != 2 || strings.Join(worker, "\n") != strings.Join(emulator, "\n") {
		t.Errorf("the emulator's image is from %q, the worker's from %q", emulator, worker)
	}
	main := read(t, "../.github/workflows/azure-dev.yml")
	for line := range strings.Lines(read(t, "../.github/workflows/emulator-release.yml")) {
		if strings.Contains(line, "uses:") && !strings.Contains(main, strings.TrimSpace(line)) {
			t.Errorf("the workflow azure-dev does not have %s", strings.TrimSpace(line))
		}
	}
}
