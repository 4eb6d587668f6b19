package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/waittest"
)

// process is the command as a process of its own.
type process struct {
	*exec.Cmd
	text string // what it has announced
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	command := exec.Command(os.Args[0], append([]string{"-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0"}, args...)...)
	command.Env = append(os.Environ(), mainVariable+"=1")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: command}
	t.Cleanup(p.kill)
	p.text = readUntil(t, out, "Stop with Ctrl-C.")
	go io.Copy(io.Discard, out) // ends with the process
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill() // an error means that it has ended
	_ = p.Wait()
}

func (p *process) connectionString() string {
	_, rest, _ := strings.Cut(p.text, "send, receive  ")
	text, _, _ := strings.Cut(rest, "\n")
	return text
}

// ledger is what clients know of their messages.
type ledger struct {
	mu                         sync.Mutex
	accepted, tried, completed map[string]bool
}

func (l *ledger) note(set map[string]bool, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set[id] = true
}

// send sends messages until an error, one after the other.
func (l *ledger) send(ctx context.Context, sender *azservicebus.Sender, name int) {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d.%d", name, i)
		if sender.SendMessage(ctx, &azservicebus.Message{MessageID: &id, Body: make([]byte, 100)}, nil) != nil {
			return
		}
		l.note(l.accepted, id)
	}
}

// complete receives messages and completes them until an error.
func (l *ledger) complete(ctx context.Context, receiver *azservicebus.Receiver) {
	for {
		messages, err := receiver.ReceiveMessages(ctx, 5, nil)
		if err != nil {
			return
		}
		for _, m := range messages {
			l.note(l.tried, m.MessageID)
			if receiver.CompleteMessage(ctx, m, nil) != nil {
				return
			}
			l.note(l.completed, m.MessageID)
		}
	}
}

func (l *ledger) number(set map[string]bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(set)
}

// TestKilledEmulatorKeepsItsData kills the emulator while clients send and complete messages. No message comes back
// whose completion was answered, and none is lost that was accepted, unless a completion of it was under way.
func TestKilledEmulatorKeepsItsData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := startProcess(t, "-data", dir, "-config", writeConfig(t, configJSON))
	client, err := azservicebus.NewClientFromConnectionString(p.connectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := &ledger{accepted: make(map[string]bool), tried: make(map[string]bool), completed: make(map[string]bool)}
	var clients sync.WaitGroup
	for i := range 3 {
		sender, err := client.NewSender("queue.1", nil)
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() { l.send(ctx, sender, i) })
	}
	receiver, err := client.NewReceiverForQueue("queue.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	clients.Go(func() { l.complete(ctx, receiver) })
	waittest.Until(t, "300 messages are accepted and 100 completed", func() bool {
		return l.number(l.accepted) >= 300 && l.number(l.completed) >= 100
	})
	p.kill()
	cancel()
	clients.Wait()
	_ = client.Close(t.Context()) // an error because the emulator is gone

	p = startProcess(t, "-data", dir, "-config", writeConfig(t, strings.Replace(configJSON, `"Queues": [`,
		`"Queues": [{"Name": "queue.2"}, `, 1)))
	for _, want := range []string{"queue.1", "queue.2", "topic.1/Subscriptions/subscription.1"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("after the restart there is no %s:\n%s", want, p.text)
		}
	}
	left := peekAll(t, p.connectionString(), "queue.1")
	for id := range l.completed {
		if left[id] {
			t.Errorf("message %s is back, after its completion was answered", id)
		}
	}
	lost := 0
	for id := range l.accepted {
		if !left[id] && !l.tried[id] {
			lost++
		}
	}
	if lost > 0 || len(l.completed) < 100 {
		t.Errorf("of %d accepted messages %d are lost; %d were completed, %d are left", len(l.accepted), lost,
			len(l.completed), len(left))
	}
}

// peekAll returns the ids of all messages of a queue.
func peekAll(t *testing.T, connection, queue string) map[string]bool {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(context.WithoutCancel(t.Context()))
	receiver, err := client.NewReceiverForQueue(queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for {
		messages, err := receiver.PeekMessages(t.Context(), 200, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			return ids
		}
		for _, m := range messages {
			ids[m.MessageID] = true
		}
	}
}

// TestConfigLeavesWhatThereIs applies a configuration to a namespace that has a part of it.
func TestConfigLeavesWhatThereIs(t *testing.T) {
	config, err := broker.ReadConfig(strings.NewReader(configJSON))
	if err != nil {
		t.Fatal(err)
	}
	b := broker.New(broker.Options{})
	defer b.Close()
	queue := broker.DefaultQueue("Queue.1")
	queue.MaxDeliveryCount = 77
	if err := b.CreateQueue(queue); err != nil {
		t.Fatal(err)
	}
	if err := config.Missing(b).Apply(b); err != nil {
		t.Fatal(err)
	}
	if info, err := b.Queue("queue.1"); err != nil || info.MaxDeliveryCount != 77 {
		t.Errorf("the queue that was there has MaxDeliveryCount %d, %v, want 77", info.MaxDeliveryCount, err)
	}
	if _, err := b.Subscription("topic.1", "subscription.1"); err != nil {
		t.Errorf("the subscription that was not there: %v", err)
	}
	if err := config.Missing(b).Apply(b); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestInstancesKeepTheChatBesideTheBus looks at the environment that an instance gets.
func TestInstancesKeepTheChatBesideTheBus(t *testing.T) {
	relay, err := newRelay("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer relay.close()
	for _, row := range []struct{ data, own, want string }{
		{"", "", ""}, {"d", "", "STORE=" + filepath.Join("d", "chat")}, {"d", "mine", "STORE=mine"},
	} {
		c := &cluster{config: config{data: row.data}, getenv: func(name string) string {
			return map[string]string{"STORE": row.own}[name]
		}}
		if row.own != "" {
			c.environ = []string{"STORE=" + row.own}
		}
		got := ""
		for _, entry := range c.childEnvironment(&instance{relay: relay}) {
			if strings.HasPrefix(entry, "STORE=") {
				got = entry
			}
		}
		if got != row.want {
			t.Errorf("-data %q and STORE=%q: an instance gets %q, want %q", row.data, row.own, got, row.want)
		}
	}
	if got := (config{data: "d"}).options(nil).Data; got != filepath.Join("d", "broker") {
		t.Errorf("with -data d the bus is in %q", got)
	}
}

func TestArchiveIsNoOrphan(t *testing.T) {
	t.Parallel()
	left := "subscription  chat/Subscriptions/local-2"
	archive := "subscription  chat/Subscriptions/archive"
	got := orphans([]string{"queue         chat", "topic         chat", archive, left, ""})
	if !slices.Equal(got, []string{left}) {
		t.Errorf("orphans are %q, want %q", got, left)
	}
}
