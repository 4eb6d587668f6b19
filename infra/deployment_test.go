package infra

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the predicted deployments to testdata")

// A deployment is the compiler's prediction of what Azure Resource Manager is given.
type deployment struct {
	Resources   []resource `json:"predictedResources"`
	Diagnostics []any      `json:"diagnostics,omitempty"`
	Outputs     any        `json:"outputs,omitempty"`
}

type resource map[string]any

// id returns the resource's id after the subscription's, in which all ids are alike.
func (r resource) id() string {
	id, _ := r["id"].(string)
	return strings.TrimPrefix(id, "/subscriptions/00000000-0000-0000-0000-000000000000")
}

// at returns the value at a path of members, such as properties.enabled, or nil.
func (r resource) at(path string) any {
	var value any = map[string]any(r)
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// find returns the one resource of a type whose id ends as given.
func (d deployment) find(t *testing.T, kind, end string) resource {
	t.Helper()
	var found []resource
	for _, one := range d.Resources {
		if one["type"] == kind && strings.HasSuffix(one.id(), end) {
			found = append(found, one)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the deployment has %d resources %s that end in %q, want one", len(found), kind, end)
	}
	return found[0]
}

// predict returns the deployment of a parameter file.
func predict(t *testing.T, file string) (deployment, error) {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	scope := map[string]any{"subscriptionId": "00000000-0000-0000-0000-000000000000", "location": "koreacentral"}
	if strings.Contains(read(t, file), "chat.bicep'") {
		scope["resourceGroup"] = "rg-chat" // main.bicep makes the group itself
	}
	var predicted deployment
	var answer struct{ Snapshot string }
	if err := ask(t, "bicep/getSnapshot", map[string]any{"path": path, "metadata": scope}, &answer); err != nil {
		return predicted, err
	}
	return predicted, json.Unmarshal([]byte(answer.Snapshot), &predicted)
}

// TestDeploymentsAreAsRecorded predicts what Azure Resource Manager would be given for each parameter file of testdata,
// and compares it with the prediction recorded beside it, so that the diff of a commit shows what changes on Azure.
// With -update it records the predictions instead. Resources that are as in default.snapshot.json are recorded by their
// id alone.
func TestDeploymentsAreAsRecorded(t *testing.T) {
	t.Parallel()
	bicepCompiler(t)
	files, err := filepath.Glob("testdata/*.bicepparam")
	if err != nil || len(files) < 8 {
		t.Fatalf("testdata has the parameter files %q (%v), want at least eight", files, err)
	}
	standard, err := predict(t, "testdata/default.bicepparam")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		predicted := standard
		isStandard := file == filepath.Join("testdata", "default.bicepparam")
		if !isStandard {
			predicted, err = predict(t, file)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(predicted.Diagnostics) != 0 {
			t.Errorf("%s: %v", file, predicted.Diagnostics)
		}
		slices.SortFunc(predicted.Resources, func(a, b resource) int { return strings.Compare(a.id(), b.id()) })
		for i, one := range predicted.Resources {
			same := func(other resource) bool { return reflect.DeepEqual(one, other) }
			if !isStandard && slices.ContainsFunc(standard.Resources, same) {
				predicted.Resources[i] = resource{"as in default": one.id()}
			}
		}
		compareWithRecord(t, strings.TrimSuffix(file, ".bicepparam")+".snapshot.json", predicted)
	}
}

func compareWithRecord(t *testing.T, file string, predicted deployment) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(predicted); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if recorded := read(t, file); recorded != text.String() {
		line := differs(recorded, text.String())
		now := strings.Join(strings.Split(text.String()+"\n", "\n")[line-1:line+1], "\n")
		t.Errorf("%s:%d: the deployment is no longer as recorded: it has\n%s\n"+
			"If that is intended, run go test ./infra -run Recorded -update", file, line, now)
	}
}

// predictText returns the deployment of a template with parameters in the syntax of a parameter file.
func predictText(t *testing.T, template, parameters string) (deployment, error) {
	t.Helper()
	path, err := filepath.Abs(template)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "test.bicepparam")
	text := "using '" + filepath.ToSlash(relative) + "'\n" + parameters
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return predict(t, file)
}

// refusal returns the sentence with which a deployment stops.
func refusal(t *testing.T, template, parameters string) string {
	t.Helper()
	_, err := predictText(t, template, parameters)
	if !errors.Is(err, errRefused) {
		t.Fatalf("the deployment of %s is predicted (%v), want a refusal of\n%s", template, err, parameters)
	}
	return err.Error()
}
