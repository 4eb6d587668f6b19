package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// instance is one worker of the local cluster: a process, and a new one when that ends. Its
// commands may be called from any goroutine; they return before they have taken effect.
type instance struct {
	// immutable
	number      int
	executable  string
	environment []string // of its processes
	preferred   string   // address to listen on
	relay       *relay
	proxy       *proxy
	console     *console
	client      *http.Client // for probes
	wake        chan struct{}
	onReady     func() // called each time a process becomes ready

	mu sync.Mutex
	// mu guards
	instanceProcess
	readiness
}

// instanceProcess is the process of an instance, and what commands want of it.
type instanceProcess struct {
	wanted        bool        // a process should run
	stopRequested bool        // the running process was told to end
	process       *os.Process // nil where none runs
	end           context.CancelFunc
	starts        int // processes started so far
	paused        bool
}

// readiness is what the probes of the running process have found.
type readiness struct {
	ready   bool
	why     string // not ready
	address string // of the process that runs; "" before it listens
	metrics metrics
}

// Times in the life of an instance.
const (
	// stopTimeout is how long a process may take to end after SIGTERM, as on Container Apps; then
	// it is killed.
	stopTimeout = 30 * time.Second
	// A process that ends unasked is started again after a pause, which doubles unless the process
	// ran for stableAfter.
	firstRestartPause = time.Second
	maxRestartPause   = 30 * time.Second
	stableAfter       = time.Minute
)

// say prints a line about the instance.
func (i *instance) say(format string, args ...any) {
	i.console.printf("%s%s", i.console.name(i.number), fmt.Sprintf(format, args...))
}

// run keeps a process running while one is wanted, until ctx and the last process have ended.
func (i *instance) run(ctx context.Context) {
	pause := firstRestartPause
	for i.waitUntilWanted(ctx) {
		began := time.Now()
		how, err := i.runProcess(ctx)
		if err != nil {
			how = err.Error()
		}
		stopRequested := i.ended()
		switch {
		case ctx.Err() != nil:
			return
		case stopRequested:
			i.say("ended (%s)", how)
			pause = firstRestartPause
			continue
		case time.Since(began) >= stableAfter:
			pause = firstRestartPause
		}
		i.say("ended unexpectedly (%s); starting it again in %v", how, pause)
		i.rest(ctx, pause)
		pause = min(2*pause, maxRestartPause)
	}
}

// waitUntilWanted returns false once ctx has ended.
func (i *instance) waitUntilWanted(ctx context.Context) bool {
	for {
		i.mu.Lock()
		wanted := i.wanted
		i.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return false
		case wanted:
			return true
		}
		select {
		case <-i.wake:
		case <-ctx.Done():
		}
	}
}

// rest waits for a pause, for a command or for the end of ctx.
func (i *instance) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.wake:
	case <-ctx.Done():
	}
}

// runProcess runs one process, and returns how it ended or why it could not be started.
func (i *instance) runProcess(parent context.Context) (string, error) {
	ctx, end := context.WithCancel(parent)
	defer end()
	cmd := exec.CommandContext(ctx, i.executable) // #nosec G204 -- this program itself
	cmd.Env = i.environment
	cmd.SysProcAttr = childAttr()
	address := &firstLineWriter{found: make(chan string, 1)}
	log := i.console.lines(i.console.name(i.number))
	defer log.finish()
	cmd.Stdout, cmd.Stderr = address, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	cmd.Cancel = func() error { return terminate(cmd.Process, stdin) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start a worker: %w", err)
	}
	id := i.started(cmd.Process, end)
	watching, unwatch := context.WithCancel(context.WithoutCancel(parent))
	var watch sync.WaitGroup
	watch.Go(func() { i.watch(watching, id, address.found) })
	err = cmd.Wait()
	unwatch()
	i.proxy.remove(id)
	watch.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Sprintf("killed after %v", stopTimeout), nil
	}
	return cmd.ProcessState.String(), nil
}

// watch waits until the process prints its address, adds it to the proxy, and probes it.
func (i *instance) watch(ctx context.Context, id string, found <-chan string) {
	var address string
	select {
	case address = <-found:
	case <-ctx.Done():
		return
	}
	i.proxy.add(id, address)
	i.mu.Lock()
	i.address = address
	i.mu.Unlock()
	p := probe{address: address, client: i.client,
		ready: func(ready bool, why string) {
			i.mu.Lock()
			i.ready, i.why = ready, why
			i.mu.Unlock()
			i.proxy.setReady(id, ready)
			if ready {
				i.say("ready at http://%s", address)
				i.onReady()
			} else {
				i.say("not ready: %s", why)
			}
		},
		metrics: func(f metrics) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.metrics = f
		},
	}
	p.run(ctx)
}

// started records a new process, and returns its id in the proxy.
func (i *instance) started(p *os.Process, end context.CancelFunc) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.starts++
	i.process, i.end = p, end
	i.paused, i.ready, i.why, i.address, i.metrics = false, false, "starting", "", metrics{}
	if !i.wanted { // a command came while it started
		end()
	}
	return i.idLocked()
}

func (i *instance) idLocked() string { return fmt.Sprintf("%d-%d", i.number, i.starts) }

// ended records that no process runs, and reports whether its end was requested.
func (i *instance) ended() (stopRequested bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	stopRequested = i.stopRequested || !i.wanted
	i.process, i.end, i.stopRequested, i.ready, i.paused = nil, nil, false, false, false
	return stopRequested
}

var (
	errRunning    = errors.New("it runs already")
	errNotRunning = errors.New("it does not run")
)

// start requests a process. If one is ending, the next follows it.
func (i *instance) start() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.wanted && i.process != nil && !i.stopRequested {
		return errRunning
	}
	i.wanted = true
	i.wakeUp()
	return nil
}

// drain ends the process as a platform does.
func (i *instance) drain() error { return i.finish(false) }

// restart drains the process and starts another.
func (i *instance) restart() error { return i.finish(true) }

func (i *instance) finish(again bool) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	running := i.process != nil
	if !running && !i.wanted && !again {
		return errNotRunning
	}
	i.wanted, i.stopRequested = again, running
	if running {
		i.end()
	}
	i.wakeUp()
	return nil
}

// kill ends the process at once, without a drain.
func (i *instance) kill() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.process == nil && !i.wanted:
		return errNotRunning
	case i.process == nil: // waiting for the next start
		i.wanted = false
		return nil
	}
	i.wanted, i.stopRequested = false, true
	return i.process.Kill()
}

// pause suspends the process; resume continues it.
func (i *instance) pause() error { return i.hold(true, pauseProcess) }

func (i *instance) resume() error { return i.hold(false, resumeProcess) }

func (i *instance) hold(paused bool, signal func(*os.Process) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.process == nil {
		return errNotRunning
	}
	if err := signal(i.process); err != nil {
		return err
	}
	i.paused = paused
	return nil
}

// wakeUp tells run that a command has changed what is wanted.
func (i *instance) wakeUp() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// report adds the instance's metrics to t if it runs or should run, and returns a line about it.
func (i *instance) report(t *total) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.wanted && i.process == nil {
		return "stopped"
	}
	t.add(i.metrics, i.ready)
	states := []string{"not ready: " + i.why}
	switch {
	case i.process == nil:
		return "waiting to be started again"
	case i.stopRequested:
		states[0] = "ending"
	case i.ready:
		states[0] = "ready"
	}
	if i.paused {
		states = append(states, "paused")
	}
	if i.relay.partitioned() {
		states = append(states, "partitioned")
	}
	return fmt.Sprintf("%s, process %d at http://%s, %.0f sessions, %d open requests through the proxy",
		strings.Join(states, ", "), i.process.Pid, i.address, i.metrics.sessions, i.proxy.open(i.idLocked()))
}

// firstLineWriter is a writer that sends the first line written to it to found.
type firstLineWriter struct {
	found chan string // of size 1: the only line
	text  []byte
	done  bool
}

func (w *firstLineWriter) Write(p []byte) (int, error) {
	if w.done {
		return len(p), nil
	}
	w.text = append(w.text, p...)
	if line, _, ok := bytes.Cut(w.text, []byte("\n")); ok {
		w.done = true
		w.found <- strings.TrimSpace(string(line))
	}
	return len(p), nil
}
