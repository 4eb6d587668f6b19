package infra

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/internal/worker"
)

// kubernetesFolder holds the kustomize base.
const kubernetesFolder = "kubernetes/"

// The base lists every file, and Kubernetes knows every field in them.
func TestKubernetesBaseIsValid(t *testing.T) {
	files, err := filepath.Glob(kubernetesFolder + "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "kustomization.yaml") })
	base := read(t, kubernetesFolder+"kustomization.yaml")
	for _, name := range files {
		if !strings.Contains(base, "\n  - "+filepath.Base(name)+"\n") {
			t.Errorf("kustomization.yaml does not list %s", name)
		}
	}
	if listed := strings.Count(base, ".yaml\n"); listed != len(files) {
		t.Errorf("kustomization.yaml lists %d files, %d are there", listed, len(files))
	}
	if _, err := exec.LookPath("kubernetes-validate"); errors.Is(err, exec.ErrNotFound) {
		missing(t, "kubernetes-validate is not installed (pip install kubernetes-validate)")
	}
	out, err := exec.Command("kubernetes-validate", append([]string{"--strict"}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("kubernetes-validate: %v\n%s", err, out)
	}
}

// The base agrees with the worker: settings that it reads, routes and the port that it serves, and enough time to end.
func TestKubernetesBaseFitsTheWorker(t *testing.T) {
	settings := make(map[string]string)
	for line := range strings.SplitSeq(read(t, kubernetesFolder+"settings.env"), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[name] = value
		}
	}
	config, err := worker.LoadConfig(func(name string) string { return settings[name] })
	if err != nil {
		t.Fatal(err)
	}
	deployment := read(t, kubernetesFolder+"deployment.yaml")
	find(t, deployment, `(containerPort: `+settings["PORT"]+`)\n`)
	grace, err := time.ParseDuration(find(t, deployment, `terminationGracePeriodSeconds: (\d+)`) + "s")
	if err != nil || grace < config.DrainTimeout+5*time.Second {
		t.Errorf("the kubelet waits %v, %v, for a worker that drains for %v and then needs 5s",
			grace, err, config.DrainTimeout)
	}
	template := read(t, "worker.bicep")
	for probe, route := range map[string]string{"readinessProbe": "readinessPath", "livenessProbe": "livenessPath"} {
		path := find(t, deployment, probe+`:\n +httpGet:\n +path: (\S+)\n`)
		if want := find(t, template, `var `+route+` = '(\S+)'`); path != want {
			t.Errorf("%s asks %s, want %s as the other hosts do", probe, path, want)
		}
	}
}
