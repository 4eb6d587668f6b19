package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metrics holds the metrics of an instance that the status shows.
type metrics struct {
	users        float64 // of the whole chat
	sessions     float64 // connections here
	messages     float64 // of local users, since the start
	latencySum   float64 // of their seconds through the log
	latencyCount float64
}

// maxMetrics bounds the bytes read of an instance's metrics.
const maxMetrics = 1 << 20

// scrape reads an instance's metrics.
func scrape(ctx context.Context, client *http.Client, address string) (metrics, error) {
	body, err := fetch(ctx, client, "http://"+address+"/metrics")
	if err != nil {
		return metrics{}, err
	}
	defer body.Close()
	return parseMetrics(io.LimitReader(body, maxMetrics))
}

// fetch requests a URL and returns the body, which the caller closes. Any status but 200 is a
// *refusedError with the first line of the response.
func fetch(ctx context.Context, client *http.Client, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	line, _, _ := bufio.NewReader(io.LimitReader(response.Body, 1024)).ReadLine()
	return nil, &refusedError{response.StatusCode, string(line)}
}

// refusedError is a response with a status other than 200.
type refusedError struct {
	status int
	line   string
}

func (e *refusedError) Error() string {
	if e.line == "" {
		return "answered " + strconv.Itoa(e.status)
	}
	return e.line
}

// parseMetrics reads the part of Prometheus' text format that the worker writes: lines with a name,
// optional labels in braces, and a value.
func parseMetrics(r io.Reader) (metrics, error) {
	var f metrics
	wanted := map[string]*float64{
		"chat_users": &f.users, "chat_sessions": &f.sessions, "chat_messages_total": &f.messages,
		"chat_log_latency_seconds_sum": &f.latencySum, "chat_log_latency_seconds_count": &f.latencyCount,
	}
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		line := scanner.Text()
		end := strings.IndexAny(line, "{ ")
		if end <= 0 || wanted[line[:end]] == nil {
			continue
		}
		value := line[end:]
		if value[0] == '{' {
			value = value[strings.LastIndexByte(value, '}')+1:]
		}
		fields := strings.Fields(value)
		if len(fields) == 0 {
			return metrics{}, fmt.Errorf("metrics: %q has no value", line)
		}
		number, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return metrics{}, fmt.Errorf("metrics: %w", err)
		}
		*wanted[line[:end]] += number
	}
	if err := scanner.Err(); err != nil {
		return metrics{}, fmt.Errorf("metrics: %w", err)
	}
	return f, nil
}

// total sums up the metrics of all instances at one moment.
type total struct {
	at                       time.Time
	instances, ready         int
	users                    int
	messages                 float64
	latencySum, latencyCount float64
	operations               int64 // of the bus since the start
}

// add counts an instance in.
func (t *total) add(f metrics, ready bool) {
	t.instances++
	if ready {
		t.ready++
	}
	t.users = max(t.users, int(f.users)) // every instance knows of all
	t.messages += f.messages
	t.latencySum += f.latencySum
	t.latencyCount += f.latencyCount
}

// since formats the state, and rates since an earlier moment. Counters may have shrunk, because a
// restarted instance counts from 0 again.
func (t total) since(before total) string {
	elapsed := t.at.Sub(before.at).Seconds()
	rate := func(growth float64) float64 {
		if elapsed <= 0 {
			return 0
		}
		return max(growth, 0) / elapsed
	}
	latency := "-"
	if n := t.latencyCount - before.latencyCount; n > 0 && t.latencySum >= before.latencySum {
		latency = fmt.Sprintf("%.1f ms", (t.latencySum-before.latencySum)/n*1000)
	}
	return fmt.Sprintf("%d/%d ready · %d users · %.1f messages/s · log %s · %.1f operations/s",
		t.ready, t.instances, t.users, rate(t.messages-before.messages), latency,
		rate(float64(t.operations-before.operations)))
}

// Probing works as platforms' load balancers do it, but faster.
const (
	probeEvery   = 250 * time.Millisecond
	probeTimeout = time.Second
	// probeFailures is how many probes in a row without a response make an instance not ready.
	probeFailures = 2
	scrapeEvery   = 4 // probes
)

// probe watches one process of an instance until ctx ends.
type probe struct {
	address string
	client  *http.Client
	ready   func(bool, string) // called at every change, with the reason if not ready
	metrics func(metrics)
}

func (p *probe) run(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	ready, failures, why := false, 0, ""
	for n := 0; ; n++ {
		err := p.ask(ctx)
		var refused *refusedError
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			if !ready {
				ready, why = true, ""
				p.ready(true, "")
			}
		case errors.As(err, &refused):
			failures = probeFailures
		default:
			failures++
		}
		if failures >= probeFailures {
			reason := "it does not answer"
			if refused != nil {
				reason = refused.line
			}
			if ready || why == "" {
				p.ready(false, reason)
			}
			ready, why = false, reason
		}
		if ready && err == nil && n%scrapeEvery == 0 {
			p.scrape(ctx)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *probe) ask(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, probeTimeout)
	defer cancel()
	body, err := fetch(ctx, p.client, "http://"+p.address+"/readyz")
	if err != nil {
		return err
	}
	return body.Close()
}

func (p *probe) scrape(parent context.Context) {
	ctx, cancel := context.WithTimeout(parent, probeTimeout)
	defer cancel()
	if f, err := scrape(ctx, p.client, p.address); err == nil { // else the last ones stay
		p.metrics(f)
	}
}
