package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU time in /proc/PID/stat: sysconf(_SC_CLK_TCK), which is 100 on every
// Linux Go runs on.
const clockTick = time.Second / 100

// usage is what processes have used of the machine.
type usage struct {
	cpu      time.Duration // user and system time since their start
	resident int64         // bytes of memory now
}

// readUsage adds up the usage of processes on this machine. It works on Linux alone.
func readUsage(pids []int) (usage, error) {
	var sum usage
	for _, pid := range pids {
		u, err := readProcess(pid)
		if err != nil {
			return usage{}, err
		}
		sum.cpu += u.cpu
		sum.resident += u.resident
	}
	return sum, nil
}

func readProcess(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	cpu, err := parseStat(stat)
	if err != nil {
		return usage{}, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	resident, err := parseStatus(status)
	if err != nil {
		return usage{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return usage{cpu: cpu, resident: resident}, nil
}

// parseStat reads utime and stime, fields 14 and 15 of proc(5); the command, field 2, may hold
// spaces and brackets.
func parseStat(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("stat %q: no command", stat)
	}
	fields := strings.Fields(string(stat[end+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("stat of %d fields", len(fields))
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * clockTick, nil
}

// parseStatus reads VmRSS, in bytes.
func parseStatus(status []byte) (int64, error) {
	for line := range strings.Lines(string(status)) {
		value, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		number := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB"))
		kilobytes, err := strconv.ParseInt(number, 10, 64)
		return kilobytes << 10, err
	}
	return 0, fmt.Errorf("no VmRSS")
}

// meter measures what the server and this program use from a moment on.
type meter struct {
	pids   []int
	start  time.Time
	server usage
	self   usage
}

// startMeter starts measuring. Without a process it measures this program alone.
func startMeter(pids []int) (*meter, error) {
	m := &meter{pids: pids, start: time.Now()}
	var err error
	if m.server, err = readUsage(pids); err != nil {
		return nil, err
	}
	// Only Linux tells this program's own share; without it the report has none.
	m.self, _ = readUsage([]int{os.Getpid()})
	return m, nil
}

// measured is what was used since the start of a meter.
type measured struct {
	elapsed  time.Duration
	cpu      time.Duration // of the server's processes
	resident int64         // their memory now, in bytes
	grown    int64         // their memory now, less that at the start
	share    float64       // of one processor, used by this program; 0 where unknown
}

func (m *meter) read() (measured, error) {
	server, err := readUsage(m.pids)
	if err != nil {
		return measured{}, err
	}
	r := measured{
		elapsed: time.Since(m.start), cpu: server.cpu - m.server.cpu,
		resident: server.resident, grown: server.resident - m.server.resident,
	}
	if self, err := readUsage([]int{os.Getpid()}); err == nil {
		r.share = (self.cpu - m.self.cpu).Seconds() / r.elapsed.Seconds()
	}
	return r, nil
}
