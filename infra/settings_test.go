package infra

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatapp/internal/worker"
)

// TestWrongSettingsAreRefusedInWords predicts deployments with wrong settings. Each has to stop with a sentence that
// names the setting.
func TestWrongSettingsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	bicepCompiler(t)
	for name, test := range map[string]struct {
		template, params string
		want             []string
	}{
		"values": {
			"main.bicep",
			`param environmentName = 'chat'
param location = 'koreacentral'
param host = 'vm'
param appServiceSku = 'B1'
param minReplicas = 'two'
param maxReplicas = '101'
param cpu = '3'
param settings = { PORT: '80', TRUSTED_PROXIES: '0.0.0.0/0' }
param serviceBusSku = 'Basic'
param messagingUnits = '3'
param privateNetworking = 'yes'
param zoneRedundant = 'on'
param customDomain = 'https://chat.example.com'
param signInClientId = 'chat'
param alertEmail = 'operator'
param monthlyBudget = '50.00'
param budgetStart = '2026-11-30'
param logDailyCapGb = '0.5'
`,
			[]string{
				`CHAT_HOST takes containerapp, appservice, not "vm"`, `APPSERVICE_SKU takes P0v3,`,
				`CHAT_MIN_REPLICAS takes a whole number from 1 to 100, not "two"`,
				`CHAT_MAX_REPLICAS takes a whole number from 1 to 100, not "101"`,
				`CHAT_CPU takes 0.25, 0.5, 1, 2, not "3"`, `settings has PORT`, `settings has TRUSTED_PROXIES`,
				`SERVICEBUS_SKU takes Standard, Premium, not "Basic"`, `SERVICEBUS_UNITS takes 1, 2, 4, 8, 16, not "3"`,
				`PRIVATE_NETWORKING takes true or false, not "yes"`, `ZONE_REDUNDANT takes true or false, not "on"`,
				`CUSTOM_DOMAIN takes a domain name`, `SIGN_IN_CLIENT_ID takes a client id`,
				`ALERT_EMAIL takes a mail address`, `MONTHLY_BUDGET takes a whole number`,
				`BUDGET_START takes the first day of a month`, `LOG_DAILY_CAP_GB takes a whole number`,
			},
		},
		"combinations": {
			"main.bicep",
			`param environmentName = 'chat'
param location = 'koreacentral'
param host = 'appservice'
param minReplicas = '1'
param maxReplicas = '31'
param zoneRedundant = 'true'
param monthlyBudget = '50'
`,
			[]string{
				`CHAT_MAX_REPLICAS takes a whole number from 1 to 30`, `ZONE_REDUNDANT needs two instances`,
				`MONTHLY_BUDGET needs BUDGET_START`, `MONTHLY_BUDGET needs ALERT_EMAIL`,
			},
		},
		"container app": {
			"chat.bicep",
			regexp.MustCompile(`(?s)^.*?\n\n|param (minReplicas|cpu).*?\n`).ReplaceAllString(
				read(t, "testdata/chat.bicepparam"), "") + "param minReplicas = '0'\nparam cpu = '0,5'\n",
			[]string{`CHAT_MIN_REPLICAS takes a whole number from 1 to 100, not "0"`, `CHAT_CPU takes`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := refusal(t, test.template, test.params)
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("the refusal does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// TestSettingsArriveAsTexts checks that azd has nothing to parse: it silently drops a bool or an int that it can't
// parse, and passes a text as it is. A reference without a default leaves unset and empty settings to Bicep.
func TestSettingsArriveAsTexts(t *testing.T) {
	var file struct {
		Parameters map[string]struct{ Value any }
	}
	if err := json.Unmarshal([]byte(read(t, "main.parameters.json")), &file); err != nil {
		t.Fatal(err)
	}
	types := make(map[string]string)
	parameter := regexp.MustCompile(`(?m)^param (\w+) (\w+)`)
	for _, match := range parameter.FindAllStringSubmatch(read(t, "main.bicep"), -1) {
		types[match[1]] = match[2]
	}
	reference := regexp.MustCompile(`^\$\{[A-Z0-9_]+\}$`)
	for name, parameter := range file.Parameters {
		want, texts := "string", []any{parameter.Value}
		if object, ok := parameter.Value.(map[string]any); ok {
			want, texts = "texts", nil
			for _, value := range object {
				texts = append(texts, value)
			}
		}
		if types[name] != want {
			t.Errorf("main.bicep declares %s as %q, want %q", name, types[name], want)
		}
		for _, value := range texts {
			if text, ok := value.(string); !ok || !reference.MatchString(text) {
				t.Errorf("the parameter %s has %v, want a reference to one variable", name, value)
			}
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
	for file, pattern := range map[string]string{
		"main.parameters.json": `"([A-Z0-9_]+)": "\$\{CHAT_([A-Z0-9_]+)\}"`,
		"chat.bicepparam":      `  ([A-Z0-9_]+): readEnvironmentVariable\('CHAT_([A-Z0-9_]+)', ''\)`,
	} {
		if got := find(file, pattern); !slices.Equal(got, declared) {
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
	for name := range bicepEnvironment(t) {
		if slices.Contains(declared, name) {
			t.Errorf("%s can be changed though the hosts rely on it", name)
		}
	}
}
