package chat

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
	"chatapp/internal/timerheap"
)

// Chat is the chat on one instance: the replicated state, and the clients that are connected here. All methods may be
// called concurrently, except that the log makes its calls (Apply, Gone, Begin, Raise, Snapshot, Restore, Joined,
// Provisional, Committed, CutOff) one at a time.
type Chat struct {
	core

	// The parts, each with a file of that name or so. Each refers only to those above it. Guarded by Chat.mu.
	local      localClients
	lines      lines
	commands   commands
	expiry     expiry
	typing     typing
	status     clusterStatus
	settings   settings
	history    history
	rosters    rosters
	presence   presence
	resumption resumption
	nicknames  nicknames
	floods     floods
}

// New returns a chat without users. Attach makes it accessible.
func New(options Options) *Chat {
	options.setDefaults()
	// References and connections are numbered from a random start, so that an instance which is started again under the
	// same name repeats none of its predecessor's.
	var random [16]byte
	_, _ = crand.Read(random[:]) // never fails
	c := &Chat{
		core:  core{options: options, state: state.New(options.Bounds)},
		local: newLocalClients(binary.LittleEndian.Uint64(random[8:])>>16, options.MessageRate),
	}
	c.timers = timerheap.New[func(time.Time)](c.runTimers)
	c.local.core = &c.core
	c.lines = lines{core: &c.core, local: &c.local}
	c.commands = newCommands(&c.core, &c.local, binary.LittleEndian.Uint64(random[:])>>16)
	c.expiry = expiry{core: &c.core, local: &c.local}
	c.typing = newTyping(&c.core, &c.local)
	c.status = clusterStatus{core: &c.core, local: &c.local}
	c.settings = newSettings(&c.core)
	c.history.core, c.history.local, c.history.lines = &c.core, &c.local, &c.lines
	c.history.reads = make(map[*request]context.CancelFunc)
	c.rosters = rosters{core: &c.core, local: &c.local, lines: &c.lines, away: make(map[uint64]struct{})}
	c.presence = presence{core: &c.core, local: &c.local, lines: &c.lines, rosters: &c.rosters,
		changed: make(map[uint64]struct{})}
	c.resumption = resumption{core: &c.core, local: &c.local, lines: &c.lines, history: &c.history,
		rosters: &c.rosters}
	c.nicknames = nicknames{core: &c.core, local: &c.local, lines: &c.lines, history: &c.history,
		rosters: &c.rosters, commands: &c.commands, resumption: &c.resumption,
		overtaken: make(map[state.Hash]*client)}
	return c
}

// Attach binds the chat to the namespace its clients join and to the log. It is called once, before either is served or
// run.
func (c *Chat) Attach(nsp *socketio.Namespace, b Backplane) {
	if b.Suspect == nil {
		b.Suspect = func(string) {}
	}
	if b.Unsaved == nil {
		b.Unsaved = func() (string, bool) { return "", false }
	}
	if b.Time == nil {
		b.Time = time.Now
	}
	if b.Cluster == nil {
		b.Cluster = func() Cluster {
			return Cluster{Ready: true, Instances: []Instance{{Name: b.Instance, Self: true}}}
		}
	}
	c.backplane = b
	c.local.instance = b.Instance
	c.out.nsp, c.out.logger = nsp, c.options.Logger
	c.handleEvents()
	c.mu.Lock()
	defer c.unlock()
	c.status.watchLocked(time.Now())
	c.timers.Add(time.Now().Add(settingsEvery), c.settings.compareLocked)
	c.timers.Add(time.Now().Add(retentionStep(c.retentionLocked())/2), c.retainLocked)
}

// Close stops the chat's timer and refuses all requests of clients from now on. It waits for those that read the store.
// The log may still call.
func (c *Chat) Close() {
	c.mu.Lock()
	c.closed = true
	c.timers.Stop()
	c.history.close()
	c.mu.Unlock()
	c.history.ended.Wait()
}
