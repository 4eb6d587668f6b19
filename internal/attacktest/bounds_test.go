package attacktest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/workertest"
)

// What everybody else gets is measured by time and memory, so it is no test on a machine that does something else. It
// runs where it is asked for, against processes of a worker: of this checkout, or of another build.
//
//	go test ./internal/attacktest -run Bounds -v -attack.bounds 10s [-attack.worker PATH]
var (
	boundsFlag = flag.Duration("attack.bounds", 0, "how long TestBounds attacks; 0: it is skipped")
	workerFlag = flag.String("attack.worker", "", "the worker that TestBounds attacks; none: that of this checkout")
)

// The bounds under attack, at default limits.
const (
	joinBound    = time.Second
	latencyBound = 20 * time.Millisecond // of 99 of 100 messages
	latencyAdded = 8 * time.Millisecond  // by an attack, where they take nearly that without one
	memoryBound  = 250 << 20             // resident, at the peak
)

// attack does what one visitor does from an address until ctx ends. A refusal of the server is no failure.
type attack struct {
	name string
	run  func(ctx context.Context, a *arena, address string)
}

// connecting opens raw WebSockets from an address, one after the other, each for as long as use takes. name is another
// one each time.
func connecting(reads bool, use func(conn *websocket.Conn, name string)) func(context.Context, *arena, string) {
	return func(ctx context.Context, a *arena, address string) {
		for n := 0; ctx.Err() == nil; n++ {
			header := http.Header{"X-Forwarded-For": {address}}
			conn, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+a.Address+"/ws", header)
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			if reads {
				go func() { _, _ = io.Copy(io.Discard, conn.NetConn()) }()
			}
			use(conn, fmt.Sprint("M", address[len(address)-3:], n))
			stop()
			_ = conn.Close()
		}
	}
}

// hostile sends frames in turn, up to five in a millisecond so that the attackers leave some of the machine, until it
// is closed.
func hostile(reads bool, frames func(name string) []string) func(context.Context, *arena, string) {
	return connecting(reads, func(conn *websocket.Conn, name string) {
		for sent := 0; ; sent++ {
			all := frames(name)
			if conn.WriteMessage(websocket.TextMessage, []byte(all[min(sent, len(all)-1)])) != nil {
				return
			}
			if sent%5 == 4 {
				time.Sleep(time.Millisecond)
			}
		}
	})
}

// largestMessages says as much as each user may at once, so that nothing is refused.
func largestMessages() func(conn *websocket.Conn, name string) {
	say := []byte(frame("user message", combining(16_000)))
	return func(conn *websocket.Conn, name string) {
		err := conn.WriteMessage(websocket.TextMessage, []byte(frame("nickname", name)))
		for sent := 0; sent < 10 && err == nil; sent++ {
			err = conn.WriteMessage(websocket.TextMessage, say)
		}
		time.Sleep(time.Millisecond)
	}
}

func frame(event string, args ...any) string {
	b, err := json.Marshal(map[string]any{"event": event, "args": args, "id": 7})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// attacks are one for each way in of the threat model.
var attacks = []attack{
	{"requests above the rate", hostile(true, func(string) []string { return []string{frame("who")} })},
	{"over-long texts", hostile(true, func(name string) []string {
		return []string{frame("nickname", name), frame("user message", combining(40_000))}
	})},
	{"largest messages", hostile(true, func(name string) []string {
		return []string{frame("nickname", name), frame("user message", combining(16_000))}
	})},
	{"largest messages of many users", connecting(true, largestMessages())},
	{"history that is not read", hostile(false, func(string) []string {
		return []string{frame("history", map[string]any{"limit": 100})}
	})},
	{"rooms", hostile(true, func(name string) []string {
		var frames []string
		for i := range 14 {
			frames = append(frames, frame("join", fmt.Sprint(name, " ", i)))
		}
		return append([]string{frame("nickname", name)}, append(frames, frame("status"))...)
	})},
	{"handshakes with large headers", func(ctx context.Context, a *arena, address string) {
		for ctx.Err() == nil {
			request, _ := http.NewRequestWithContext(ctx, "GET", a.URL+"/socket.io/?EIO=4&transport=polling", nil)
			request.Header.Set("X-Forwarded-For", address)
			request.Header.Set("X-Filler", strings.Repeat("x", 20_000))
			if response, err := pollClient.Do(request); err == nil {
				_ = response.Body.Close()
			}
			time.Sleep(time.Millisecond)
		}
	}},
	{"responses that are not read", func(ctx context.Context, a *arena, _ string) {
		requests := strings.Repeat("GET /assets/none HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000)
		for ctx.Err() == nil {
			conn, err := net.Dial("tcp", a.Address)
			if err != nil {
				continue
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			for err == nil {
				_, err = io.WriteString(conn, requests)
			}
			stop()
			_ = conn.Close()
			time.Sleep(time.Millisecond)
		}
	}},
}

// attackVariable makes the test binary the attackers of TestBounds. It has the attack's name, the worker's address, how
// long they attack, and the attackers' addresses, separated by "|".
const attackVariable = "ATTACKTEST_ATTACK"

// startAttackers attacks a worker from four addresses, by a process of its own with the lowest priority: attackers have
// machines of their own, so that what they compute takes no time from worker and honest clients.
func startAttackers(ctx context.Context, t *testing.T, group *sync.WaitGroup, name string, attacked *arena) {
	t.Helper()
	deadline, _ := ctx.Deadline()
	values := []string{name, attacked.Address, time.Until(deadline).String()}
	for range 4 {
		values = append(values, newAddress())
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", os.Args[0])
	cmd.Env = append(os.Environ(), attackVariable+"="+strings.Join(values, "|"))
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the attackers: %v", err)
	}
	group.Go(func() { _ = cmd.Wait() }) // the end of ctx may have killed it
}

// runAttack is the process of the attackers.
func runAttack() {
	values := strings.Split(os.Getenv(attackVariable), "|")
	duration, err := time.ParseDuration(values[2])
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), duration)
	defer stop()
	a := &arena{Server: &workertest.Server{Address: values[1], URL: "http://" + values[1]}}
	var group sync.WaitGroup
	for _, attack := range attacks {
		for _, address := range values[3:] {
			if attack.name == values[0] {
				group.Go(func() { attack.run(ctx, a, address) })
			}
		}
	}
	group.Wait()
}

// process runs a worker of its own.
func process(t *testing.T, binary string, settings ...string) (*arena, *exec.Cmd) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT="+port, "TRUSTED_PROXIES=127.0.0.1", "DRAIN_TIMEOUT=0s",
		"LOG_LEVEL=error")
	cmd.Env = append(cmd.Env, settings...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	url := "http://127.0.0.1:" + port
	workertest.WaitReady(t, url)
	return &arena{&workertest.Server{Address: "127.0.0.1:" + port, URL: url}, t}, cmd
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// residentHere returns the memory of this process, where a worker of most tests runs; 0: it is not known.
func residentHere() int {
	status, _ := os.ReadFile("/proc/self/status")
	match := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		return 0
	}
	kilobytes, _ := strconv.Atoi(string(match[1]))
	return kilobytes << 10
}

// used returns the CPU time that a process has used.
func used(cmd *exec.Cmd) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// waited returns how long the threads of a process have waited for a processor, all together: what other processes take
// from it. It is 0 where the system does not tell.
func waited(pid int) time.Duration {
	var sum int64
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, thread := range threads {
		var running, waiting int64
		stat, _ := os.ReadFile(thread) // it may have ended
		_, _ = fmt.Sscan(string(stat), &running, &waiting)
		sum += waiting
	}
	return time.Duration(sum)
}

// resident returns the most memory that a process has had, in bytes.
func resident(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	match := peak.FindSubmatch(status)
	if err != nil || match == nil {
		t.Skipf("memory of a process: %v", err)
	}
	kilobytes, _ := strconv.Atoi(string(match[1]))
	return kilobytes << 10
}

// measured are what others got.
type measured struct {
	mu sync.Mutex
	// mu guards
	latencies, joins []time.Duration
	failed           int // newcomers that did not get in
}

// talk has one user say something at an instance and another hear it, again and again.
func (m *measured) talk(ctx context.Context, group *sync.WaitGroup, from, to *arena, number int) {
	name := fmt.Sprint("Honest ", number)
	speaker, hearer := from.join(newAddress(), name), to.join(newAddress(), name+" too")
	group.Go(func() {
		for {
			_, b, err := hearer.conn.ReadMessage()
			if err != nil {
				return
			}
			var heard message
			if json.Unmarshal(b, &heard) != nil || heard.Event != "user message" || heard.Args[0] != name {
				continue
			}
			if sent, err := strconv.ParseInt(fmt.Sprint(heard.Args[1]), 10, 64); err == nil {
				m.mu.Lock()
				m.latencies = append(m.latencies, time.Duration(time.Now().UnixNano()-sent))
				m.mu.Unlock()
			}
		}
	})
	group.Go(func() { _, _ = io.Copy(io.Discard, speaker.conn.NetConn()) })
	group.Go(func() {
		for ctx.Err() == nil {
			speaker.emit("user message", fmt.Sprint(time.Now().UnixNano()))
			time.Sleep(300 * time.Millisecond)
		}
		_, _ = speaker.conn.Close(), hearer.conn.Close()
	})
}

// come has a newcomer join and go, again and again.
func (m *measured) come(ctx context.Context, a *arena, number int) {
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		ok := func() bool {
			conn, _, err := a.tryDial(newAddress())
			if err != nil {
				return false
			}
			defer conn.Close()
			_ = conn.SetReadDeadline(began.Add(patience))
			c := &client{t: a.t, conn: conn}
			c.write("nickname", 1, []any{fmt.Sprintf("New %d x%d", number, n)})
			for history, named := false, false; !history || !named; {
				_, b, err := conn.ReadMessage()
				if err != nil {
					return false
				}
				history = history || strings.HasPrefix(string(b), `{"event":"history"`)
				named = named || strings.HasPrefix(string(b), `{"ack":1,"args":[false`)
			}
			return true
		}()
		m.mu.Lock()
		if ok {
			m.joins = append(m.joins, time.Since(began))
		} else {
			m.failed++
		}
		m.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
}

func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return math.MaxInt64
	}
	slices.Sort(all)
	return all[min(int(p*float64(len(all))), len(all)-1)]
}

// Under each attack newcomers get in, messages arrive in time, and the worker's memory stays bounded: at one worker,
// and at both of two that Service Bus joins, of which one is attacked.
func TestBounds(t *testing.T) {
	if *boundsFlag == 0 {
		t.Skip("measures by the clock: set -attack.bounds")
	}
	binary := *workerFlag
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "worker")
		if out, err := exec.Command("go", "build", "-o", binary, "chatapp/cmd/worker").CombinedOutput(); err != nil {
			t.Fatalf("build the worker: %v\n%s", err, out)
		}
	}
	for _, workers := range []int{1, 2} {
		var quiet time.Duration // p99 without an attack
		for _, attack := range append([]attack{{"none", nil}}, attacks...) {
			t.Run(fmt.Sprintf("%d/%s", workers, attack.name), func(t *testing.T) {
				var settings []string
				if os.Getenv("STORE") == "" {
					settings = []string{"STORE=none"} // a disk has latencies of its own
				}
				if workers > 1 {
					e := emulatortest.Start(t)
					_, port, _ := net.SplitHostPort(e.HTTPAddress())
					settings = append(settings, "AZURE_SERVICEBUS_CONNECTIONSTRING="+e.ConnectionString(),
						"EMULATOR_HTTP_PORT="+port)
				}
				attacked, first := process(t, binary, settings...)
				processes, other := []*exec.Cmd{first}, attacked
				if workers > 1 {
					var second *exec.Cmd
					other, second = process(t, binary, settings...)
					processes = append(processes, second)
				}
				m, group := &measured{}, &sync.WaitGroup{}
				ctx, stop := context.WithTimeout(t.Context(), *boundsFlag)
				defer stop()
				for i := range 8 {
					m.talk(ctx, group, attacked, other, i)
				}
				group.Go(func() { m.come(ctx, attacked, 0) })
				group.Go(func() { m.come(ctx, other, 1) })
				if attack.run != nil {
					startAttackers(ctx, t, group, attack.name, attacked)
				}
				group.Wait()
				p99 := m.check(t, processes, max(latencyBound, quiet+latencyAdded))
				if attack.run == nil {
					quiet = p99
				}
			})
		}
	}
}

// check checks what others got, and returns the latency of 99 of 100 messages.
func (m *measured) check(t *testing.T, processes []*exec.Cmd, latency time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	memory, cpu, waiting := 0, time.Duration(0), time.Duration(0)
	for _, cmd := range processes {
		memory = max(memory, resident(t, cmd))
		cpu += used(cmd)
		waiting += waited(cmd.Process.Pid)
	}
	join, p50, p99 := percentile(m.joins, 1), percentile(m.latencies, 0.5), percentile(m.latencies, 0.99)
	t.Logf("%d joined in %v at most, %d failed; %d messages, p50 %v, p99 %v; memory %d MB, CPU %v, "+
		"waited %v for a processor", len(m.joins), join.Round(time.Millisecond), m.failed, len(m.latencies),
		p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), memory>>20, cpu,
		waiting.Round(time.Millisecond))
	if m.failed > 0 || join > joinBound {
		t.Errorf("%d newcomers did not get in, the others within %v, want all within %v", m.failed, join, joinBound)
	}
	if p99 > latency {
		t.Errorf("p99 is %v, want at most %v", p99, latency)
	}
	if memory > memoryBound {
		t.Errorf("memory is %d MB, want at most %d", memory>>20, memoryBound>>20)
	}
	return p99
}
