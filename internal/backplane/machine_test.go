package backplane_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"chatapp/internal/backplane"
)

// line is an entry in the history of a fakeMachine.
type line struct {
	Instance string
	Epoch    uint64
	Number   uint64
	Time     int64
	Text     string
}

// fakeMachine is a small state machine with a history, and with names that have one holder each. A body
// "claim name/holder" takes a name if it is free. A holder begins with the name of its instance and
// leaves with it. Every body is recorded in the history.
type fakeMachine struct {
	mu    sync.Mutex // tests look while the node runs
	state fakeMachineState

	instance    string
	acked       []string // own entries applied here, or contained in a snapshot
	won         []string // names that own claims took, as seen when they were applied
	provisional []string
	joined      int
	begun       int
	cut         bool
	first       [][]byte // what Joined returns, once
	broken      error    // what Restore returns
	gone        []string
	snapshots   int
	hold        func() // called by the next Apply, once, which blocks as long
}

type fakeMachineState struct {
	Log     string // founder of the log
	Rules   uint64 // 0: not raised
	History []line
	Holders map[string]string
}

func newFakeMachine(instance string) *fakeMachine {
	return &fakeMachine{instance: instance, state: fakeMachineState{Holders: make(map[string]string)}}
}

func (s *fakeMachine) Apply(e backplane.Entry) error {
	s.mu.Lock()
	hold := s.hold
	s.hold = nil
	s.mu.Unlock()
	if hold != nil {
		hold()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.History = append(s.state.History, line{e.Instance, e.Epoch, e.Number, e.Time, string(e.Body)})
	if claim, ok := strings.CutPrefix(string(e.Body), "claim "); ok {
		name, holder, _ := strings.Cut(claim, "/")
		if s.state.Holders[name] == "" {
			s.state.Holders[name] = holder
			if e.Instance == s.instance {
				s.won = append(s.won, name)
			}
		}
	}
	if e.Instance == s.instance {
		s.acked = append(s.acked, string(e.Body))
	}
	return nil
}

func (s *fakeMachine) Begin(at backplane.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Log = at.Instance
	s.begun++
}

func (s *fakeMachine) Raise(_ backplane.Entry, rules uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Rules = rules
}

func (s *fakeMachine) Gone(at backplane.Entry, instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, instance)
	s.state.History = append(s.state.History, line{at.Instance, at.Epoch, at.Number, at.Time, "gone " + instance})
	maps.DeleteFunc(s.state.Holders, func(_, holder string) bool { return strings.HasPrefix(holder, instance+"-") })
}

func (s *fakeMachine) Snapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots++
	return s.encodeLocked()
}

func (s *fakeMachine) encodeLocked() []byte {
	encoded, err := json.Marshal(s.state)
	if err != nil {
		panic(err)
	}
	return encoded
}

func (s *fakeMachine) Restore(snapshot []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	restored := fakeMachineState{Holders: make(map[string]string)}
	if err := json.Unmarshal(snapshot, &restored); err != nil {
		return err
	}
	s.state = restored
	return nil
}

func (s *fakeMachine) Joined() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined++
	first := s.first
	s.first = nil
	return first
}

func (s *fakeMachine) Provisional(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provisional = append(s.provisional, string(body))
}

func (s *fakeMachine) Committed(e backplane.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, string(e.Body))
}

func (s *fakeMachine) CutOff(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

// look calls f while the node can't change the machine.
func (s *fakeMachine) look(f func(s *fakeMachine)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *fakeMachine) encoded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.encodeLocked())
}

func (s *fakeMachine) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for _, l := range s.state.History {
		texts = append(texts, l.Text)
	}
	return texts
}

func (s *fakeMachine) ackedTexts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}
