package state

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func smallBounds() Bounds {
	return Bounds{RoomLines: 10, HistoryBytes: 4096, Rooms: 4, Users: 20, Expired: 3, RecoveryMillis: 60_000}
}

// script drives a State and describes in words what happens.
type script struct {
	t     testing.TB
	state *State
	at    Entry
	last  Outcome
}

func newScript(t testing.TB) *script {
	return &script{t: t, state: New(smallBounds()), at: Entry{Epoch: 1, Time: 1_000_000}}
}

// do applies a command of an instance and returns what changed.
func (s *script) do(instance string, c Command) string {
	s.t.Helper()
	s.at.Instance, s.at.Number, s.at.Time = instance, s.at.Number+1, s.at.Time+1
	s.at.Index++
	o, changes, err := s.state.Apply(s.at, &c)
	if err != nil {
		s.t.Errorf("Apply(%+v, %+v) = %v", s.at, c.Action, err)
	}
	s.last = o
	return describe(o, changes)
}

func (s *script) gone(instance string) string {
	s.at.Number++
	return describe(Outcome{}, s.state.Gone(s.at, instance))
}

func (s *script) want(why, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %q, want %q", why, got, want)
	}
}

func describe(o Outcome, changes []Change) string {
	var parts []string
	if o.Code != Accepted {
		parts = append(parts, o.Code.String())
	}
	if o.Duplicate {
		parts = append(parts, fmt.Sprint("duplicate of ", o.At.Seq))
	}
	for i := range changes {
		parts = append(parts, changes[i].describe())
	}
	return strings.Join(parts, "; ")
}

func (c *Change) describe() string {
	name := c.User.name.Name
	switch c.Kind {
	case Said:
		return fmt.Sprintf("%s in %s: %s", name, c.Room, c.Line.Text)
	case Joined:
		return fmt.Sprintf("%s joins %s", name, c.Room)
	case Left:
		return fmt.Sprintf("%s leaves %s", name, c.Room)
	case Renamed:
		return fmt.Sprintf("%s is %s in %s", c.Line.Was, name, c.Room)
	case Bound:
		if c.Old != (ConnID{}) {
			return fmt.Sprintf("%s at %s%d not %s%d", name, c.At.Instance, c.At.Conn, c.Old.Instance, c.Old.Conn)
		}
		return fmt.Sprintf("%s at %s%d", name, c.At.Instance, c.At.Conn)
	case Erased:
		return fmt.Sprintf("%s forgotten in %s %d", name, c.Room, len(c.Erased))
	case Typed:
		return fmt.Sprintf("%s types in %s %v", name, c.Room, c.On)
	}
	return name + map[ChangeKind]string{Away: " away", Orphaned: " orphaned", Back: " back", Freed: " freed"}[c.Kind]
}

// check compares the State with one that is decoded from its snapshot.
func (s *script) check() {
	s.t.Helper()
	encoded := s.state.Encode()
	again, err := Decode(encoded)
	if err != nil {
		s.t.Fatalf("decodeState of a state's own snapshot: %v", err)
	}
	if !bytes.Equal(again.Encode(), encoded) {
		s.t.Error("snapshot of a restored state differs from the one it was restored from")
	}
	if again.histBytes != s.state.histBytes {
		s.t.Errorf("bytes of history = %d, counted again %d", s.state.histBytes, again.histBytes)
	}
	if !maps.Equal(again.shares, s.state.shares) {
		s.t.Errorf("shares = %v, counted again %v", s.state.shares, again.shares)
	}
	if len(again.byConn) != len(s.state.byConn) || len(again.byToken) != len(s.state.byToken) ||
		len(again.byClient) != len(s.state.byClient) || len(again.byKey) != len(s.state.byKey) {
		s.t.Errorf("indexes of the state and of the restored one differ: sockets %d, %d, tokens %d, %d, "+
			"clients %d, %d, names %d, %d",
			len(s.state.byConn), len(again.byConn), len(s.state.byToken), len(again.byToken),
			len(s.state.byClient), len(again.byClient), len(s.state.byKey), len(again.byKey))
	}
	if len(again.roomByKey) != len(s.state.roomByKey) {
		s.t.Errorf("%d rooms have a key, %d after decoding", len(s.state.roomByKey), len(again.roomByKey))
	}
	if !maps.Equal(again.past.erasures.through, s.state.past.erasures.through) ||
		!maps.Equal(again.past.erasures.byToken, s.state.past.erasures.byToken) {
		s.t.Errorf("erasures %v are indexed differently after decoding", s.state.past.erasures.all)
	}
	for name, r := range s.state.rooms {
		if hidden := again.rooms[name].hidden; hidden != r.hidden {
			s.t.Errorf("room %q has %d hidden lines, %d after decoding", name, r.hidden, hidden)
		}
		if len(r.members) != len(again.rooms[name].members) {
			s.t.Errorf("room %q has %d members, %d by the rooms of the users",
				name, len(r.members), len(again.rooms[name].members))
		}
	}
}

func claimOf(conn uint64, name string) Command {
	return Command{Conn: conn, Action: &Claim{Name: name, Key: strings.ToLower(name), Token: Hash{byte(conn)},
		Client: Hash{1, byte(conn)}, SID: fmt.Sprint("sid", conn), HoldMillis: 30_000, RoomLimit: 3}}
}

// variantOf is a claim that accepts a variant of the nickname.
func variantOf(conn uint64, name string) Command {
	c := claimOf(conn, name)
	c.Action.(*Claim).Variant = true
	return c
}

// resumeOf is a claim of the user whose token claimOf has made of the number.
func resumeOf(conn, token uint64) Command {
	return Command{Conn: conn, Action: &Claim{Token: Hash{byte(token)}, Client: Hash{1, byte(conn)}, HoldMillis: 30_000,
		RoomLimit: 3}}
}

func sayOf(conn uint64, text string) Command {
	return Command{Conn: conn, Action: &Say{Room: Lobby, Text: text}}
}

func disconnect(conn, hold uint64) Command {
	return Command{Conn: conn, Action: &Disconnect{HoldMillis: hold}}
}

func expire(users ...Stamp) Command { return Command{Action: &Expire{Users: users}} }

func (s *script) populate() {
	s.do("a", claimOf(1, "Ann"))
	s.do("b", claimOf(2, "Bob"))
	s.do("a", Command{Conn: 1, Action: &Join{Room: "go", RoomLimit: 3}})
	s.do("a", sayOf(1, "hi"))
}
