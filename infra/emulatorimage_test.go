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
	licences := func(name, command string) string {
		_, after, _ := strings.Cut(read(t, name), "# The licences of all that is in the binary")
		before, _, _ := strings.Cut(after, "\n\n")
		return strings.ReplaceAll(before, command, "COMMAND")
	}
	collected := licences("../cmd/emulator/Dockerfile", "./cmd/emulator")
	if collected == "" || collected != licences("../Dockerfile", "./cmd/worker") {
		t.Errorf("the emulator's image collects licences by %q, want as the worker's does", collected)
	}
	if !strings.Contains(read(t, "../cmd/emulator/Dockerfile"), "COPY --from=build /out/licenses /licenses\n") {
		t.Error("the licences do not get into the emulator's image")
	}
	if !strings.Contains(read(t, "../.github/dependabot.yml"), "directories: [/, /cmd/emulator]") {
		t.Error("Dependabot does not read the emulator's Dockerfile")
	}
	main := read(t, "../.github/workflows/azure-dev.yml")
	for line := range strings.Lines(read(t, "../.github/workflows/emulator-release.yml")) {
		if strings.Contains(line, "uses:") && !strings.Contains(main, strings.TrimSpace(line)) {
			t.Errorf("the workflow azure-dev does not have %s", strings.TrimSpace(line))
		}
	}
}
