package worker

import (
	"net/url"
	"os"
	"strconv"
	"strings"
)

// telemetry reads those of OpenTelemetry's variables that decide whether and how metrics are pushed, and checks the
// others that the exporters read from the process's environment themselves: an exporter that cannot work would
// start all the same, and send nowhere. It returns the protocol, or "" to push nothing. A variable of the signal
// replaces the general one. Rules: OpenTelemetry specification, "Environment Variable Specification" and "OTLP
// Exporter Configuration".
func (v *variables) telemetry() (protocol string) {
	endpoint := v.endpoint("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	push := endpoint != ""
	switch exporters := strings.Split(v.text("OTEL_METRICS_EXPORTER", ""), ","); {
	case len(exporters) == 1 && exporters[0] == "":
	default:
		push = false
		for _, exporter := range exporters {
			switch strings.TrimSpace(exporter) {
			case "otlp":
				push = true
			case "none", "prometheus": // /metrics is always served
			default:
				v.bad("OTEL_METRICS_EXPORTER: %q is none of otlp, prometheus, none", exporter)
			}
		}
	}
	general := v.oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "grpc")
	protocol = v.oneOf("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf", "grpc")
	if protocol == "" {
		protocol = general
	}
	if protocol == "" {
		protocol = "http/protobuf"
	}
	for _, name := range []string{"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT",
		"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"} {
		if text := v.raw(name); text != "" {
			if n, err := strconv.Atoi(text); err != nil || n <= 0 {
				v.bad("%s: %q is not a number of milliseconds", name, text)
			}
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION"} {
		if text := v.raw(name); text != "" && text != "gzip" && text != "none" {
			v.bad("%s: %q is none of gzip, none", name, text)
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE"} {
		if file := v.raw(name); file != "" {
			if _, err := os.Stat(file); err != nil {
				v.bad("%s: %v", name, err)
			}
		}
	}
	// Only "true" turns the SDK off; the specification wants every other value to mean false.
	if strings.EqualFold(v.text("OTEL_SDK_DISABLED", "false"), "true") || !push {
		return ""
	}
	return protocol
}

// endpoint returns the first of the variables that is set. All must be URLs: without a scheme the exporters take the
// host for one and send nowhere.
func (v *variables) endpoint(names ...string) (first string) {
	for _, name := range names {
		text := v.text(name, "")
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			v.bad("%s: %q is not a URL such as http://localhost:4318", name, text)
		}
		if first == "" {
			first = text
		}
	}
	return first
}
