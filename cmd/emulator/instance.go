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

// instance is one worker of the local cloud: a process, and when that ends the next. Its commands may be called from any goroutine; they start
// something and don't wait for it.
type instance struct {
	// immutable
	number      int
	executable  string
	environment []string // of its processes
	preferred   string   // address to listen on
	relay       *relay
	front       *front
	screen      *screen
	client      *http.Client // for probes
	wake        chan struct{}
	wasReady    func() // told each time a process has become ready

	mu sync.Mutex
	// mu guards
	wanted  bool        // a process should run
	asked   bool        // the end of the one that runs was asked for
	process *os.Process // nil where none runs
	end     context.CancelFunc
	lives   int // processes started so far
	paused  bool
	ready   bool
	why     string // not ready
	address string // of the process that runs; "" before it listens
	figures figures
}

// Times in the life of an instance.
const (
	// endGrace is how long a process that was told to end may take; then it is killed. Container Apps gives as much.
	endGrace = 30 * time.Second
	// A process that dies by itself is started again after a pause, which doubles as long as it does not live for steadyLife.
	firstPause = time.Second
	maxPause   = 30 * time.Second
	steadyLife = time.Minute
)

// say prints something about the instance.
func (i *instance) say(format string, args ...any) {
	i.screen.printf("%s%s", i.screen.name(i.number), fmt.Sprintf(format, args...))
}

// run keeps a process running as long as one is wanted, until ctx ends and the last has ended.
func (i *instance) run(ctx context.Context) {
	pause := firstPause
	for i.waitUntilWanted(ctx) {
		began := time.Now()
		how, err := i.live(ctx)
		if err != nil {
			how = err.Error()
		}
		asked := i.ended()
		switch {
		case ctx.Err() != nil:
			return
		case asked:
			i.say("ended (%s)", how)
			pause = firstPause
			continue
		case time.Since(began) >= steadyLife:
			pause = firstPause
		}
		i.say("ended unexpectedly (%s); starting it again in %v", how, pause)
		i.rest(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

// waitUntilWanted returns false when ctx has ended.
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

// rest waits, unless a command comes.
func (i *instance) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.wake:
	case <-ctx.Done():
	}
}

// live is the life of one process. It returns how that ended, or why it did not begin.
func (i *instance) live(parent context.Context) (string, error) {
	ctx, end := context.WithCancel(parent)
	defer end()
	cmd := exec.CommandContext(ctx, i.executable)
	cmd.Env = i.environment
	cmd.SysProcAttr = childAttr()
	address := &firstLine{found: make(chan string, 1)}
	log := i.screen.lines(i.screen.name(i.number))
	defer log.Close()
	cmd.Stdout, cmd.Stderr = address, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	cmd.Cancel = func() error { return askToEnd(cmd.Process, stdin) }
	cmd.WaitDelay = endGrace
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start a worker: %w", err)
	}
	id := i.started(cmd.Process, end)
	watching, unwatch := context.WithCancel(context.WithoutCancel(parent))
	var watch sync.WaitGroup
	watch.Go(func() { i.watch(watching, id, address.found) })
	err = cmd.Wait()
	unwatch()
	i.front.remove(id)
	watch.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Sprintf("killed after %v", endGrace), nil
	}
	return cmd.ProcessState.String(), nil
}

// watch waits until the process says where it listens, and then probes it.
func (i *instance) watch(ctx context.Context, id string, found <-chan string) {
	var address string
	select {
	case address = <-found:
	case <-ctx.Done():
		return
	}
	i.front.add(id, address)
	i.mu.Lock()
	i.address = address
	i.mu.Unlock()
	p := probe{address: address, client: i.client,
		ready: func(ready bool, why string) {
			i.mu.Lock()
			i.ready, i.why = ready, why
			i.mu.Unlock()
			i.front.setReady(id, ready)
			if ready {
				i.say("ready at http://%s", address)
				i.wasReady()
			} else {
				i.say("not ready: %s", why)
			}
		},
		figures: func(f figures) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.figures = f
		},
	}
	p.run(ctx)
}

// started notes a new process, and returns the name of its life.
func (i *instance) started(p *os.Process, end context.CancelFunc) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lives++
	i.process, i.end = p, end
	i.paused, i.ready, i.why, i.address, i.figures = false, false, "starting", "", figures{}
	if !i.wanted { // told to end while it was being started
		end()
	}
	return i.idLocked()
}

func (i *instance) idLocked() string { return fmt.Sprintf("%d-%d", i.number, i.lives) }

// ended notes that there is no process any more. It tells whether that was asked for.
func (i *instance) ended() (asked bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked = i.asked || !i.wanted
	i.process, i.end, i.asked, i.ready, i.paused = nil, nil, false, false, false
	return asked
}

var (
	errRuns    = errors.New("it runs already")
	errRunsNot = errors.New("it does not run")
)

// start wants a process. One that is ending is followed by the next.
func (i *instance) start() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.wanted && i.process != nil && !i.asked {
		return errRuns
	}
	i.wanted = true
	i.wakeUp()
	return nil
}

// drain tells the process to end, as a platform does, and wants no other.
func (i *instance) drain() error { return i.finish(false) }

// restart is drain, and then start.
func (i *instance) restart() error { return i.finish(true) }

func (i *instance) finish(again bool) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	running := i.process != nil
	if !running && !i.wanted && !again {
		return errRunsNot
	}
	i.wanted, i.asked = again, running
	if running {
		i.end()
	}
	i.wakeUp()
	return nil
}

// kill ends the process at once, so that nobody hears of it, and wants no other.
func (i *instance) kill() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.process == nil && !i.wanted:
		return errRunsNot
	case i.process == nil: // between two lives
		i.wanted = false
		return nil
	}
	i.wanted, i.asked = false, true
	return i.process.Kill()
}

// pause stops the process where it is; resume lets it go on.
func (i *instance) pause() error { return i.hold(true, pauseProcess) }

func (i *instance) resume() error { return i.hold(false, resumeProcess) }

func (i *instance) hold(paused bool, signal func(*os.Process) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.process == nil {
		return errRunsNot
	}
	if err := signal(i.process); err != nil {
		return err
	}
	i.paused = paused
	return nil
}

// wakeUp tells run of a command.
func (i *instance) wakeUp() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// report adds the instance to the figures of all, if it has a process or should have one, and says how it is in one line.
func (i *instance) report(t *total) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.wanted && i.process == nil {
		return "stopped"
	}
	t.add(i.figures, i.ready)
	states := []string{"not ready: " + i.why}
	switch {
	case i.process == nil:
		return "waiting to be started again"
	case i.asked:
		states[0] = "ending"
	case i.ready:
		states[0] = "ready"
	}
	if i.paused {
		states = append(states, "paused")
	}
	if i.relay.cut() {
		states = append(states, "partitioned")
	}
	return fmt.Sprintf("%s, process %d at http://%s, %.0f sessions, %d requests open through the front",
		strings.Join(states, ", "), i.process.Pid, i.address, i.figures.sessions, i.front.open(i.idLocked()))
}

// firstLine is a writer that gives the first line written to it.
type firstLine struct {
	found chan string // of size 1: the only line
	text  []byte
	done  bool
}

func (w *firstLine) Write(p []byte) (int, error) {
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
