package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"chatapp/internal/engineio"
)

const (
	lobby = "lobby"
	side  = "side" // the other room
)

// stepEvery is how often a user looks at what came, and does something, on average.
const stepEvery = 400 * time.Millisecond

// user is a person with a page: it writes, and comes back by itself when the connection is lost.
type user struct {
	world   *world
	number  int
	who     string // its name in the story
	cids    string // what the ids of its messages begin with
	place   place
	auth    auth
	display display
	name    string          // its nickname; "": none, or not granted yet
	held    map[string]bool // all nicknames that it has had or requested
	said    int
	names   int
	asked   map[int]request
	lastAck int
	outbox  []*message // not acknowledged yet, oldest first
	back    time.Duration
	wakeUp  func() // wake
	patient bool   // it stays for long on an instance that does not acknowledge what it says
}

// place is what a user is connected to.
type place struct {
	host     *host
	instance *instance
	conn     *engineio.Local // nil: nothing
}

// auth is what a user proves itself by when it returns.
type auth struct {
	Token  string `json:"token,omitempty"`
	Offset string `json:"offset,omitempty"`
	PID    string `json:"pid,omitempty"`
}

// request is an event that the user waits for the acknowledgement of.
type request struct {
	event   string
	message *message // of "user message"
	room    string
}

// message is one that the user has written.
type message struct {
	cid  string
	room string
	at   time.Duration // when it was last sent
	wait time.Duration // how long the user waits for the acknowledgement before it goes elsewhere
}

func newUser(w *world, number int) *user {
	u := &user{world: w, number: number, who: fmt.Sprint("user ", number), cids: fmt.Sprintf("u%d.", number),
		held: make(map[string]bool), asked: make(map[int]request), display: newDisplay()}
	u.wakeUp, u.patient = u.wake, w.chance(0.3)
	return u
}

// isPage reports whether the user has this server's page, which keeps the resume token, and sends again what was not
// acknowledged. Others have a client of their own that knows Socket.IO's connection state recovery and nothing else.
func (u *user) isPage() bool { return u.number%4 != 3 }

// wake lets the user do something, and wakes it again.
func (u *user) wake() {
	u.step()
	u.world.after(stepEvery/2+u.world.upTo(stepEvery), u.wakeUp)
}

func (u *user) step() {
	w := u.world
	if u.place.conn == nil {
		if w.now() >= u.back {
			u.connect()
		}
		return
	}
	if u.place.host.instance != u.place.instance {
		u.lose("the instance is gone")
		return
	}
	paused := u.place.host.paused
	if !paused && !u.take() {
		return
	}
	switch {
	case w.judge.quiet:
	case paused && !u.isImpatient():
	case u.isImpatient():
		u.leave()
	case u.name == "" && !u.isAsking("nickname"):
		u.claim()
	case u.name != "":
		u.act()
	}
}

// isImpatient reports whether a message has waited for too long.
func (u *user) isImpatient() bool {
	return len(u.outbox) > 0 && u.world.now()-u.outbox[0].at > u.outbox[0].wait
}

func (u *user) isAsking(event string) bool {
	for _, r := range u.asked {
		if r.event == event {
			return true
		}
	}
	return false
}

// connect goes to an instance: mostly one that is ready, as behind a load balancer.
func (u *user) connect() {
	w := u.world
	h := w.hosts[w.random.IntN(len(w.hosts))]
	i := h.instance
	if i == nil || i.closing || !i.ready() && !w.chance(0.1) {
		u.back = w.now() + w.upTo(time.Second)
		return
	}
	conn, err := i.open()
	if err != nil {
		return
	}
	u.place = place{h, i, conn}
	clear(u.asked)
	a := u.auth
	if u.isPage() && u.number%2 == 0 {
		a.PID = "" // by the raw WebSocket
	}
	if !u.isPage() {
		a.Token, u.outbox = "", nil
	}
	if w.chance(0.1) {
		a.Offset = "" // the page was loaded again
	}
	clear(u.display.provisional)
	if a.Offset == "" {
		u.display = newDisplay()
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings encode always
	}
	w.tell(u.who, "connects to %s from offset %q", h.name, a.Offset)
	u.send(append([]byte{'0'}, text...))
	u.resend()
}

// resend sends again what is not acknowledged.
func (u *user) resend() {
	for _, m := range u.outbox {
		u.sendMessage(m)
	}
}

// leave ends the connection. The instance learns of it at once, or when it has missed a few signs of life.
func (u *user) leave() {
	w, h, i, conn := u.world, u.place.host, u.place.instance, u.place.conn
	after := time.Duration(0)
	if w.chance(0.3) {
		after = w.upTo(30 * time.Second)
	}
	h.later(i, after, conn.Lose)
	u.lose("it leaves")
}

func (u *user) lose(why string) {
	u.world.tell(u.who, "has lost its connection to %s: %s", u.place.host.name, why)
	u.place = place{}
	u.back = u.world.now() + u.world.upTo(3*time.Second)
}

// send sends a packet. It reaches a paused instance when that goes on.
func (u *user) send(text []byte) {
	conn := u.place.conn
	u.place.host.within(u.place.instance, func() {
		u.world.ending = u.world.ending || text[0] == '0' // the socket that is recovered
		conn.Send(engineio.Message{Data: text})
	})
}

// ask sends an event with arguments, which are JSON.
func (u *user) ask(r request, args string) {
	u.lastAck++
	u.asked[u.lastAck] = r
	text := make([]byte, 0, 128)
	text = strconv.AppendInt(append(text, '2'), int64(u.lastAck), 10)
	text = append(append(append(text, `["`...), r.event...), `",`...)
	text = append(append(text, args...), ']')
	u.send(text)
}

// claim requests a nickname: its own, or one that others may have or have lost.
func (u *user) claim() {
	u.names++
	name := fmt.Sprintf("u%d-%d", u.number, u.names)
	switch x := u.world.random.Float64(); {
	case x < 0.3:
		name = fmt.Sprint("anybody ", u.world.random.IntN(3))
	case x < 0.5:
		if other := u.world.users[u.world.random.IntN(len(u.world.users))]; other.name != "" {
			name = other.name
		}
	}
	u.held[name] = true
	args := fmt.Sprintf("%q", name)
	switch {
	case u.name == "" && u.world.chance(0.1):
		u.outbox = nil // it goes on as somebody new; the connection may still become that of its earlier user
	case u.auth.Token != "" && u.isPage():
		args += fmt.Sprintf(`,{"token":%q}`, u.auth.Token)
	}
	u.ask(request{event: "nickname"}, args)
}

// act does what users do.
func (u *user) act() {
	w := u.world
	says := 5 / float64(len(w.users)) // in a second
	calm := w.now() > faultsEnd
	switch x := w.random.Float64() / stepEvery.Seconds(); {
	case x < says:
		u.say()
	case x < says+0.016 && !calm:
		u.leave()
	case x < says+0.040:
		u.claim()
	case x < says+0.044 && len(u.outbox) == 0:
		u.held[u.name] = true
		u.ask(request{event: "leave", room: lobby}, `"lobby"`)
	case x < says+0.068:
		u.ask(request{event: "join", room: side}, `"side"`)
	case x < says+0.084:
		u.ask(request{event: "leave", room: side}, `"side"`)
	}
}

func (u *user) say() {
	w := u.world
	u.said++
	m := &message{cid: u.cids + strconv.Itoa(u.said), room: lobby}
	m.wait = 5*time.Second + w.upTo(15*time.Second)
	if u.patient {
		m.wait += time.Minute // longer than its name is kept, if the others evict its instance
	}
	if u.display.rooms[side] != nil && w.chance(0.3) {
		m.room = side
	}
	u.outbox = append(u.outbox, m)
	u.sendMessage(m)
}

func (u *user) sendMessage(m *message) {
	m.at = u.world.now()
	u.world.tell(u.who, "says %s at %s", m.cid, u.place.host.name)
	u.ask(request{event: "user message", message: m},
		`"text of `+m.cid+`",{"cid":"`+m.cid+`","room":"`+m.room+`"}`)
}

// take takes what the user was sent. It reports false if the connection is over.
func (u *user) take() bool {
	messages, over := u.place.conn.Take()
	for _, m := range messages {
		p := u.world.read(m.Data)
		switch p.kind {
		case '0':
			u.auth.PID = p.field("pid")
		case '1':
			over = true
		case '2':
			u.receive(p)
		case '3':
			r, ok := u.asked[p.id]
			delete(u.asked, p.id)
			if ok {
				u.answered(&r, p)
			}
		}
	}
	if over {
		conn := u.place.conn
		u.place.host.within(u.place.instance, conn.Lose)
		u.lose("the instance has ended it")
	}
	return !over
}

func (u *user) answered(r *request, p *packet) {
	switch r.event {
	case "nickname":
		if p.ok() {
			wasNamed := u.name != ""
			u.named(p.field("name"))
			if !wasNamed {
				u.resend()
			}
			if token := p.field("token"); token != "" && u.isPage() {
				u.auth.Token = token
			}
		}
	case "user message":
		u.messageAnswered(r.message, p)
	case "leave":
		if p.ok() {
			if r.room == lobby {
				u.name, u.auth.Token = "", ""
				u.display.close(side)
			} else {
				u.display.close(r.room)
			}
		}
	}
}

func (u *user) named(name string) {
	u.name = name
	u.held[name] = true
}

func (u *user) messageAnswered(m *message, p *packet) {
	w := u.world
	i := slices.Index(u.outbox, m)
	switch {
	case p.ok():
		delete(u.display.provisional, m.cid)
		w.judge.acknowledged(u, m, p.field("id"))
	case p.field("code") == "not_in_room" || !u.isPage():
		w.tell(u.who, "learns that %s is refused: %s", m.cid, p.field("code"))
	default: // it is sent again: now, if there is a reason to believe that it helps, or on the next connection
		w.tell(u.who, "learns that %s is refused for now: %s", m.cid, p.field("code"))
		return
	}
	if i >= 0 {
		u.outbox = slices.Delete(u.outbox, i, i+1)
	}
}

// receive takes an event.
func (u *user) receive(p *packet) {
	if p.offset != "" {
		u.auth.Offset = p.offset
	}
	if p.event != "session" {
		u.display.receive(p)
		return
	}
	name := p.field("name")
	if name == "" {
		u.name = ""
		u.display.close(side)
		return
	}
	wasNamed := u.name == name
	u.named(name)
	if !wasNamed {
		u.resend()
	}
	if !slices.Contains(p.strings("rooms"), side) {
		u.display.close(side)
	}
}
