package state

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// shout is a kind of command that the next version of the rules adds: it says something in capitals.
type shout struct {
	_    struct{} `cbor:",toarray"`
	Text string
}

func (*shout) kind() kind    { return kinds }
func (*shout) valid() bool   { return true }
func (*shout) since() uint64 { return Rules + 1 }
func (c *shout) apply(s *State, from origin) Outcome {
	return (&Say{Room: Lobby, Text: strings.ToUpper(c.Text)}).apply(s, from)
}

// poison is a command with a defect: applying it panics.
type poison struct {
	_ struct{} `cbor:",toarray"`
}

func (*poison) kind() kind                   { return kinds }
func (*poison) valid() bool                  { return true }
func (*poison) apply(*State, origin) Outcome { panic("poison") }

// A build that knows a command and one that does not are in the same state after it, until the log raises the rules.
func TestUnknownCommandAdvancesTheLogAlike(t *testing.T) {
	newer := newScript(t)
	newer.begin("a")
	newer.populate()
	older := newer.fork()
	c := Command{Conn: 1, Action: &shout{Text: "hi"}}
	if _, err := DecodeCommand(c.Encode()); !errors.Is(err, errUnknown) {
		t.Fatalf("DecodeCommand of a later release's kind = %v, want %v", err, errUnknown)
	}
	e := newer.at
	e.Instance, e.Number = "a", e.Number+1
	if o, changes, err := newer.state.Apply(e, &c); err == nil || o.Code != Unavailable || changes != nil {
		t.Errorf("Apply under older rules = %v, %v, %v, want it skipped", o, changes, err)
	}
	older.state.Skip(e)
	for _, s := range []*script{newer, older} {
		s.at = e
		s.do("a", sayOf(1, "behind it"))
	}
	if !bytes.Equal(newer.state.Encode(), older.state.Encode()) {
		t.Errorf("states differ behind a command that one build does not know: last positions %v and %v",
			newer.state.Last(), older.state.Last())
	}
	newer.at.Number++
	newer.state.Raise(newer.at, Rules+1)
	newer.want("under newer rules", newer.do("a", c), "Ann in lobby: HI")
}

func TestStateOfNewerRulesIsRefused(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.state.Raise(s.at, Rules+1)
	if _, err := Decode(s.state.Encode()); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "rules") {
		t.Errorf("Decode = %v, want ErrVersion and the reason", err)
	}
	next, err := decode(s.state.Encode(), Rules+1)
	if err != nil || next.Rules() != Rules+1 {
		t.Errorf("a build that knows these rules decodes %v, %v, want the state", next, err)
	}
	next.Raise(s.at, Rules)
	if got := next.Rules(); got != Rules+1 {
		t.Errorf("rules are %d after an older entry raised them to %d, want them not lowered", got, Rules)
	}
}

// A command that can't be applied is skipped. The State goes on as if it had not known the command.
func TestCommandThatPanicsIsSkipped(t *testing.T) {
	s := newScript(t)
	s.populate()
	other := s.fork()
	e := s.at
	e.Number++
	o, changes, err := s.state.Apply(e, &Command{Conn: 1, Action: &poison{}})
	if err == nil || !strings.Contains(err.Error(), "poison") || o.Code != Unavailable || changes != nil {
		t.Errorf("Apply = %v, %v, %v, want it skipped with the panic as the error", o, changes, err)
	}
	other.state.Skip(e)
	if !bytes.Equal(s.state.Encode(), other.state.Encode()) {
		t.Error("state differs from one that skipped the command")
	}
}

// An acknowledged message that another log lacks is recorded there, whatever has become of its user.
func TestAcknowledgedMessageIsRecordedAgain(t *testing.T) {
	again := func(s *script, cid string) Command {
		s.at.Again = true
		return Command{Conn: 77, Action: &Say{Room: "go", Text: "hi", CID: cid, Token: Hash{1}, From: "Ann"}}
	}
	s := newScript(t)
	s.want("the user is unknown, its name another's", s.do("b", claimOf(2, "Ann")), "Ann at b2; Ann joins lobby")
	s.want("in a room of nobody", s.do("a", again(s, "m1")), "Ann in go: hi")
	s.want("once", s.do("a", again(s, "m1")), fmt.Sprint("duplicate of ", s.state.Last().Seq))
	s.check()

	s = newScript(t)
	s.populate()
	s.do("a", Command{Conn: 1, Action: &Rename{Name: "Anna", Key: "anna"}})
	s.do("a", disconnect(1, 0))
	s.want("its user has lost the name", s.do("a", again(s, "m2")), "Anna in go: hi")
	if lines, _ := s.state.Room("go").Last(1, 0); lines[0].From != "Ann" || lines[0].User == 0 {
		t.Errorf("line is %+v, want it under the name of then and of the user", lines[0])
	}
	s.want("typing is of the past", s.do("b", Command{Conn: 2, Action: &Typing{Room: Lobby, On: true}}), "no_name")
	s.at.Again = false
	s.want("a message that was not acknowledged", s.do("a", sayOf(1, "late")), "no_name")
	s.check()
}
