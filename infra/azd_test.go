package infra

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// azdCommand returns a function that runs azd in a folder with its own configuration, or skips the test where there is
// no azd: no package that the tests may install has it.
func azdCommand(t *testing.T, dir string) func(args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("azd")
	if err != nil {
		t.Skip("no azd: " + err.Error())
	}
	return func(args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), path, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "AZD_CONFIG_DIR="+filepath.Join(dir, "config"),
			"AZURE_DEV_COLLECT_TELEMETRY=no", "AZD_SKIP_UPDATE_CHECK=true")
		out, err := command.CombinedOutput()
		return string(out), err
	}
}

// odd are settings whose texts are hard to carry: each has to arrive as it is.
var odd = map[string]string{
	"CHAT_ALLOWED_ORIGINS":            "https://a.example.com,https://b.example.com",
	"CHAT_OTEL_EXPORTER_OTLP_HEADERS": `a="b\c",d=$e${AZURE_ENV_NAME}'f' %g%`,
	"CHAT_MESSAGE_RATE":               "0.5",
	"CHAT_LOG_LEVEL":                  "",
	"CHAT_PAGE_ACCENT":                "#7a2e0e,#ffb38a",
	"CHAT_PAGE_TITLE":                 `찻집 "Tea & Talk"`,
	"PRIVATE_NETWORKING":              "yes",
}

// TestSettingsArriveAtTheTemplate compiles main.bicepparam as azd does: in the variables of the azd environment.
func TestSettingsArriveAtTheTemplate(t *testing.T) {
	t.Parallel()
	environment := map[string]string{"AZURE_ENV_NAME": "odd", "AZURE_LOCATION": "eastus"}
	maps.Copy(environment, odd)
	checkParameters(t, environment)
}

// TestAzdKeepsSettings sets the odd settings by azd, reads them back from azd's own parser, and compiles with them.
func TestAzdKeepsSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	azd := azdCommand(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "azure.yaml"), []byte(read(t, "../azure.yaml")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := azd("env", "new", "odd", "--location", "eastus", "--no-prompt"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, value := range odd {
		if out, err := azd("env", "set", name+"="+value); err != nil {
			t.Fatalf("azd env set %s: %v\n%s", name, err, out)
		}
	}
	out, err := azd("env", "get-values")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	environment := make(map[string]string)
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value, err := strconv.Unquote(strings.ReplaceAll(value, `\$`, `$`)) // quoted as for a shell
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		environment[name] = value
	}
	checkParameters(t, environment)
}

func checkParameters(t *testing.T, environment map[string]string) {
	t.Helper()
	command := exec.Command(bicepCompiler(t), "build-params", "main.bicepparam", "--stdout")
	command.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", "DOTNET_TieredPGO=0")
	for name, value := range environment {
		command.Env = append(command.Env, name+"="+value)
	}
	var diagnostics strings.Builder
	command.Stderr = &diagnostics
	text, err := command.Output()
	if err != nil || diagnostics.Len() > 0 {
		t.Fatalf("%v\n%s", err, &diagnostics)
	}
	var compiled struct{ ParametersJSON string }
	if err := json.Unmarshal(text, &compiled); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Parameters map[string]struct{ Value any }
	}
	if err := json.Unmarshal([]byte(compiled.ParametersJSON), &file); err != nil {
		t.Fatal(err)
	}
	settings, _ := file.Parameters["settings"].Value.(map[string]any)
	for name, value := range odd {
		got := settings[strings.TrimPrefix(name, "CHAT_")]
		if name == "PRIVATE_NETWORKING" {
			got = file.Parameters["privateNetworking"].Value
		}
		if got != value {
			t.Errorf("%s arrives as %#v, want %q", name, got, value)
		}
	}
	if got := file.Parameters["cpu"].Value; got != "" {
		t.Errorf("CHAT_CPU, which is not set, arrives as %#v, want an empty text", got)
	}
}
