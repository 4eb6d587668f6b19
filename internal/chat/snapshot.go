package chat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// snapshotVersion is raised when the encoding changes. The state reads the version before as well, once there is one.
const snapshotVersion = 1

// A snapshot is a CBOR array of the structures below, each an array of its fields, in an order that equal states share:
// equal states have equal snapshots.
type (
	snapshot struct {
		_       struct{} `cbor:",toarray"`
		Version uint64
		Chain   uint64
		Last    position
		Seq     uint64
		Time    int64
		Bounds  savedBounds
		Users   []savedUser // by id
		Lapsed  []savedUser // in the order they lapsed
		Rooms   []savedRoom // by name
		Said    []savedSaid // oldest first
	}
	savedBounds struct {
		_            struct{} `cbor:",toarray"`
		RoomLines    int
		HistoryBytes int
		Rooms        int
		Users        int
		Remembered   int
		Lapsed       int
		Recovery     int64 // milliseconds
	}
	savedUser struct {
		_        struct{} `cbor:",toarray"`
		ID       uint64
		Name     string
		Key      string
		Token    hash
		Page     hash
		PageGen  uint64
		SID      string
		Dialect  dialect
		Away     bool // held
		Orphan   bool
		Gen      uint64
		Hold     uint64
		Since    int64
		Rooms    []string
		Sessions []savedSession
	}
	savedSession struct {
		_        struct{} `cbor:",toarray"`
		Instance string
		Conn     uint64
		PageGen  uint64
		Born     uint64
	}
	savedRoom struct {
		_       struct{} `cbor:",toarray"`
		Name    string
		Lines   []line
		Trimmed uint64
		Active  uint64
	}
	savedSaid struct {
		_    struct{} `cbor:",toarray"`
		Once hash
		At   position
	}
)

var (
	snapshotEncoding = must(cbor.CoreDetEncOptions().EncMode())
	snapshotDecoding = must(cbor.DecOptions{
		MaxNestedLevels:  8,
		MaxArrayElements: 1 << 20,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode())
)

func must[T any](mode T, err error) T {
	if err != nil {
		panic(err) // the options above contradict each other
	}
	return mode
}

// encode returns the state as a snapshot.
func (s *state) encode() []byte {
	saved := snapshot{Version: snapshotVersion, Chain: s.chain, Last: s.last, Seq: s.seq, Time: s.time, Bounds: s.bounds.save()}
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		saved.Users = append(saved.Users, s.users[id].save())
	}
	for _, u := range s.lapsed {
		saved.Lapsed = append(saved.Lapsed, u.save())
	}
	for _, name := range slices.Sorted(maps.Keys(s.rooms)) {
		r := s.rooms[name]
		saved.Rooms = append(saved.Rooms, savedRoom{Name: name, Lines: r.lines, Trimmed: r.trimmed, Active: r.active})
	}
	for _, once := range s.said.order {
		saved.Said = append(saved.Said, savedSaid{Once: once, At: s.said.at[once]})
	}
	encoded, err := snapshotEncoding.Marshal(saved)
	if err != nil {
		panic(err) // nothing in a snapshot can fail to encode
	}
	return encoded
}

func (b *Bounds) save() savedBounds {
	return savedBounds{RoomLines: b.RoomLines, HistoryBytes: b.HistoryBytes, Rooms: b.Rooms, Users: b.Users,
		Remembered: b.Remembered, Lapsed: b.Lapsed, Recovery: b.Recovery.Milliseconds()}
}

func (b *savedBounds) restore() Bounds {
	return Bounds{RoomLines: b.RoomLines, HistoryBytes: b.HistoryBytes, Rooms: b.Rooms, Users: b.Users,
		Remembered: b.Remembered, Lapsed: b.Lapsed, Recovery: time.Duration(b.Recovery) * time.Millisecond}
}

func (u *user) save() savedUser {
	saved := savedUser{ID: u.id, Name: u.name.name, Key: u.name.key, Token: u.token, Page: u.page, PageGen: u.pageGen,
		SID: u.sid, Dialect: u.dialect, Away: u.status == held, Orphan: u.orphan, Gen: u.gen, Hold: u.hold,
		Since: u.since, Rooms: u.rooms}
	for _, b := range u.sessions {
		saved.Sessions = append(saved.Sessions, savedSession{Instance: b.Instance, Conn: b.Conn, PageGen: b.pageGen, Born: b.born})
	}
	return saved
}

// decodeState reads a snapshot. It takes nothing that apply could not have made.
func decodeState(encoded []byte) (*state, error) {
	var saved snapshot
	if err := snapshotDecoding.Unmarshal(encoded, &saved); err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	if saved.Version != snapshotVersion {
		return nil, fmt.Errorf("decode snapshot: version %d is not known here", saved.Version)
	}
	s := newState(saved.Bounds.restore())
	s.chain, s.last, s.seq, s.time = saved.Chain, saved.Last, saved.Seq, saved.Time
	if err := s.restore(&saved); err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	return s, nil
}

func (s *state) restore(saved *snapshot) error {
	b := &saved.Bounds
	for _, bound := range []int{b.RoomLines, b.HistoryBytes, b.Rooms, b.Users, b.Remembered, b.Lapsed} {
		if bound < 0 || bound > 1<<31 {
			return errors.New("bound out of range")
		}
	}
	if saved.Last.Seq > saved.Seq {
		return errors.New("last line is ahead of the numbers given")
	}
	if b.Recovery < 0 || b.Recovery > maxHold.Milliseconds() {
		return errors.New("bound out of range")
	}
	for i := range saved.Rooms {
		if err := s.restoreRoom(&saved.Rooms[i]); err != nil {
			return err
		}
	}
	for i := range saved.Users {
		u, err := s.restoreUser(&saved.Users[i])
		if err != nil {
			return err
		}
		if err := s.restorePlace(u); err != nil {
			return err
		}
	}
	for i := range saved.Lapsed {
		u, err := s.restoreUser(&saved.Lapsed[i])
		if err != nil {
			return err
		}
		u.status = lapsed
		s.lapsed = append(s.lapsed, u)
	}
	for _, said := range saved.Said {
		if _, twice := s.said.at[said.Once]; twice {
			return errors.New("message remembered twice")
		}
		s.said.add(said.Once, said.At, s.bounds.Remembered)
	}
	return nil
}

func (s *state) restoreRoom(saved *savedRoom) error {
	if saved.Name == "" || len(saved.Name) > maxNameBytes || s.rooms[saved.Name] != nil || saved.Active > s.seq {
		return fmt.Errorf("room %q is invalid or there twice", saved.Name)
	}
	n := len(saved.Lines)
	ordered := true
	for i := 1; i < n; i++ {
		ordered = ordered && saved.Lines[i-1].Seq < saved.Lines[i].Seq
	}
	if !ordered || n > s.bounds.RoomLines || n > 0 && (saved.Lines[0].Seq <= saved.Trimmed || saved.Lines[n-1].Seq > s.seq) {
		return fmt.Errorf("lines of room %q are out of order", saved.Name)
	}
	for i := range saved.Lines {
		l := &saved.Lines[i]
		if l.Kind >= lineKinds || l.From == "" || len(l.Text) > maxText || len(l.CID) > maxCID {
			return fmt.Errorf("line %d of room %q is invalid", l.Seq, saved.Name)
		}
		s.bytes += l.size()
	}
	s.rooms[saved.Name] = &room{name: saved.Name, members: make(map[uint64]*user), lines: saved.Lines,
		trimmed: saved.Trimmed, active: saved.Active}
	return nil
}

// restoreUser makes a user and enters him where lapsed ones are entered, too.
func (s *state) restoreUser(saved *savedUser) (*user, error) {
	u := &user{id: saved.ID, name: nickname{saved.Name, saved.Key}, token: saved.Token, page: saved.Page,
		pageGen: saved.PageGen, sid: saved.SID, dialect: saved.Dialect, orphan: saved.Orphan, gen: saved.Gen,
		hold: saved.Hold, since: saved.Since, rooms: saved.Rooms}
	if saved.Away {
		u.status = held
	}
	switch {
	case u.id == 0 || u.id > s.seq || u.pageGen == 0 || u.name.name == "" || u.name.key == "" || u.dialect > modern,
		len(u.name.name) > maxKeyBytes || len(u.name.key) > maxKeyBytes || len(u.sid) > maxSID,
		u.hold > uint64(maxHold.Milliseconds()) || len(u.rooms) > maxList,
		len(saved.Sessions) == 0 || len(saved.Sessions) > maxSessions:
		return nil, fmt.Errorf("user %d is invalid", u.id)
	case s.byToken[u.token] != nil || s.byPage[u.page] != nil:
		return nil, fmt.Errorf("user %d has the secret of another", u.id)
	}
	s.byToken[u.token] = u
	if u.page != (hash{}) {
		s.byPage[u.page] = u
	}
	for _, b := range saved.Sessions {
		at := session{b.Instance, b.Conn}
		if s.bySession[at] != nil {
			return nil, fmt.Errorf("user %d has the session of another", u.id)
		}
		s.bySession[at] = u
		u.sessions = append(u.sessions, binding{at, b.PageGen, b.Born})
	}
	return u, nil
}

// restorePlace gives a user who has not lapsed his name and his rooms.
func (s *state) restorePlace(u *user) error {
	if s.users[u.id] != nil || s.byKey[u.name.key] != nil {
		return fmt.Errorf("user %d is there twice, or his name is", u.id)
	}
	s.users[u.id], s.byKey[u.name.key] = u, u
	for _, name := range u.rooms {
		r := s.rooms[name]
		if r == nil || r.members[u.id] != nil {
			return fmt.Errorf("user %d is in room %q, which can't be", u.id, name)
		}
		r.members[u.id] = u
	}
	if !slices.Contains(u.rooms, lobby) {
		return fmt.Errorf("user %d is not in the lobby", u.id)
	}
	return nil
}
