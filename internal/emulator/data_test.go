package emulator_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/emulatortest"
)

// startWithData starts an emulator with a queue whose disk is full while full is set.
func startWithData(t *testing.T, full *atomic.Bool) *emulatortest.Server {
	s := emulatortest.Start(t, func(o *emulator.Options) {
		o.Data = t.TempDir()
		o.FaultData(func(step, _ string) error {
			if step == "write" && full.Load() {
				return syscall.ENOSPC
			}
			return nil
		})
	})
	s.Queue("queue")
	return s
}

func wantNoSpace(t *testing.T, what string, e *amqp.Error) {
	t.Helper()
	if e == nil || e.Condition != amqp.CondResourceLimitExceeded || !strings.Contains(e.Description, "no space left") {
		t.Errorf("%s: %+v, want %s with the reason", what, e, amqp.CondResourceLimitExceeded)
	}
}

// TestNothingIsAnsweredThatIsNotWritten sends a message while the disk is full. The connection is closed in place of an
// answer, and further links are refused until there is space.
func TestNothingIsAnsweredThatIsNotWritten(t *testing.T) {
	var full atomic.Bool
	s := startWithData(t, &full)
	w := opened(t, s, 100)
	w.attachSender(0, "queue")
	want[*amqp.Flow](w)
	w.transfer(message(0, 0, "one"))
	want[*amqp.Disposition](w)
	full.Store(true)
	w.transfer(message(0, 1, "two"))
	wantNoSpace(t, "the answer to a transfer", want[*amqp.Close](w).Error)
	other := opened(t, s, 100)
	other.attachSender(0, "queue")
	wantNoSpace(t, "the answer to an attach", want[*amqp.Detach](other).Error)
	full.Store(false)
	if err := s.Broker().Sync(); err != nil { // the emulator tries again by itself, after a second
		t.Fatal(err)
	}
	other.send(0, &amqp.Detach{Handle: 0, Closed: true})
	other.attachSender(1, "queue")
	want[*amqp.Flow](other)
	other.transfer(message(1, 0, "three"))
	want[*amqp.Disposition](other)
	if info, err := s.Broker().Queue("queue"); err != nil || info.Active != 3 {
		t.Errorf("the queue has %d messages, %v, want 3", info.Active, err)
	}
}

// TestHTTPAnswersWhatIsWritten sends over HTTP while the disk is full.
func TestHTTPAnswersWhatIsWritten(t *testing.T) {
	var full atomic.Bool
	s := startWithData(t, &full)
	c := &httpClient{t, s, rootToken()}
	c.want("with space", http.StatusCreated, "POST", "/queue/messages", "one")
	full.Store(true)
	if a := c.want("without", http.StatusInternalServerError, "POST", "/queue/messages", "two"); !strings.Contains(
		a.body, "no space left") {
		t.Errorf("the answer %q lacks the reason", a.body)
	}
	c.want("once it is known", http.StatusForbidden, "POST", "/queue/messages", "three")
	c.want("and a reset", http.StatusInternalServerError, "POST", "/reset", "")
	if a := c.do("GET", "/health", ""); a.status != http.StatusOK {
		t.Errorf("GET /health = %d", a.status)
	}
}

// TestRestartsWithData restarts an emulator with data.
func TestRestartsWithData(t *testing.T) {
	dir := t.TempDir()
	withData := func(o *emulator.Options) { o.Data = dir }
	s := emulatortest.Start(t, withData)
	s.Queue("queue")
	c := &httpClient{t, s, rootToken()}
	c.want("a message", http.StatusCreated, "POST", "/queue/messages", "kept")
	s.Close()
	s = emulatortest.Start(t, withData)
	if info, err := s.Broker().Queue("queue"); err != nil || info.Active != 1 {
		t.Errorf("after a restart the queue has %d messages, %v, want 1", info.Active, err)
	}
	if err := s.RestartEmpty(); err != nil {
		t.Fatal(err)
	}
	if queues := s.Broker().Queues(); len(queues) != 0 {
		t.Errorf("after RestartEmpty there is %+v", queues)
	}
	s.Queue("new")
	s.Close()
	s = emulatortest.Start(t, withData)
	if queues := s.Broker().Queues(); len(queues) != 1 || queues[0].Name != "new" {
		t.Errorf("after one more restart there is %+v, want the new queue", queues)
	}
}
