package infra

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recorded returns a recorded deployment of testdata.
func recorded(t *testing.T, name string) deployment {
	t.Helper()
	var all deployment
	if err := json.Unmarshal([]byte(read(t, "testdata/"+name+".snapshot.json")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A panel is an element of monitoring/panels.json, which workbook.bicep makes a panel of the workbook: a query over the
// logs, or metrics of the Service Bus namespace by how they are aggregated.
type panel struct {
	Title, Chart, Query string
	Sums, Maxima        []string
}

func panels(t *testing.T) []panel {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(read(t, "monitoring/panels.json")))
	decoder.DisallowUnknownFields()
	var all []panel
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// queries returns all queries over the workers' log lines, of the workbook and of the alerts, by their titles.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, one := range panels(t) {
		all[one.Title] = one.Query
	}
	for _, one := range recorded(t, "default").Resources {
		if one["type"] != "Microsoft.Insights/scheduledQueryRules" {
			continue
		}
		criteria, _ := one.at("properties.criteria.allOf").([]any)
		for _, criterion := range criteria {
			query, _ := criterion.(map[string]any)["query"].(string)
			all[one.id()] = query
		}
	}
	return all
}

var metricKey = regexp.MustCompile(`M\[["']([^"']+)["']\]`)

// checkQueriesOfMetrics checks that a log holds a line of metrics with every key that the charts and alerts ask for.
func checkQueriesOfMetrics(t *testing.T, logs string) {
	t.Helper()
	keys := make(map[string]bool)
	for line := range strings.Lines(logs) {
		var entry struct {
			Msg, Instance string
			Metrics       map[string]float64
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "metrics" || entry.Instance == "" {
			continue
		}
		for key := range entry.Metrics {
			keys[key] = true
		}
	}
	asked := 0
	for title, query := range queries(t) {
		for _, match := range metricKey.FindAllStringSubmatch(query, -1) {
			asked++
			if !keys[match[1]] {
				t.Errorf("%s: the query asks for %s, which no line of metrics has", title, match[1])
			}
		}
	}
	if asked < 15 {
		t.Errorf("all queries ask for %d metrics, want at least 15", asked)
	}
}

// TestPlatformMetricsAreQueriedAsMetrics checks the panels of what Azure measures. The table AzureMetrics lacks most of
// these metrics: diagnostic settings can't export them.
func TestPlatformMetricsAreQueriedAsMetrics(t *testing.T) {
	for title, query := range queries(t) {
		if strings.Contains(query, "AzureMetrics") {
			t.Errorf("%s: the query reads the table AzureMetrics", title)
		}
	}
	var sums, maxima []string
	for _, one := range panels(t) {
		sums, maxima = append(sums, one.Sums...), append(maxima, one.Maxima...)
	}
	slices.Sort(sums)
	wantSums := []string{"IncomingMessages", "OutgoingMessages", "ServerErrors", "ThrottledRequests", "UserErrors"}
	wantMaxima := []string{"ActiveMessages", "DeadletteredMessages"}
	if !slices.Equal(sums, wantSums) || !slices.Equal(maxima, wantMaxima) {
		t.Errorf("the workbook shows sums of %q and maxima of %q, want %q and %q", sums, maxima, wantSums, wantMaxima)
	}
	// The prediction does not evaluate the workbook's text, because ids of other resources are in it.
	workbook := recorded(t, "default").find(t, "Microsoft.Insights/workbooks", "")
	text, _ := workbook.at("properties.serializedData").(string)
	for aggregation, names := range map[string][]string{"1": sums, "3": maxima} {
		for _, name := range names {
			const kind = "microsoft.servicebus/namespaces"
			if !strings.Contains(text, "'"+kind+"--"+name+"', 'aggregation', "+aggregation+")") {
				t.Errorf("the deployed workbook lacks the metric %s with aggregation %s", name, aggregation)
			}
		}
	}
	if !strings.Contains(text, "'MetricsItem/2.0'") {
		t.Error("the deployed workbook has no panel of metrics")
	}
}

func TestPanelsAreComplete(t *testing.T) {
	charts := []string{"areachart", "barchart", "timechart", "table"}
	for _, one := range panels(t) {
		ofMetrics := one.Chart == "metrics" && one.Query == "" && len(one.Sums)+len(one.Maxima) > 0
		ofLogs := slices.Contains(charts, one.Chart) && one.Query != "" && len(one.Sums)+len(one.Maxima) == 0
		if one.Title == "" || !ofMetrics && !ofLogs {
			t.Errorf("the panel %+v lacks a title, a known chart, or either a query or metrics", one)
		}
	}
}
