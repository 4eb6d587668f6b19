package state

import (
	"errors"
	"fmt"
	"slices"
)

// ErrVersion is wrapped by the error of Decode for a State that another version of this program has made and that this
// one can't continue.
var ErrVersion = errors.New("the state needs another version of this program")

// Decode decodes a snapshot. It refuses what no sequence of entries could have led to. Its error wraps ErrVersion if
// another version of this program has encoded it, or if the State follows rules that this one does not know.
func Decode(encoded []byte) (s *State, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("decode snapshot: panic: %v", r)
		}
	}()
	return decode(encoded, Rules)
}

// decode is Decode for a build that knows the rules up to a version.
func decode(encoded []byte, rules uint64) (*State, error) {
	var saved settingsSnapshot
	var err error
	switch version := versionOf(encoded); version {
	case snapshotVersion:
		err = decoding.Unmarshal(encoded, &saved)
	case versionWithPast:
		err = decoding.Unmarshal(encoded, &saved.pastSnapshot)
	case versionWithKeys:
		err = decoding.Unmarshal(encoded, &saved.keyedSnapshot)
	case versionWithout:
		err = decoding.Unmarshal(encoded, &saved.snapshot)
		saved.RoomKeys = make([]string, len(saved.Rooms))
	default:
		return nil, fmt.Errorf("decode snapshot: its format is version %d, this instance reads versions %d to %d: %w",
			version, versionWithout, snapshotVersion, ErrVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	if saved.Rules > rules {
		return nil, fmt.Errorf("decode snapshot: it follows rules %d, this instance knows up to rules %d: %w",
			saved.Rules, rules, ErrVersion)
	}
	bounds := saved.Bounds.Bounds
	bounds.setDefaults()
	s := newState(bounds)
	s.log = logState{id: saved.Log, parents: saved.Parents, chain: saved.Chain, last: saved.Last, time: saved.Time,
		rules: saved.Rules}
	s.seq, s.retention = saved.Seq, saved.RetentionMillis
	if saved.RetentionMillis < 0 || saved.RetentionMillis > maxRetentionMillis {
		return nil, errors.New("decode snapshot: retention out of range")
	}
	if err := s.restore(&saved.pastSnapshot); err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	return s, nil
}

// versionOf returns the version of a snapshot, or 0 for anything else.
func versionOf(encoded []byte) uint64 {
	if len(encoded) < 2 || encoded[0]&0xe0 != 0x80 || encoded[1] >= 24 {
		return 0 // not an array that begins with a small integer
	}
	return uint64(encoded[1])
}

func (s *State) restore(saved *pastSnapshot) error {
	if saved.Version != formatOf(saved.Rules) || len(saved.RoomKeys) != len(saved.Rooms) {
		return errors.New("format does not fit the rules")
	}
	if saved.Bounds.Bounds != s.bounds {
		return errors.New("bound out of range")
	}
	if saved.Last.Seq > saved.Seq || saved.Rules == 0 || len(saved.Parents) > maxParents {
		return errors.New("position in the log out of range")
	}
	for i := range saved.Rooms {
		if err := s.restoreRoom(&saved.Rooms[i], saved.RoomKeys[i]); err != nil {
			return err
		}
	}
	for i := range saved.Users {
		u, err := s.restoreUser(&saved.Users[i])
		if err != nil {
			return err
		}
		if u.status == Connected && len(u.conns) == 0 {
			return fmt.Errorf("user %d is connected without a socket", u.id)
		}
		if err := s.restoreMembership(u); err != nil {
			return err
		}
	}
	for i := range saved.Expired {
		u, err := s.restoreUser(&saved.Expired[i])
		if err != nil {
			return err
		}
		u.status = Expired
		s.expired = append(s.expired, u)
	}
	if err := s.restoreRemembered(&saved.snapshot); err != nil {
		return err
	}
	if saved.Version < versionWithPast {
		s.guessPast()
		return nil
	}
	return s.restorePast(saved)
}

func (s *State) restoreRemembered(saved *snapshot) error {
	for _, said := range saved.Said {
		if s.said.byKey[said.Key] != nil || said.Sayer >= uint64(len(saved.Sayers)) {
			return errors.New("message is remembered twice or of nobody")
		}
		s.said.add(&rememberedMessage{key: said.Key, at: said.At, time: said.Time}, saved.Sayers[said.Sayer])
	}
	return nil
}

func (s *State) restoreRoom(saved *savedRoom, key string) error {
	if !validRoom(saved.Name) || s.rooms[saved.Name] != nil || saved.Active > s.seq {
		return fmt.Errorf("room %q is invalid or occurs twice", saved.Name)
	}
	if key != "" && (!validRoomKey(key) || key == lobbyKey || s.roomByKey[key] != nil) {
		return fmt.Errorf("key of room %q is invalid or that of another", saved.Name)
	}
	n := len(saved.Lines)
	ordered := true
	for i := 1; i < n; i++ {
		ordered = ordered && saved.Lines[i-1].Seq < saved.Lines[i].Seq
	}
	if !ordered || n > s.bounds.RoomLines ||
		n > 0 && (saved.Lines[0].Seq <= saved.Trimmed || saved.Lines[n-1].Seq > s.seq) {
		return fmt.Errorf("lines of room %q are out of order", saved.Name)
	}
	size := 0
	for i := range saved.Lines {
		l := &saved.Lines[i]
		if l.Kind >= LineKinds || l.Forgotten() && s.log.rules < HistorySince || len(l.Text) > MaxText ||
			len(l.CID) > MaxCID {
			return fmt.Errorf("line %d of room %q is invalid", l.Seq, saved.Name)
		}
		size += l.Size()
	}
	r := &Room{name: saved.Name, key: key, members: make(map[uint64]*User), lines: saved.Lines,
		trimmed: saved.Trimmed, active: saved.Active, used: saved.Used, maker: saved.Maker}
	s.addRoom(r)
	s.charge(r, size)
	return nil
}

// restoreUser creates a user and indexes it as expired ones are indexed, too.
func (s *State) restoreUser(saved *savedUser) (*User, error) {
	u := &User{id: saved.ID, name: saved.Name, token: saved.Token, client: saved.Client, clientNo: saved.ClientNo,
		sid: saved.SID, protocol: saved.Protocol, orphaned: saved.Orphaned, generation: saved.Generation,
		hold: saved.Hold, expiredAt: saved.ExpiredAt, rooms: saved.Rooms,
		origin: saved.Origin}
	if saved.Disconnected {
		u.status = Disconnected
	}
	switch {
	case u.id == 0 || u.id > s.seq || u.clientNo == 0 || u.name.Name == "" || u.name.Key == "" || u.protocol > V4,
		len(u.name.Name) > maxKeyBytes || len(u.name.Key) > maxKeyBytes || len(u.sid) > MaxSID,
		u.hold > MaxHoldMillis || len(u.rooms) > maxList,
		len(saved.Conns) > maxConns:
		return nil, fmt.Errorf("user %d is invalid", u.id)
	case s.byToken[u.token] != nil || s.byClient[u.client] != nil:
		return nil, fmt.Errorf("user %d has the secret of another", u.id)
	}
	s.byToken[u.token] = u
	if u.client != (Hash{}) {
		s.byClient[u.client] = u
	}
	for _, c := range saved.Conns {
		conn := ConnID{c.Instance, c.Conn}
		if s.byConn[conn] != nil {
			return nil, fmt.Errorf("user %d has the socket of another", u.id)
		}
		s.byConn[conn] = u
		u.conns = append(u.conns, binding{conn, c.ClientNo, c.Born})
	}
	return u, nil
}

// restoreMembership gives a user that has not expired its nickname and its rooms.
func (s *State) restoreMembership(u *User) error {
	if s.users[u.id] != nil || s.byKey[u.name.Key] != nil {
		return fmt.Errorf("user %d or its nickname occurs twice", u.id)
	}
	s.users[u.id], s.byKey[u.name.Key] = u, u
	for _, name := range u.rooms {
		r := s.rooms[name]
		if r == nil || r.members[u.id] != nil {
			return fmt.Errorf("user %d is in room %q, which does not exist or lists it already", u.id, name)
		}
		r.members[u.id] = u
	}
	if !slices.Contains(u.rooms, Lobby) {
		return fmt.Errorf("user %d is not in the lobby", u.id)
	}
	return nil
}
