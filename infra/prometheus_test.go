package infra

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"chatapp/internal/workertest"
)

// TestPrometheusFilesAskForWhatIsExported holds the dashboard and the alert rules to the metrics of a worker, and these
// to Prometheus' conventions.
func TestPrometheusFilesAskForWhatIsExported(t *testing.T) {
	t.Parallel()
	s := workertest.Start(t, nil, "METRICS_LOG_INTERVAL=0s")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	exported := make(map[string]bool)
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(metrics), -1) {
		exported[match[1]] = true
		if match[2] == "histogram" {
			exported[match[1]+"_bucket"] = true
		}
	}
	// A histogram is exported with its first value.
	exported["chat_log_latency_seconds_bucket"] = true
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "monitoring/grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	expressions := make(map[string]string)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expressions[panel.Title] += target.Expr + "\n"
		}
	}
	rules := regexp.MustCompile(`alert: (\S+)\n +expr: (.*)\n`).
		FindAllStringSubmatch(read(t, "monitoring/prometheus-rules.yaml"), -1)
	for _, match := range rules {
		expressions[match[1]] = match[2]
	}
	if len(rules) == 0 || len(dashboard.Panels) == 0 {
		t.Fatal("no rules or no panels")
	}
	name := regexp.MustCompile(`\b(?:chat|process|go)_[a-z_]+`)
	for title, expression := range expressions {
		asked := name.FindAllString(expression, -1)
		if len(asked) == 0 {
			t.Errorf("%s asks for no metric", title)
		}
		for _, one := range asked {
			if !exported[one] {
				t.Errorf("%s asks for %s, which the worker does not export", title, one)
			}
		}
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		missing(t, "promtool is not installed (Debian's package prometheus)")
	}
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(string(metrics))
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	check := exec.Command("promtool", "check", "rules", "monitoring/prometheus-rules.yaml")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}
