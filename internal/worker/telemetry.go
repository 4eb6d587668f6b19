package worker

import (
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// telemetry reads those of OpenTelemetry's variables that decide whether and how metrics and traces are pushed, and
// checks the others that the exporters and the SDK read from the process's environment themselves: an exporter that
// cannot work would start all the same, and send nowhere. It returns the protocol of each, or "" to push nothing. A
// variable of the signal replaces the general one. Rules: OpenTelemetry specification, "Environment Variable
// Specification" and "OTLP Exporter Configuration".
//
// Traces differ from the specification: an endpoint for everything does not turn them on, since they take more than
// metrics do. OTEL_TRACES_EXPORTER or an endpoint of their own does.
func (v *variables) telemetry() (metrics, traces string) {
	endpoint := v.endpoint("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	v.positive("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
	v.compression("OTEL_EXPORTER_OTLP_COMPRESSION")
	v.file("OTEL_EXPORTER_OTLP_CERTIFICATE")
	general := v.oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "grpc")
	metrics = v.signal("OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_", general, endpoint,
		"prometheus") // /metrics is always served
	traces = v.signal("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_", general, false)
	v.sampler()
	v.positive("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
	// Only "true" turns the SDK off; the specification wants every other value to mean false.
	if strings.EqualFold(v.text("OTEL_SDK_DISABLED", "false"), "true") {
		return "", ""
	}
	return metrics, traces
}

// signal returns the protocol by which a signal is pushed, or "". exporters is the variable that names its exporters,
// and prefix that of its variables for OTLP. on says whether it is pushed where neither says so. ignored are exporters
// that need nothing from here.
func (v *variables) signal(exporters, prefix, general string, on bool, ignored ...string) (protocol string) {
	on = v.endpoint(prefix+"ENDPOINT") != "" || on
	if text := v.text(exporters, ""); text != "" {
		on = false
		for _, exporter := range strings.Split(text, ",") {
			switch exporter := strings.TrimSpace(exporter); {
			case exporter == "otlp":
				on = true
			case exporter != "none" && !slices.Contains(ignored, exporter):
				v.bad("%s: %q is none of %s", exporters, exporter,
					strings.Join(append([]string{"otlp", "none"}, ignored...), ", "))
			}
		}
	}
	v.positive(prefix + "TIMEOUT")
	v.compression(prefix + "COMPRESSION")
	v.file(prefix + "CERTIFICATE")
	protocol = v.oneOf(prefix+"PROTOCOL", "http/protobuf", "grpc")
	if protocol == "" {
		protocol = general
	}
	switch {
	case !on:
		return ""
	case protocol == "":
		return "http/protobuf"
	}
	return protocol
}

// positive checks variables that are whole numbers, most of them of milliseconds.
func (v *variables) positive(names ...string) {
	for _, name := range names {
		if text := v.raw(name); text != "" {
			if n, err := strconv.Atoi(text); err != nil || n <= 0 {
				v.bad("%s: %q is not a number above 0", name, text)
			}
		}
	}
}

func (v *variables) compression(name string) {
	if text := v.raw(name); text != "" && text != "gzip" && text != "none" {
		v.bad("%s: %q is none of gzip, none", name, text)
	}
}

func (v *variables) file(name string) {
	if file := v.raw(name); file != "" {
		if _, err := os.Stat(file); err != nil {
			v.bad("%s: %v", name, err)
		}
	}
}

// sampler checks the variables that choose which spans are recorded. The SDK reads them itself, and records all where
// it does not understand them.
func (v *variables) sampler() {
	sampler := v.oneOf("OTEL_TRACES_SAMPLER", "always_on", "always_off", "traceidratio", "parentbased_always_on",
		"parentbased_always_off", "parentbased_traceidratio")
	argument := v.raw("OTEL_TRACES_SAMPLER_ARG")
	if argument == "" || !strings.HasSuffix(sampler, "traceidratio") {
		return
	}
	if ratio, err := strconv.ParseFloat(argument, 64); err != nil || ratio < 0 || ratio > 1 {
		v.bad("OTEL_TRACES_SAMPLER_ARG: %q is not a number from 0 to 1", argument)
	}
}

// endpoint returns a variable that is a URL: without a scheme the exporters take the host for one and send nowhere.
func (v *variables) endpoint(name string) string {
	text := v.text(name, "")
	if text == "" {
		return ""
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		v.bad("%s: %q is not a URL such as http://localhost:4318", name, text)
	}
	return text
}
