package main

import (
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// A line of proc(5), with a command that tries to look like more fields.
	const line = "4242 (a) b 1 2 (c)) S 1 4242 4242 0 -1 4194304 900 0 0 0 150 50 0 0 20 0 7 0 12345 100000 500\n"
	cpu, err := parseStat([]byte(line))
	if want := 2 * time.Second; cpu != want || err != nil {
		t.Errorf("parseStat = %v, %v; want %v", cpu, err, want)
	}
	for _, bad := range []string{"", "1 (a) S 1 2", strings.Replace(line, "150", "many", 1),
		strings.Replace(line, " 50 ", " x ", 1)} {
		if cpu, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) = %v, want an error", bad, cpu)
		}
	}
}

func TestParseStatus(t *testing.T) {
	resident, err := parseStatus([]byte("Name:\tworker\nVmHWM:\t 9999 kB\nVmRSS:\t   12345 kB\nThreads:\t7\n"))
	if want := int64(12345 << 10); resident != want || err != nil {
		t.Errorf("parseStatus = %d, %v; want %d", resident, err, want)
	}
	for _, bad := range []string{"", "Name:\tzombie\n", "VmRSS:\tmuch kB\n"} {
		if resident, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("parseStatus(%q) = %d, want an error", bad, resident)
		}
	}
}
