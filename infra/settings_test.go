package infra

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatapp/internal/worker"
)

// An example is a wrong value of a setting.
type example struct{ name, value string }

// wrongExamples returns the examples of README.md's table of settings.
func wrongExamples(t *testing.T) []example {
	t.Helper()
	var all []example
	quoted := regexp.MustCompile("`([^`]*)`")
	const head = "\n| name | values | unset or empty | refused, for example | then |"
	_, table, _ := strings.Cut(read(t, "README.md"), head)
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.Contains(cells[1], "`") || cells[4] == " by the worker, at its start " {
			continue
		}
		names, values := quoted.FindAllStringSubmatch(cells[1], -1), quoted.FindAllStringSubmatch(cells[4], -1)
		if len(names) != len(values) {
			t.Fatalf("README.md has %d wrong values for %q", len(values), names)
		}
		for i, name := range names {
			all = append(all, example{name[1], values[i][1]})
		}
	}
	if len(all) < 15 {
		t.Fatalf("README.md has wrong values of %v only", all)
	}
	return all
}

// minimal are the parameters of main.bicep that azd always sets.
const minimal = "param environmentName = 'chat'\nparam location = 'koreacentral'\n"

// TestWrongSettingsAreRefusedInWords predicts deployments with wrong settings. Each has to stop with a sentence that
// names the setting and the value.
func TestWrongSettingsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	bicepCompiler(t)
	passed := read(t, "main.bicepparam")
	all := minimal + "param settings = { PORT: '80', TRUSTED_PROXIES: '0.0.0.0/0' }\n" +
		"param formerSettings = '{\"MESSAGE_RATE\": 1}'\n"
	wants := []string{"settings has PORT", "settings has TRUSTED_PROXIES", "CHAT_SETTINGS is no longer read"}
	for _, one := range wrongExamples(t) {
		parameter := find(t, passed, `(?m)^param (\w+) = readEnvironmentVariable\('`+one.name+`', ''\)$`)
		all += "param " + parameter + " = '" + one.value + "'\n"
		wants = append(wants, one.name+" takes ", "not \""+one.value+"\"")
	}
	chat := regexp.MustCompile(`(?s)^.*?\n\n|param (minReplicas|cpu).*?\n`).ReplaceAllString(
		read(t, "testdata/chat.bicepparam"), "") + "param minReplicas = '0'\nparam cpu = '0,5'\n"
	for _, test := range []struct {
		template, params string
		want             []string
	}{
		{"main.bicep", all, wants},
		{
			"main.bicep",
			minimal + "param host = 'appservice'\nparam minReplicas = '1'\nparam maxReplicas = '31'\n" +
				"param zoneRedundant = 'true'\nparam monthlyBudget = '50'\n",
			[]string{
				`CHAT_MAX_REPLICAS takes a whole number from 1 to 30`, `ZONE_REDUNDANT needs two instances`,
				`MONTHLY_BUDGET needs BUDGET_START`, `MONTHLY_BUDGET needs ALERT_EMAIL`,
			},
		},
		{
			"chat.bicep", chat,
			[]string{`CHAT_MIN_REPLICAS takes a whole number from 1 to 100, not "0"`, `CHAT_CPU takes`},
		},
	} {
		out := refusal(t, test.template, test.params)
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("the refusal does not say %q:\n%s", want, out)
			}
		}
	}
}

// TestSettingsArriveAsTexts checks that the parameter files pass each setting as it is: a conversion there would fail
// without a sentence. An unset setting is as good as an empty one.
func TestSettingsArriveAsTexts(t *testing.T) {
	assignment := regexp.MustCompile(`(?m)^(?:param| ) (\w+)(?: =|:) (.*)$`)
	text := regexp.MustCompile(`^readEnvironmentVariable\('[A-Z0-9_]+'(, '')?\)$`)
	for _, file := range []string{"main.bicepparam", "chat.bicepparam"} {
		passed := 0
		for _, match := range assignment.FindAllStringSubmatch(read(t, file), -1) {
			switch name, value := match[1], match[2]; {
			case text.MatchString(value):
				passed++
			case name == "settings" && value == "{", name == "exists":
			default:
				t.Errorf("%s: %s is %s, want the text of one variable", file, name, value)
			}
		}
		if passed < 20 {
			t.Errorf("%s passes %d settings", file, passed)
		}
	}
}

// TestWorkerSettingsAreRead checks the worker's own settings: the three files that pass them name the same ones, and
// the worker or a library of it reads each.
func TestWorkerSettingsAreRead(t *testing.T) {
	find := func(file, pattern string) []string {
		var names []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
			if len(match) == 3 && match[1] != match[2] {
				t.Errorf("%s: %s comes from CHAT_%s", file, match[1], match[2])
			}
			names = append(names, match[1])
		}
		slices.Sort(names)
		return names
	}
	sizes := regexp.MustCompile(`(?s)var planSizes = \[(.*?)\]`).FindString(read(t, "settings.bicep"))
	planSizes := regexp.MustCompile(`P\w+v\d`).FindAllString(sizes, -1)
	declared := find("settings.bicep", `(?m)^  '([A-Z0-9_]+)'$`)
	declared = slices.DeleteFunc(declared, func(name string) bool { return slices.Contains(planSizes, name) })
	passed := `  ([A-Z0-9_]+): readEnvironmentVariable\('CHAT_([A-Z0-9_]+)', ''\)`
	for _, file := range []string{"main.bicepparam", "chat.bicepparam"} {
		got := find(file, passed)
		if !slices.Equal(got, declared) {
			t.Errorf("%s passes the settings %v, settings.bicep names %v", file, got, declared)
		}
	}
	read := []string{"GOGC", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_PROTOCOL"}
	if _, err := worker.LoadConfig(func(name string) string {
		read = append(read, name)
		return ""
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range declared {
		if !slices.Contains(read, name) {
			t.Errorf("the worker does not read %s", name)
		}
	}
	for _, name := range read {
		ofPage := strings.HasPrefix(name, "PAGE_") || name == "EMBED_ORIGINS"
		if ofPage && !slices.Contains(declared, name) {
			t.Errorf("no deployment can set the page's %s", name)
		}
	}
	for name := range bicepEnvironment(t) {
		if slices.Contains(declared, name) {
			t.Errorf("%s can be changed though the hosts rely on it", name)
		}
	}
}
