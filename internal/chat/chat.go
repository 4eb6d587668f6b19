package chat

import (
	"cmp"
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"chatapp/internal/socketio"
)

// Chat is the chat on one instance: the state that the log drives, and the clients that are connected here. All methods
// may be called concurrently, except that the log's calls (Apply, Gone, Snapshot, Restore, Joined, Provisional,
// Settled, CutOff) are made one at a time.
type Chat struct {
	// Immutable once Attach has returned.
	options       Options
	nsp           *socketio.Namespace
	backplane     Backplane
	made          time.Time
	talk          limit // each client's messages
	requests      limit // what else each client asks for
	typingEntries limit // this instance's

	mu sync.Mutex // guards what follows
	// lastRef and lastConn start anywhere, lest a process started anew under the same name repeat its forerunner's.
	lastRef      uint64
	lastConn     uint64
	state        *state
	clients      map[uint64]*client // by session
	pending      map[uint64]*pending
	halls        map[string]*hall
	comingBack   map[hash]*client    // by token: their claims are on their way through the log
	ahead        []*client           // wait until the state has come to where they have been already
	ending       []*socketio.Socket  // to be disconnected once mu is free
	late         map[hash]*client    // whose claim was stale, by the token of the user
	typers       map[typer]time.Time // until when
	typingOn     bucket              // of typingEntries
	changed      []string            // rooms whose names have to be sent
	newcomers    []*client           // who have got a name by the entry being applied
	stirred      map[uint64]struct{} // users who may be away or back since clients were told
	shownAway    map[uint64]struct{} // users whom clients were told to be away
	owed         []command           // ends of sessions that the log has not taken yet
	gathering    gathering
	crowdSince   time.Time // since when lists of names wait for calm; zero: they do not
	agenda       agenda
	cutOff       bool
	shown        string         // what the members looked like when clients were told last
	users        map[string]int // by instance, see usersAt
	usersCounted time.Time
	closed       bool
	counts       counts
}

// pending is a command of this instance that has not come back from the log.
type pending struct {
	command     command
	client      *client
	event       string // the client's, "" if it asked for nothing
	ack         socketio.Ack
	at          time.Time
	secret      string // of a claim: what the client is told
	resumes     bool   // of a claim: it is made for the client, who has not asked for a name
	provisional bool   // of a message: shown already
}

// New returns a chat without users. Attach makes it accessible.
func New(options Options) *Chat {
	options.setDefaults()
	var random [16]byte
	_, _ = crand.Read(random[:]) // never fails
	return &Chat{
		options:       options,
		made:          time.Now(),
		talk:          newLimit(options.MessageRate, 2*options.MessageRate),
		requests:      newLimit(requestsPerSecond, requestsBurst),
		typingEntries: newLimit(typingEntriesPerSecond, typingEntriesBurst),
		lastRef:       binary.LittleEndian.Uint64(random[:]) >> 16,
		lastConn:      binary.LittleEndian.Uint64(random[8:]) >> 16,
		state:         newState(options.Bounds),
		clients:       make(map[uint64]*client),
		comingBack:    make(map[hash]*client),
		pending:       make(map[uint64]*pending),
		halls:         make(map[string]*hall),
		late:          make(map[hash]*client),
		typers:        make(map[typer]time.Time),
		stirred:       make(map[uint64]struct{}),
		shownAway:     make(map[uint64]struct{}),
	}
}

// Attach binds the chat to the namespace its clients join and the log they share. It is called once, before either is
// served or run.
func (c *Chat) Attach(nsp *socketio.Namespace, b Backplane) {
	if b.Suspect == nil {
		b.Suspect = func(string) {}
	}
	if b.Cluster == nil {
		b.Cluster = func() Cluster {
			return Cluster{Ready: true, Instances: []Instance{{Name: b.Instance, Self: true}}}
		}
	}
	c.nsp, c.backplane = nsp, b
	c.handleEvents()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookAtCluster()
	c.schedule(task{at: time.Now().Add(statusEvery), kind: lookAtCluster})
}

// Close ends the chat's timer and refuses what clients ask for from now on. The log may still call.
func (c *Chat) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.agenda.stop()
}

// unlock ends a critical section, and then the sockets that were condemned in it: that calls back.
func (c *Chat) unlock() {
	ending := c.ending
	c.ending = nil
	c.mu.Unlock()
	for _, s := range ending {
		s.Disconnect()
	}
}

// append appends a command of a client's to the log. The error is the log's.
func (c *Chat) append(p *pending) error {
	body := c.expect(p)
	if err := c.backplane.Log.Append(body); err != nil {
		c.forgetPending(p)
		c.logger().Warn("log did not take an entry", "err", err)
		return err
	}
	return nil
}

// expect notes a command that is about to be appended, and encodes it.
func (c *Chat) expect(p *pending) []byte {
	c.lastRef++
	p.command.Ref, p.at = c.lastRef, time.Now()
	if p.command.Kind == say && p.command.CID == "" {
		p.command.CID = "." + strconv.FormatUint(p.command.Ref, 36) // every message can be told from the others
	}
	c.pending[p.command.Ref] = p
	if p.command.Kind == claimName {
		p.client.claims++
	}
	return p.command.encode()
}

func (c *Chat) forgetPending(p *pending) {
	delete(c.pending, p.command.Ref)
	if p.command.Kind == claimName {
		p.client.claims--
	}
}

// insist appends a command that nobody waits for and that must not be lost: if the log does not take it now, later.
func (c *Chat) insist(command command) {
	if len(c.owed) == 0 {
		if err := c.backplane.Log.Append(command.encode()); err == nil {
			return
		}
		c.schedule(task{at: time.Now().Add(insistEvery), kind: payOwed})
	}
	c.owed = append(c.owed, command)
}

const insistEvery = time.Second

// pay appends what insist could not.
func (c *Chat) pay() {
	for len(c.owed) > 0 {
		if err := c.backplane.Log.Append(c.owed[0].encode()); err != nil {
			c.schedule(task{at: time.Now().Add(insistEvery), kind: payOwed})
			return
		}
		c.owed = c.owed[1:]
	}
	c.owed = nil
}

// Apply applies an entry of the log, of any instance.
func (c *Chat) Apply(e Entry) {
	command, err := decodeCommand(e.Body)
	if err != nil {
		c.mu.Lock()
		c.counts.malformed++
		c.mu.Unlock()
		c.logger().Warn("entry is not a command", "instance", e.Instance, "err", err)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	o, changes := c.state.apply(e, &command)
	var p *pending
	if e.Instance == c.backplane.Instance {
		if p = c.pending[command.Ref]; p != nil {
			c.forgetPending(p)
		}
	}
	c.present(changes, p, o)
}

// Gone applies the end of an instance. at is the entry that says so.
func (c *Chat) Gone(at Entry, instance string) {
	c.mu.Lock()
	defer c.unlock()
	changes := c.state.gone(at, instance)
	c.present(changes, nil, outcome{})
	c.schedule(task{at: time.Now().Add(statusDelay), kind: lookOnce})
}

// present answers the client whose command was applied, if he is here, and shows everybody what has changed.
func (c *Chat) present(changes []change, p *pending, o outcome) {
	c.gather(changes)
	for i := range changes {
		if changes[i].kind == bound {
			c.rebind(&changes[i])
		}
	}
	if p != nil {
		c.settle(p, o)
	}
	for i := range changes {
		c.show(&changes[i], p)
	}
	c.sendRosters()
	c.catchUp()
}

// Snapshot encodes the state. The result belongs to the caller.
func (c *Chat) Snapshot() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.encode()
}

// Restore replaces the state by one that another instance's Snapshot has encoded, and sends the clients here what they
// have missed between the two. On error the old state stays.
func (c *Chat) Restore(snapshot []byte) error {
	restored, err := decodeState(snapshot)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	c.tellGathered()
	before := c.state.last
	c.state, c.gathering.last = restored, restored.last
	for _, cl := range c.sortedClients() {
		cl.user = restored.present(session{c.backplane.Instance, cl.conn})
	}
	if before.Seq > restored.last.Seq {
		c.resetHistory() // the log has lost what was shown here
	} else {
		c.showMissed(before)
	}
	for name := range c.halls {
		c.changeRoster(name) // it tells who is away as well
	}
	clear(c.shownAway)
	for _, u := range restored.users {
		c.watchHeld(u)
		if u.status == held {
			c.shownAway[u.id] = struct{}{}
		}
	}
	c.sendRosters()
	c.catchUp()
	return nil
}

// Joined returns what this instance has to tell the others now that it is in step: it claims anew the names of clients
// who are here and whom the log thinks away or gone, because it has taken this instance for gone.
func (c *Chat) Joined() [][]byte {
	c.mu.Lock()
	defer c.unlock()
	var bodies [][]byte
	for _, cl := range c.sortedClients() {
		cl.user = c.state.present(session{c.backplane.Instance, cl.conn})
		if cl.user != nil || cl.claims > 0 || cl.name.key == "" {
			continue
		}
		c.notLate(cl)
		u := c.state.byToken[cl.token]
		claim := c.claimFor(cl, cl.token)
		claim.Rooms = slices.DeleteFunc(slices.Clone(cl.rooms), func(room string) bool { return room == lobby })
		if u == nil {
			claim.Name, claim.Key = cl.name.name, cl.name.key
		}
		bodies = append(bodies, c.expect(&pending{command: claim, client: cl, resumes: true}))
	}
	c.showStatus()
	return bodies
}

func (c *Chat) sortedClients() []*client {
	return slices.SortedFunc(maps.Values(c.clients), func(a, b *client) int { return cmp.Compare(a.conn, b.conn) })
}

// Settled answers the client whose command is in the log and in the state that was restored.
func (c *Chat) Settled(e Entry) {
	command, err := decodeCommand(e.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if p := c.pending[command.Ref]; p != nil {
		c.forgetPending(p)
		c.settle(p, c.outcomeOf(p))
	}
}

// outcomeOf tells from the state what has become of a command.
func (c *Chat) outcomeOf(p *pending) outcome {
	command := &p.command
	if command.Kind == say {
		at, ok := c.state.said.at[onceOf(p.client.token, command.CID)]
		if !ok {
			return outcome{code: notInRoom}
		}
		return outcome{at: at}
	}
	// He may be held, if the log has taken this instance for gone meanwhile: Joined sees to that.
	u := c.state.bySession[session{c.backplane.Instance, command.Conn}]
	if command.Kind == leaveChat {
		return outcome{}
	}
	if u == nil || u.status == lapsed {
		if command.Kind == claimName {
			return outcome{code: nameTaken}
		}
		return outcome{code: noName}
	}
	switch command.Kind {
	case renameUser:
		if u.name.key != command.Key {
			return outcome{code: nameTaken}
		}
	case joinRoom:
		if !slices.Contains(u.rooms, command.Room) {
			return outcome{code: tooManyRooms}
		}
	}
	return outcome{user: u}
}

// Provisional shows a message of this instance, which the log keeps waiting, to its other users.
func (c *Chat) Provisional(body []byte) {
	command, err := decodeCommand(body)
	if err != nil || command.Kind != say {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if p := c.pending[command.Ref]; p != nil && p.client.user != nil {
		p.provisional = true
		c.counts.provisional++
		c.showProvisional(p)
	}
}

// CutOff tells the clients whether what they say reaches the other instances.
func (c *Chat) CutOff(cut bool) {
	c.mu.Lock()
	defer c.unlock()
	c.cutOff = cut
	c.showStatus()
}

// ClusterChanged makes the chat ask Backplane.Cluster and tell the clients. It looks every few seconds anyway.
func (c *Chat) ClusterChanged() {
	c.mu.Lock()
	defer c.unlock()
	c.lookAtCluster()
}

func (c *Chat) logger() *slog.Logger { return c.options.Logger }
