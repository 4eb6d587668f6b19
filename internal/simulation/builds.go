package simulation

import (
	"errors"

	"chatapp/internal/backplane"
	"chatapp/internal/chat"
	"chatapp/internal/chat/state"
)

// build is what a version of the program knows: up to which version of the rules. The present one of the chat is
// oldRules; a simulation adds newRules, by which messages are recorded with another text.
type build struct{ rules uint64 }

const (
	oldRules = chat.Rules
	newRules = chat.Rules + 1
)

// machine is the chat as its node sees it.
type machine struct{ *instance }

// poison is the body of an entry that makes every instance panic.
var poison = []byte("poison")

func (m machine) Apply(e backplane.Entry) error {
	w := m.host.world
	w.trace.applied++
	w.trace.add(uint64(w.now()), uint64(m.host.name[0]), uint64(e.Instance[0]), e.Epoch, e.Number)
	if !m.loading() {
		w.judge.applied(m.instance, e.Instance)
		m.interleave()
	}
	if string(e.Body) == string(poison) {
		panic(string(poison))
	}
	if m.rules >= newRules {
		e.Body = amended(e.Body)
	}
	return m.chat.Apply(chat.Entry(e))
}

// loading reports whether the instance applies what was kept.
func (m machine) loading() bool { return m.saver != nil && m.saver.loading }

// amended is a command by the new rules.
func amended(body []byte) []byte {
	command, err := state.DecodeCommand(body)
	if say, ok := command.Action.(*state.Say); ok && err == nil {
		say.Text += ", by new rules"
		return command.Encode()
	}
	return body
}

// interleave lets a message be published between two effects, as the node's other goroutine may.
func (m machine) interleave() {
	if w := m.host.world; w.chance(0.05) && m.host.instance == m.instance {
		m.pump()
	}
}

func (m machine) Gone(at backplane.Entry, instance string) {
	m.host.world.tell(m.host.name, "learns that %s is gone", instance)
	m.interleave()
	m.chat.Gone(chat.Entry(at), instance)
}

func (m machine) Begin(at backplane.Entry) {
	m.log = m.host.world.judge.begun(at.Instance, at.Epoch)
	m.chat.Begin(chat.Entry(at))
}

func (m machine) Raise(_ backplane.Entry, rules uint64) {
	w := m.host.world
	w.tell(m.host.name, "follows rules %d from here on", rules)
	if rules > m.build.rules {
		w.judge.anomaly(Broken, "%s follows rules that it does not know", m.host.name)
	}
	m.rules = rules
}

func (m machine) Snapshot() []byte { return append(m.chat.Snapshot(), byte(m.rules), byte(m.log)) }

func (m machine) Restore(snapshot []byte) error {
	n := len(snapshot) - 2
	err := m.chat.Restore(snapshot[:n])
	if err != nil {
		m.host.world.judge.anomaly(Broken, "%s can't restore a snapshot: %v", m.host.name, err)
		return err
	}
	m.rules, m.log = uint64(snapshot[n]), int(snapshot[n+1])
	if !m.loading() {
		m.interleave()
	}
	return nil
}

func (m machine) Joined() [][]byte            { return m.chat.Joined() }
func (m machine) Provisional(body []byte)     { m.chat.Provisional(body) }
func (m machine) Committed(e backplane.Entry) { m.chat.Committed(chat.Entry(e)) }
func (m machine) CutOff(bool)                 {}

// outdated ends an instance whose build does not know the rules that the cluster follows. It is replaced by a newer
// one.
func (i *instance) outdated(err error) bool {
	h := i.host
	if !errors.Is(err, backplane.ErrVersion) || i.build.rules >= newRules {
		return false
	}
	h.world.tell(h.name, "ends: %v", err)
	h.build.rules = newRules
	h.crash()
	h.world.after(0, h.boot)
	return true
}
