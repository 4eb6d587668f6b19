package backplane_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"chatapp/internal/backplane"
)

// line is an item of the toy's history.
type line struct {
	Instance string
	Epoch    uint64
	Number   uint64
	Time     int64
	Text     string
}

// toy is a state machine: a history, and names of which each has one holder. A body "claim name/holder" takes a name if
// it is free; a holder begins with the name of the instance at which he is, and is gone with it. All else is said.
type toy struct {
	mu    sync.Mutex // tests look while the node runs
	state toyState

	instance    string
	acked       []string // own entries applied here, or contained in a snapshot
	won         []string // names that own claims took, as seen when they were applied
	provisional []string
	joined      int
	cut         bool
	first       [][]byte // what Joined returns, once
	broken      error    // what Restore returns
	gone        []string
	snapshots   int
	hold        func() // called by the next Apply, once: the process stands still meanwhile
}

type toyState struct {
	History []line
	Holders map[string]string
}

func newToy(instance string) *toy {
	return &toy{instance: instance, state: toyState{Holders: make(map[string]string)}}
}

func (s *toy) Apply(e backplane.Entry) {
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
}

func (s *toy) Gone(at backplane.Entry, instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, instance)
	s.state.History = append(s.state.History, line{at.Instance, at.Epoch, at.Number, at.Time, "gone " + instance})
	maps.DeleteFunc(s.state.Holders, func(_, holder string) bool { return strings.HasPrefix(holder, instance+"-") })
}

func (s *toy) Snapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots++
	return s.encodeLocked()
}

func (s *toy) encodeLocked() []byte {
	encoded, err := json.Marshal(s.state)
	if err != nil {
		panic(err)
	}
	return encoded
}

func (s *toy) Restore(snapshot []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	restored := toyState{Holders: make(map[string]string)}
	if err := json.Unmarshal(snapshot, &restored); err != nil {
		return err
	}
	s.state = restored
	return nil
}

func (s *toy) Joined() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined++
	first := s.first
	s.first = nil
	return first
}

func (s *toy) Provisional(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provisional = append(s.provisional, string(body))
}

func (s *toy) Committed(e backplane.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, string(e.Body))
}

func (s *toy) CutOff(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
}

// look calls f while the node can't change the toy.
func (s *toy) look(f func(s *toy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *toy) encoded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.encodeLocked())
}

func (s *toy) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for _, l := range s.state.History {
		texts = append(texts, l.Text)
	}
	return texts
}

func (s *toy) ackedTexts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}
