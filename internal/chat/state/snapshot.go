package state

import (
	"cmp"
	"maps"
	"slices"
)

// snapshotVersion is raised when the encoding changes, together with the rules: a State that follows older rules is
// encoded as builds that know no others read it. Decode refuses all other versions.
const (
	snapshotVersion = 6
	versionWithPast = 5 // of rules before SettingsSince: without how long lines are kept
	versionWithKeys = 4 // of rules before HistorySince: without what of the history is gone, too
	versionWithout  = 3 // of rules before EnterSince: without the keys of rooms, too
)

// formatOf returns the version of the snapshot of a State that follows a version of the rules.
func formatOf(rules uint64) uint64 {
	switch {
	case rules < EnterSince:
		return versionWithout
	case rules < HistorySince:
		return versionWithKeys
	case rules < SettingsSince:
		return versionWithPast
	}
	return snapshotVersion
}

// A snapshot is a CBOR array of the structs below, each an array of its fields. Equal States have equal snapshots.
type (
	snapshot struct {
		_       struct{} `cbor:",toarray"`
		Version uint64
		Rules   uint64
		Log     uint32
		Parents []branch
		Chain   uint64
		Last    Position
		Seq     uint64
		Time    int64
		Bounds  savedBounds
		Users   []savedUser // by id
		Expired []savedUser // in the order in which they expired
		Rooms   []savedRoom // by name
		Said    []savedSaid // oldest first
		Sayers  []Hash      // the tokens of those who said that
	}
	keyedSnapshot struct {
		_ struct{} `cbor:",toarray"`
		snapshot
		RoomKeys []string // one for each of Rooms
	}
	pastSnapshot struct {
		_ struct{} `cbor:",toarray"`
		keyedSnapshot
		Pasts    []savedPast // one for each of Rooms
		Erasures []Erasure   // in the order of the log
		Retained int64
		Closed   bool
	}
	settingsSnapshot struct {
		_ struct{} `cbor:",toarray"`
		pastSnapshot
		RetentionMillis int64
	}
	savedBounds struct {
		_ struct{} `cbor:",toarray"`
		Bounds
	}
	savedUser struct {
		_            struct{} `cbor:",toarray"`
		ID           uint64
		Name         Nickname
		Token        Hash
		Client       Hash
		ClientNo     uint64
		SID          string
		Protocol     Protocol
		Disconnected bool
		Orphaned     bool
		Generation   uint64
		Hold         uint64
		ExpiredAt    int64
		Rooms        []string
		Conns        []savedConn
		Origin       Hash
	}
	savedConn struct {
		_        struct{} `cbor:",toarray"`
		Instance string
		Conn     uint64
		ClientNo uint64
		Born     uint64
	}
	savedRoom struct {
		_       struct{} `cbor:",toarray"`
		Name    string
		Lines   []Line
		Trimmed uint64
		Active  uint64
		Used    int64
		Maker   Hash
	}
	savedPast struct {
		_         struct{} `cbor:",toarray"`
		First     uint64
		Remade    bool
		TrimmedAt int64
		Authors   []uint64 // one for each line
	}
	savedSaid struct {
		_     struct{} `cbor:",toarray"`
		Key   Hash
		At    Position
		Time  int64
		Sayer uint64 // an index of Sayers
	}
)

// Encode returns the State as a snapshot, which belongs to the caller.
func (s *State) Encode() []byte {
	saved := settingsSnapshot{RetentionMillis: s.retention}
	saved.pastSnapshot = pastSnapshot{Erasures: append([]Erasure{}, s.past.erasures.all...), Retained: s.past.retained,
		Closed: s.past.closed, Pasts: make([]savedPast, 0, len(s.rooms))}
	saved.RoomKeys = make([]string, 0, len(s.rooms))
	saved.snapshot = snapshot{Version: formatOf(s.log.rules), Rules: s.log.rules, Log: s.log.id, Parents: s.log.parents,
		Chain: s.log.chain, Last: s.log.last, Seq: s.seq, Time: s.log.time, Bounds: savedBounds{Bounds: s.bounds}}
	saved.Users = make([]savedUser, 0, len(s.users))
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		saved.Users = append(saved.Users, s.users[id].save())
	}
	saved.Expired = make([]savedUser, 0, len(s.expired))
	for _, u := range s.expired {
		saved.Expired = append(saved.Expired, u.save())
	}
	saved.Rooms = make([]savedRoom, 0, len(s.rooms))
	for _, r := range s.sortedRooms() {
		saved.Rooms = append(saved.Rooms,
			savedRoom{Name: r.name, Lines: r.lines, Trimmed: r.trimmed, Active: r.active, Used: r.used, Maker: r.maker})
		saved.RoomKeys = append(saved.RoomKeys, r.key)
		saved.Pasts = append(saved.Pasts, r.savePast())
	}
	saved.Said, saved.Sayers = s.said.save()
	var encoded []byte
	var err error
	switch saved.Version {
	case versionWithout:
		encoded, err = encoding.Marshal(saved.snapshot)
	case versionWithKeys:
		encoded, err = encoding.Marshal(saved.keyedSnapshot)
	case versionWithPast:
		encoded, err = encoding.Marshal(saved.pastSnapshot)
	default:
		encoded, err = encoding.Marshal(saved)
	}
	if err != nil {
		panic(err) // no field of a snapshot can fail to encode
	}
	return encoded
}

func (s *State) sortedRooms() []*Room {
	return slices.SortedFunc(maps.Values(s.rooms), func(a, b *Room) int { return cmp.Compare(a.name, b.name) })
}

func (r *Room) savePast() savedPast {
	saved := savedPast{First: r.first, Remade: r.remade, TrimmedAt: r.trimmedAt, Authors: make([]uint64, len(r.lines))}
	for i := range r.lines {
		saved.Authors[i] = r.lines[i].Author
	}
	return saved
}

func (u *User) save() savedUser {
	saved := savedUser{ID: u.id, Name: u.name, Token: u.token, Client: u.client, ClientNo: u.clientNo, SID: u.sid,
		Protocol: u.protocol, Disconnected: u.status == Disconnected, Orphaned: u.orphaned, Generation: u.generation,
		Hold: u.hold, ExpiredAt: u.expiredAt, Rooms: u.rooms, Origin: u.origin}
	saved.Conns = make([]savedConn, len(u.conns))
	for i, b := range u.conns {
		saved.Conns[i] = savedConn{Instance: b.Instance, Conn: b.Conn, ClientNo: b.clientNo, Born: b.born}
	}
	return saved
}
