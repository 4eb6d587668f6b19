package state

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Lobby is the room that every user is in and that clients without a nickname listen to.
const Lobby = "lobby"

// lobbyKey is RoomKey(Lobby). No other room has it as its key.
const lobbyKey = "lobby"

// State is what all instances hold alike. It is not safe for concurrent use. Users and Rooms that it returns are views:
// they change with the next entry, and may be read only as long as none is applied.
type State struct {
	log       logState
	seq       uint64 // the last number given to a line, a user or a change of a user
	bounds    Bounds
	retention int64            // see Settings
	users     map[uint64]*User // connected and disconnected ones by id
	byKey     map[string]*User // the same by folded nickname
	byToken   map[Hash]*User   // the same and expired ones
	byClient  map[Hash]*User   // those that have a client instance
	byConn    map[ConnID]*User
	expired   []*User // in the order in which they expired
	rooms     map[string]*Room
	roomByKey map[string]*Room // those that have a key
	histBytes int              // of all lines
	shares    map[Hash]share   // of the rooms and their lines, by Room.maker
	said      remembered
	past      past

	givenUp, dropped uint64   // see Size; they are no part of a snapshot
	changes          []Change // by the entry being applied; the array is used again
}

// Bounds limit the State. They are part of it, so that all instances apply the same ones. Zero and negative fields
// stand for their defaults. The greatest numbers are 2^20, for HistoryBytes 2^30, for RememberedBytes 2^27, and a day
// for the times. AddressKey has no default.
type Bounds struct {
	RoomLines      int   // lines kept of a room; 1,000
	HistoryBytes   int   // of the lines of all rooms; 16 MiB
	Rooms          int   // 10,000; one more replaces another, see makeRoom
	Users          int   // with a nickname at a time; 100,000
	Expired        int   // users without a nickname that may still return; 4,096
	RecoveryMillis int64 // how long after its nickname was freed a user may return; 2 minutes
	IdleMillis     int64 // after so long without a message a room with members may be given up for another; 1 hour

	// RememberedMillis is how long after a message its repetition is noticed: twice RecoveryMillis, and never less than
	// that once. While the user has lost its connection and may return, it is noticed anyway. RememberedBytes bounds
	// the memory for that: 48 MiB, enough for 1,500 messages a second.
	RememberedMillis int64
	RememberedBytes  int

	// AddressKey is the secret under which OriginOf hashes. It is made at random where a log begins.
	AddressKey Hash
}

func (b *Bounds) setDefaults() {
	for _, bound := range []struct {
		value     *int
		otherwise int
	}{
		{&b.RoomLines, 1000}, {&b.HistoryBytes, 16 << 20}, {&b.Rooms, 10_000}, {&b.Users, 100_000},
		{&b.RememberedBytes, 48 << 20}, {&b.Expired, 4096},
	} {
		if *bound.value <= 0 {
			*bound.value = bound.otherwise
		}
		if bound.value != &b.HistoryBytes && bound.value != &b.RememberedBytes {
			*bound.value = min(*bound.value, maxElements) // more do not decode
		}
	}
	b.HistoryBytes = min(b.HistoryBytes, 1<<30)
	b.RememberedBytes = min(b.RememberedBytes, messageCost*maxElements)
	if b.RecoveryMillis <= 0 {
		b.RecoveryMillis = 2 * 60 * 1000
	}
	if b.IdleMillis <= 0 {
		b.IdleMillis = 60 * 60 * 1000
	}
	if b.RememberedMillis <= 0 {
		b.RememberedMillis = 2 * b.RecoveryMillis
	}
	b.RecoveryMillis, b.IdleMillis = min(b.RecoveryMillis, MaxHoldMillis), min(b.IdleMillis, MaxHoldMillis)
	b.RememberedMillis = min(max(b.RememberedMillis, b.RecoveryMillis), MaxHoldMillis)
}

// Entry is one entry of the log. It is flat, so that a log which declares the same struct can convert its own.
// Instance, Epoch and Number identify it on every instance.
type Entry struct {
	Instance string // the one that appended it
	Epoch    uint64 // grows with every start of that instance
	Number   uint64 // within the epoch
	Index    uint64 // how many entries the log has up to this one
	Time     int64  // when it was appended, by the clock of the bus, in Unix milliseconds; 0: not known
	Again    bool   // its instance has acknowledged it as part of another log, whose end this one lacks
	Body     []byte // an encoded Command; never modified
	Trace    string // W3C trace context of the request that led to it; "": none. The State ignores it
}

// ConnID names one socket: the instance it is connected to, and the number that it has there.
type ConnID struct {
	Instance string
	Conn     uint64
}

// Outcome is what a command has led to, for the instance that appended it.
type Outcome struct {
	Code      Code     // Accepted, or the reason why the command changed nothing
	User      *User    // the user concerned, if Code is Accepted
	At        Position // of a message: its line
	Room      string   // of Join and Enter: the room that the user is in
	Duplicate bool     // of a message: it had been said before, at At
	Stale     bool     // of a claim: the user is on a socket that was connected later, and stays there
}

// Change is one effect of an entry.
type Change struct {
	Kind ChangeKind
	User *User
	At   ConnID // the socket that the user is on, or was on until this entry
	Room string // of Said, Joined, Left, Renamed and Typed
	Line Line   // of Said, Joined, Left and Renamed
	Old  ConnID // of Bound: the socket that the user was on before; zero: none
	On   bool   // of Typed: the user types; false: it has stopped
	Lost bool   // of Left: the room was given up for another

	Erased []Position // of Erased: the lines that were forgotten
}

// ChangeKind tells Changes apart.
type ChangeKind uint8

const (
	Said     ChangeKind = iota // a message
	Joined                     // the user is in the room
	Left                       // the user is no longer in the room
	Renamed                    // reported once for each room of the user
	Bound                      // the user is on another socket
	Away                       // the user's connection was lost
	Orphaned                   // the user was away already, and now its instance has left the cluster
	Back                       // the user was away, and is no longer
	Typed                      // the user types, or has stopped
	Freed                      // the user has lost its nickname
	Erased                     // the user's lines in a room were forgotten
)

// New returns a State without users, which follows the newest rules.
func New(b Bounds) *State {
	b.setDefaults()
	s := newState(b)
	s.log.rules = Rules
	return s
}

func newState(b Bounds) *State {
	return &State{
		bounds:    b,
		users:     make(map[uint64]*User),
		byKey:     make(map[string]*User),
		byToken:   make(map[Hash]*User),
		byClient:  make(map[Hash]*User),
		byConn:    make(map[ConnID]*User),
		rooms:     make(map[string]*Room),
		roomByKey: make(map[string]*Room),
		shares:    make(map[Hash]share),
		said:      newRemembered(),
		past:      past{erasures: newErasures()},
	}
}

// Apply applies a command, which is the decoded body of e. The Changes are valid until the next entry is applied.
//
// An error says that the command was skipped: the rules that the State follows do not know it, or applying it panicked,
// which is a defect of this program. It is the same on every instance. The Outcome's code is then Unavailable.
func (s *State) Apply(e Entry, c *Command) (o Outcome, changes []Change, err error) {
	s.begin(e)
	if a, ok := c.Action.(laterAction); ok && s.log.rules < a.since() {
		return Outcome{Code: Unavailable}, nil, fmt.Errorf("%w: %T under rules %d", errUnknown, a, s.log.rules)
	}
	defer func() {
		if r := recover(); r != nil {
			o, changes, err = Outcome{Code: Unavailable}, nil, fmt.Errorf("apply %T: panic: %v", c.Action, r)
		}
	}()
	o = c.Action.apply(s, origin{ConnID{e.Instance, c.Conn}, e.Time, e.Index, e.Again})
	return o, s.changes, nil
}

// Skip advances the log by an entry whose body is no command that this build knows. All instances have the same
// positions afterwards, whether they know the command or not.
func (s *State) Skip(e Entry) { s.begin(e) }

// origin is where and when a command was appended.
type origin struct {
	conn  ConnID
	time  int64
	index uint64
	again bool // see Entry
}

// Gone applies the end of an instance: all users that were connected there are disconnected. at is the entry of the log
// that says so. The Changes are valid until the next entry is applied.
func (s *State) Gone(at Entry, instance string) []Change {
	s.begin(at)
	var users []*User
	for _, u := range s.users {
		if u.Conn().Instance == instance && !u.orphaned {
			users = append(users, u)
		}
	}
	slices.SortFunc(users, func(a, b *User) int { return cmp.Compare(a.id, b.id) })
	for _, u := range users {
		u.orphaned = true
		if u.status == Connected {
			u.status = Disconnected
			u.generation = s.next()
			s.change(Change{Kind: Away, User: u})
		} else {
			s.change(Change{Kind: Orphaned, User: u})
		}
	}
	return s.changes
}

func (s *State) begin(e Entry) {
	clear(s.changes)
	s.changes = s.changes[:0]
	s.log.add(e)
	s.forgetExpired()
	s.forgetSaid()
	s.forgetErasures()
}

func (s *State) next() uint64 {
	s.seq++
	return s.seq
}

func (s *State) change(c Change) {
	c.At = c.User.Conn()
	s.changes = append(s.changes, c)
}

// User returns a user that has a nickname by its id, or nil.
func (s *State) User(id uint64) *User { return s.users[id] }

// UserByToken returns the user whose resume token has this hash, expired ones included, or nil.
func (s *State) UserByToken(token Hash) *User { return s.byToken[token] }

// UserByClient returns the user that a client instance was connected for last, expired ones included, or nil.
func (s *State) UserByClient(client Hash) *User { return s.byClient[client] }

// UserByConn returns the user of a socket, which may be one that the user has been on before, or nil.
func (s *State) UserByConn(conn ConnID) *User { return s.byConn[conn] }

// UserOn returns the user that is connected by this socket now, or nil.
func (s *State) UserOn(conn ConnID) *User {
	if u := s.byConn[conn]; u != nil && u.status == Connected && u.Conn() == conn {
		return u
	}
	return nil
}

// Users returns the users that have a nickname, in no order.
func (s *State) Users() iter.Seq[*User] { return maps.Values(s.users) }

// Room returns a room, or nil.
func (s *State) Room(name string) *Room { return s.rooms[name] }

// Meant returns the name of the room that somebody means who has typed a name: of the room with that name, or else of
// the one whose name looks like it. It returns the name itself if there is neither.
func (s *State) Meant(name string) string {
	if s.rooms[name] != nil || s.log.rules < EnterSince {
		return name
	}
	return s.meant(name, RoomKey(name))
}

// meant is Meant for a name whose key is given, so that apply depends on no version of Unicode's data.
func (s *State) meant(name, key string) string {
	if s.rooms[name] != nil {
		return name
	}
	if key == lobbyKey {
		return Lobby
	}
	if r := s.roomByKey[key]; r != nil {
		return r.name
	}
	return name
}

// Rooms returns all rooms, empty ones included, in no order.
func (s *State) Rooms() iter.Seq[*Room] { return maps.Values(s.rooms) }

// Size says how much a State holds.
type Size struct {
	Users        int // with a nickname: connected or disconnected
	Disconnected int // of these, the disconnected ones
	Expired      int
	Rooms        int
	Lines        int
	HistoryBytes int

	// Since this State was made or decoded: rooms given up for others, and lines dropped because the history of all
	// rooms was full.
	RoomsGivenUp uint64
	LinesDropped uint64
}

// Size counts; that takes a while, in proportion to the users and rooms.
func (s *State) Size() Size {
	n := Size{Users: len(s.users), Expired: len(s.expired), Rooms: len(s.rooms), HistoryBytes: s.histBytes,
		RoomsGivenUp: s.givenUp, LinesDropped: s.dropped}
	for _, u := range s.users {
		if u.status == Disconnected {
			n.Disconnected++
		}
	}
	for _, r := range s.rooms {
		n.Lines += len(r.lines)
	}
	return n
}
