package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatapp/internal/emulator/broker"
)

var (
	declaration = regexp.MustCompile(`(?m)^(param|output) (\w+)`)
	asked       = regexp.MustCompile(`readEnvironmentVariable\('([A-Z0-9_]+)'`)
)

func TestParametersAndOutputsAreDescribed(t *testing.T) {
	files, err := filepath.Glob("modules/*.bicep")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "main.bicep", "chat.bicep") {
		text := read(t, file)
		for _, at := range declaration.FindAllStringSubmatchIndex(text, -1) {
			before := text[:at[0]]
			before = before[strings.LastIndex(before, "\n\n")+1:]
			if !strings.Contains(before, "@description(") {
				t.Errorf("%s: %s has no description", file, text[at[0]:at[1]])
			}
		}
	}
}

// settings returns the names of the azd environment's variables that users may set.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range []string{"main.bicepparam", "chat.bicepparam"} {
		for _, match := range asked.FindAllStringSubmatch(read(t, file), -1) {
			names = append(names, match[1])
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return strings.HasPrefix(name, "AZURE_") || strings.HasPrefix(name, "SERVICE_") ||
			name == "CHAT_SETTINGS" || slices.Contains(outputs(t), name)
	})
}

// outputs returns the names of the variables that deployments set in the azd environment.
func outputs(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, match := range declaration.FindAllStringSubmatch(read(t, "main.bicep")+"\n"+read(t, "chat.bicep"), -1) {
		if match[1] == "output" {
			names = append(names, match[2])
		}
	}
	return names
}

func TestEveryOutputHasAReader(t *testing.T) {
	readers := []string{"AZURE_RESOURCE_GROUP", "AZURE_CONTAINER_REGISTRY_ENDPOINT"} // azd itself
	for _, match := range asked.FindAllStringSubmatch(read(t, "chat.bicepparam"), -1) {
		readers = append(readers, match[1])
	}
	for _, name := range outputs(t) {
		if !slices.Contains(readers, name) {
			t.Errorf("nothing reads the output %s", name)
		}
	}
}

func TestSettingsAreDocumented(t *testing.T) {
	text := read(t, "README.md")
	_, text, _ = strings.Cut(text, "## Settings")
	text, _, _ = strings.Cut(text, "\n## ")
	var documented []string
	for _, match := range regexp.MustCompile(`(?m)^\|([^|]+)\|`).FindAllStringSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`([A-Z0-9_]+_[A-Z0-9_]+)`").FindAllStringSubmatch(match[1], -1) {
			documented = append(documented, name[1])
		}
	}
	slices.Sort(documented)
	if want := settings(t); !slices.Equal(documented, want) {
		t.Errorf("README.md's table of settings has %v, want %v", documented, want)
	}
}

func TestPipelineGetsEverySetting(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "../azure.yaml"), "\n  variables:")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^    - ([A-Z0-9_]+)$`).FindAllStringSubmatch(list, -1) {
		names = append(names, match[1])
	}
	if want := settings(t); !slices.Equal(names, want) {
		t.Errorf("azure.yaml gives a pipeline the variables %v, want %v", names, want)
	}
	// The workflow passes these, each by itself, and what azd needs.
	workflow := read(t, "../.github/workflows/azure-dev.yml")
	var passed []string
	for _, match := range regexp.MustCompile(`(?m)^      ([A-Z0-9_]+): \$\{\{ vars\.([A-Z0-9_]+) \}\}$`).
		FindAllStringSubmatch(workflow, -1) {
		if match[1] != match[2] {
			t.Errorf("the workflow passes %s as %s", match[2], match[1])
		}
		passed = append(passed, match[1])
	}
	want := append(settings(t), "AZURE_CLIENT_ID", "AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID",
		"AZURE_TENANT_ID", "CHAT_SETTINGS")
	slices.Sort(passed)
	slices.Sort(want)
	if !slices.Equal(passed, want) {
		t.Errorf("the workflow passes the variables %v, want %v", passed, want)
	}
	if strings.Contains(workflow, "toJSON(vars)") || strings.Contains(workflow, `vars }}`) {
		t.Error("the workflow passes all variables of the repository")
	}
}

func TestLocalEmulatorConfigHasTheTopic(t *testing.T) {
	file, err := os.Open("local/config.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	config, err := broker.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Ignored) != 0 {
		t.Errorf("its members %q are not known", config.Ignored)
	}
	namespace := broker.New(broker.Options{Namespace: config.Namespace})
	defer namespace.Close()
	if err := config.Apply(namespace); err != nil {
		t.Fatal(err)
	}
	topic := find(t, read(t, "worker.bicep"), `var topicName = '(.*)'`)
	subscriptions, err := namespace.Subscriptions(topic)
	if err != nil {
		t.Fatal(err)
	}
	if len(subscriptions) != 2 {
		t.Errorf("the topic %q has %d subscriptions, want one for each of two instances", topic, len(subscriptions))
	}
}

// A shell parses the commands of README.md, and those for a deployment by hand set every parameter of chat.bicep.
func TestReadmeCommandsAreComplete(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		missing(t, "no shell: "+err.Error())
	}
	all := blocks(t, "README.md", "sh")
	for _, block := range all {
		command := exec.Command("sh", "-n")
		command.Stdin = strings.NewReader(block)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, block)
		}
	}
	_, byHand, _ := strings.Cut(all[0], "--template-file infra/chat.bicep")
	var given, wanted []string
	for _, match := range regexp.MustCompile(`[ \n](\w+)=`).FindAllStringSubmatch(byHand, -1) {
		given = append(given, match[1])
	}
	for _, match := range regexp.MustCompile(`(?m)^param (\w+) \w+$`).FindAllStringSubmatch(read(t, "chat.bicep"), -1) {
		wanted = append(wanted, match[1])
	}
	slices.Sort(given)
	slices.Sort(wanted)
	if !slices.Equal(given, wanted) {
		t.Errorf("README.md sets the parameters %v of chat.bicep, which has %v", given, wanted)
	}
}
