package simulation

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"chatapp/internal/chat/state"
)

// judge finds what must not be.
type judge struct {
	world     *world
	quiet     bool              // users say nothing new
	acked     map[string]string // ids of lines by the messages' cids
	logs      []int             // where in the topic each log was begun; the first has number 1
	begunBy   []logID           // of logs
	place     int               // in the topic, of the message that is being delivered
	anomalies []Anomaly
}

// Anomaly is something that must not be.
type Anomaly struct {
	Kind Kind
	At   time.Duration
	Text string
}

func (a Anomaly) String() string { return fmt.Sprintf("after %.3fs: %s", a.At.Seconds(), a.Text) }

// Kind is a kind of anomaly.
type Kind string

// The kinds of anomaly.
const (
	Broken      Kind = "broken"      // an instance ends, publishes or holds what does not decode
	OutOfSync   Kind = "out of sync" // at a time when everybody has to be in sync
	Lost        Kind = "lost"        // a message that was acknowledged
	Twice       Kind = "twice"       // a message in the log
	Unanswered  Kind = "unanswered"  // a request
	Provisional Kind = "provisional" // a line that is displayed beside the real one
	Display     Kind = "display"     // what a user sees differs from the log
	Roster      Kind = "roster"      // a list of people differs from the state
	Name        Kind = "name"        // a user is called otherwise by the state
	Split       Kind = "split"       // entries of one log are acknowledged behind the beginning of another
	WrongTime   Kind = "wrong time"  // of a line: some machine's clock was believed
)

// maxAnomalies is how many the judge lists: the first ones are the cause of the others.
const maxAnomalies = 20

func (j *judge) anomaly(kind Kind, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.world.tell("judge", "%s", text)
	if len(j.anomalies) < maxAnomalies {
		j.anomalies = append(j.anomalies, Anomaly{kind, j.world.now(), text})
	}
}

// acknowledged notes that a user was told that its message is in the log.
func (j *judge) acknowledged(u *user, m *message, id string) {
	if j.acked == nil {
		j.acked = make(map[string]string)
	}
	j.world.tell(u.who, "learns that %s is line %s", m.cid, id)
	j.acked[m.cid] = id
}

// logID names a log: the instance that has begun it, and that one's epoch.
type logID struct {
	founder string
	epoch   uint64
}

// begun is called when an instance begins a log, or loads its beginning, and returns its number.
func (j *judge) begun(founder string, epoch uint64) int {
	id := logID{founder, epoch}
	if n := slices.Index(j.begunBy, id); n >= 0 {
		return n + 1
	}
	j.logs, j.begunBy = append(j.logs, j.place), append(j.begunBy, id)
	return len(j.logs)
}

// applied is called when an instance is about to apply an entry of another or, which acknowledges it, its own.
func (j *judge) applied(i *instance, from string) {
	if from != i.host.name || j.world.topic.forbids {
		return
	}
	for n, begun := range j.logs {
		if begun > j.logs[i.log-1] && begun < j.place {
			j.anomaly(Split, "%s acknowledges entries of log %d behind the beginning of log %d",
				i.host.name, i.log, n+1)
			return
		}
	}
}

// forgetAll is called when all instances end at once: what was acknowledged may be lost, unless it is kept.
func (j *judge) forgetAll() {
	if !j.world.keeps() {
		j.acked = nil
	}
}

// wantInSync is called when everybody has had time enough.
func (j *judge) wantInSync() {
	for _, h := range j.world.hosts {
		if h.instance == nil {
			j.anomaly(OutOfSync, "%s does not run", h.name)
			continue
		}
		s := h.instance.driver.Node().Status()
		if !s.Ready || len(s.Members) != len(j.world.hosts) {
			j.anomaly(OutOfSync, "%s is not in sync with everybody %v after the last fault: %d members, %s",
				h.name, syncWithin, len(s.Members), s.Why)
		}
	}
}

// judge compares everything at the end.
func (j *judge) judge() {
	var first *state.State
	var encoded []byte
	for _, h := range j.world.hosts {
		if h.instance == nil {
			continue
		}
		snapshot := h.instance.chat.Snapshot()
		if bytes.Equal(snapshot, encoded) {
			continue
		}
		s, err := state.Decode(snapshot)
		switch {
		case err != nil:
			j.anomaly(Broken, "snapshot of %s does not decode: %v", h.name, err)
		case first == nil:
			first, encoded = s, snapshot
		default:
			j.anomaly(OutOfSync, "state of %s differs from that of the first: last lines %v and %v",
				h.name, s.Last(), first.Last())
		}
	}
	if first == nil {
		j.anomaly(Broken, "no instance has a state that decodes")
		return
	}
	j.judgeMessages(first)
	j.judgeTime(first)
	for _, u := range j.world.users {
		j.judgeUser(u, first)
	}
	if f := j.world.folder; f != nil {
		f.judge()
	}
}

func linesOf(s *state.State, room string) []state.Line {
	r := s.Room(room)
	if r == nil {
		return nil
	}
	lines, _ := r.Last(math.MaxInt, 0)
	return lines
}

// judgeTime wants the time of every line to be one at which the cluster has lived, give or take ten seconds.
func (j *judge) judgeTime(s *state.State) {
	now := time.Now()
	begin := now.Add(-j.world.now())
	for _, l := range linesOf(s, lobby) {
		at := time.UnixMilli(l.Time)
		if at.Before(begin.Add(-maxSkew)) || at.After(now.Add(maxSkew)) {
			j.anomaly(WrongTime, "line %v has the time %v, which is %v from now", l.Position(), at, at.Sub(now))
		}
	}
}

// maxSkew is how far the time of a line may be off.
const maxSkew = 10 * time.Second

// judgeMessages wants every acknowledged message once, and none twice.
func (j *judge) judgeMessages(s *state.State) {
	times := make(map[string]int)
	for _, room := range []string{lobby, side} {
		for _, l := range linesOf(s, room) {
			if l.CID != "" {
				times[l.CID]++
			}
		}
	}
	for _, cid := range slices.Sorted(maps.Keys(j.acked)) {
		if times[cid] == 0 {
			j.anomaly(Lost, "message %s was acknowledged as line %s and is lost", cid, j.acked[cid])
		}
	}
	for _, cid := range slices.Sorted(maps.Keys(times)) {
		if times[cid] > 1 {
			j.anomaly(Twice, "message %s is in the log %d times", cid, times[cid])
		}
	}
}

// judgeUser compares what a user sees with the state.
func (j *judge) judgeUser(u *user, s *state.State) {
	if u.place.conn == nil || !u.take() {
		j.anomaly(Unanswered, "%s is not connected at the end", u.who)
		return
	}
	at := u.place.host.name
	for _, m := range u.outbox {
		j.anomaly(Unanswered, "message %s of %s, at %s, was neither acknowledged nor refused", m.cid, u.who, at)
	}
	for _, key := range slices.Sorted(maps.Keys(u.display.provisional)) {
		j.anomaly(Provisional, "%s, at %s, still sees message %s provisionally", u.who, at, key)
	}
	if u.name != "" {
		holder := s.UserByToken(state.HashOf(u.auth.Token))
		holds := holder != nil && holder.Nickname().Name == u.name && holder.Status() == state.Connected
		if u.auth.Token != "" && !holds {
			j.anomaly(Name, "%s, at %s, is called %q, and the state does not say so", u.who, at, u.name)
		}
		if holds && u.display.rooms[side] != nil && !slices.Contains(holder.Rooms(), side) {
			j.anomaly(Name, "%s, at %s, is in another room, and the state does not say so", u.who, at)
		}
	}
	for _, room := range slices.Sorted(maps.Keys(u.display.rooms)) {
		j.judgeRoom(u, s, room)
	}
}

func (j *judge) judgeRoom(u *user, s *state.State, room string) {
	shown := u.display.rooms[room]
	lines := linesOf(s, room)
	next := 0
	miss := func(l *state.Line) {
		own := l.CID != "" && u.isOwn(l.CID) || l.Kind != state.MessageLine && (u.held[l.From] || u.held[l.Was])
		if l.Seq > shown.since && !own {
			j.anomaly(Display, "%s, at %s, has missed line %v of %s: %s %s",
				u.who, u.place.host.name, l.Position(), room, l.From, l.CID)
		}
	}
	for _, id := range shown.lines {
		at, err := state.ParsePosition(id)
		i := -1
		for k := next; k < len(lines) && err == nil && i < 0; k++ {
			if lines[k].Position() == at {
				i = k - next
			}
		}
		if i < 0 {
			j.anomaly(Display, "%s, at %s, sees line %s of %s, which is not in the log there",
				u.who, u.place.host.name, id, room)
			continue
		}
		for k := next; k < next+i; k++ {
			miss(&lines[k])
		}
		next += i + 1
	}
	for k := next; k < len(lines); k++ {
		miss(&lines[k])
	}
	j.judgeRoster(u, s, room)
}

func (j *judge) judgeRoster(u *user, s *state.State, room string) {
	r := s.Room(room)
	if r == nil {
		return
	}
	want := make(map[string]bool)
	for m := range r.Members() {
		want[m.Nickname().Name] = true
	}
	if got := u.display.rooms[room].roster; !maps.Equal(got, want) {
		j.anomaly(Roster, "%s, at %s, sees as people of %s %v, want %v", u.who, u.place.host.name, room,
			slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// isOwn reports whether a message is the user's.
func (u *user) isOwn(cid string) bool {
	return strings.HasPrefix(cid, u.cids)
}
