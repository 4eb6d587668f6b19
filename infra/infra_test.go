// Package infra checks the description of the deployment against the worker that it deploys.
package infra

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/internal/leaktest"
	"chatapp/internal/worker"
	"chatapp/internal/workertest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// read returns the text of a file of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// find returns what the pattern's group matches in the text.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return match[1]
}

// blocks returns a document's fenced blocks of a language.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	var found []string
	block := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```")
	for _, match := range block.FindAllStringSubmatch(read(t, file), -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s has no block of %s", file, language)
	}
	return found
}

// missing skips a test that cannot run here, or fails it where everything is meant to run.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func TestBicepSetsOnlyVariablesThatAreRead(t *testing.T) {
	// Read by libraries of the worker, or by the platform around it.
	known := []string{
		"AZURE_CLIENT_ID", "AZURE_TOKEN_CREDENTIALS", // azidentity
		"GOMEMLIMIT", // Go's runtime
		// App Service.
		"WEBSITES_CONTAINER_START_TIME_LIMIT", "WEBSITES_CONTAINER_STOP_TIME_LIMIT", "WEBSITES_PORT",
		"WEBSITES_ENABLE_APP_SERVICE_STORAGE", "WEBSITE_HEALTHCHECK_MAXPINGFAILURES",
		"WEBSITE_PROACTIVE_AUTOHEAL_ENABLED", "WEBSITE_WARMUP_PATH", "WEBSITE_WARMUP_STATUSES",
	}
	_, err := worker.LoadConfig(func(name string) string {
		known = append(known, name)
		return ""
	})
	if err != nil {
		t.Fatalf("LoadConfig of an empty environment: %v", err)
	}
	name := regexp.MustCompile(`\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|GOMEMLIMIT): `)
	for _, file := range []string{"worker.bicep", "chat.bicep", "modules/appservice.bicep"} {
		found := name.FindAllStringSubmatch(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s sets no variable", file)
		}
		for _, match := range found {
			if !slices.Contains(known, match[1]) {
				t.Errorf("%s sets %s, which neither the worker nor the platform reads", file, match[1])
			}
		}
	}
}

// bicepEnvironment returns the variables that worker.bicep sets for every worker on Azure.
func bicepEnvironment(t *testing.T) map[string]string {
	t.Helper()
	text := read(t, "worker.bicep")
	body := find(t, text, `(?s)var environmentVariables = \{\n(.*?)\n\}`)
	values := make(map[string]string)
	for _, match := range regexp.MustCompile(`(?m)^  ([A-Z_]+): (.*)$`).FindAllStringSubmatch(body, -1) {
		value := strings.Trim(match[2], "'")
		value = strings.ReplaceAll(value, "${port}", find(t, text, `var port = (\d+)`))
		if value == "topicName" {
			value = find(t, text, `var topicName = '(.*)'`)
		}
		values[match[1]] = value
	}
	return values
}

func bicepConfig(t *testing.T) worker.Config {
	t.Helper()
	values := bicepEnvironment(t)
	config, err := worker.LoadConfig(func(name string) string { return values[name] })
	if err != nil {
		t.Fatalf("LoadConfig of what worker.bicep sets: %v", err)
	}
	return config
}

func TestWorkerKeepsTheContract(t *testing.T) {
	contract, config := read(t, "worker.bicep"), bicepConfig(t)
	if want := find(t, contract, `var port = (\d+)`); strconv.Itoa(config.Port) != want {
		t.Errorf("the worker serves port %d, the ingress sends to %s", config.Port, want)
	}
	standard, err := worker.LoadConfig(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	topic := find(t, contract, `var topicName = '(.*)'`)
	for _, got := range []string{config.ServiceBus.Topic, standard.ServiceBus.Topic} {
		if got != topic {
			t.Errorf("the worker's topic is %q, want %q", got, topic)
		}
	}
	// After the drain come the last flush, the leave entry and the deletion of the subscription.
	const rest = 20 * time.Second
	seconds, _ := strconv.Atoi(find(t, contract, `var terminationSeconds = (\d+)`))
	if grace := time.Duration(seconds) * time.Second; grace < config.DrainTimeout+rest {
		t.Errorf("the platform kills after %v; the drain takes %v and the rest %v", grace, config.DrainTimeout, rest)
	}
	if config.Metrics.LogInterval != time.Minute {
		t.Errorf("metrics are logged every %v, want every 1m0s, as the charts' units say", config.Metrics.LogInterval)
	}
	if config.Log.Format != "json" {
		t.Errorf("the log's format is %q, want json, which the queries parse", config.Log.Format)
	}
	if len(config.Transport.TrustedProxies) == 0 {
		t.Error("no proxy is trusted, so that every client has the ingress's address")
	}
}

func TestHostsKeepTheContract(t *testing.T) {
	for file, wants := range map[string][]string{
		"chat.bicep": {
			"targetPort: port", "httpGet: { path: livenessPath, port: port }",
			"httpGet: { path: readinessPath, port: port }", "terminationGracePeriodSeconds: terminationSeconds",
			"activeRevisionsMode: 'Single'", "affinity: 'sticky'", "transport: 'auto'",
			"NICKNAME_HEADER: signedInNameHeader",
		},
		"modules/appservice.bicep": {
			"WEBSITES_PORT: string(port)", "WEBSITES_CONTAINER_STOP_TIME_LIMIT: string(terminationSeconds)",
			"healthCheckPath: livenessPath", "WEBSITE_WARMUP_PATH: livenessPath", "webSocketsEnabled: true",
			"alwaysOn: true", "clientAffinityEnabled: true", "acrUseManagedIdentityCreds: true",
			"NICKNAME_HEADER: signedInNameHeader",
		},
		"modules/servicebus.bicep": {
			"name: topicName", "supportOrdering: true", "enablePartitioning: false", "disableLocalAuth: true",
			"var dataOwner = '090c5cfd-751d-490a-894a-3ce6f1109419'", // Azure Service Bus Data Owner
		},
		"modules/storage.bicep": {
			"name: tableName", "allowSharedKeyAccess: false", "allowBlobPublicAccess: false",
			"minimumTlsVersion: 'TLS1_2'",
			"var dataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'", // Storage Table Data Contributor
		},
		"modules/registry.bicep": {
			"adminUserEnabled: false",
			"var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'", // AcrPull
		},
	} {
		text := read(t, file)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
	}
}

func TestWorkerAnswersProbes(t *testing.T) {
	contract := read(t, "worker.bicep")
	config := bicepConfig(t)
	config.DrainTimeout = 0 // there are no clients to move
	w, err := worker.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := workertest.Serve(t, w)
	server.WaitReady()
	for _, name := range []string{"livenessPath", "readinessPath"} {
		path := find(t, contract, `var `+name+` = '(.*)'`)
		status, body := get(t, server.URL+path)
		if status != http.StatusOK || strings.Contains(body, "<html") {
			t.Errorf("GET %s answers %d %q, want 200 and a short text, not a page", path, status, body)
		}
	}
}

// get returns the status and the body of a page.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
