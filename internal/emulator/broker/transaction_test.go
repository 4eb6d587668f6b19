package broker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// modelMessage is a message of the model: where it is, and who has it locked.
type modelMessage struct {
	entity string // "q", "d", "t/Subscriptions/s", "s", or one of them with the dead-letter suffix
	state  State
	count  int
	token  UUID // while locked
	until  time.Time
	tx     int // the transaction that settles it; 0 for none
}

func (m *modelMessage) String() string { return fmt.Sprint(m.entity, " ", m.state, " ", m.count) }

// modelTransaction is an open transaction, real and modelled.
type modelTransaction struct {
	*Transaction
	sends   map[string]string // id to entity
	settles map[string]Outcome
}

// model is a namespace as a plain map, beside the broker that it predicts.
type model struct {
	b        bench
	r        *rand.Rand
	messages map[string]*modelMessage
	open     map[int]*modelTransaction
	seen     map[string]bool // ids that the queue with duplicate detection has taken
	serial   int
	log      []string
}

const modelLock = 30 * time.Second

var modelSources = []string{"q", "d", "s", "t/Subscriptions/s"}

// TestTransactionsMatchModel performs random operations in and beside random transactions, and compares the whole
// namespace with a plain map after each.
func TestTransactionsMatchModel(t *testing.T) {
	for seed := range uint64(25) {
		inBubble(t, func(b bench) {
			lock := func(d *QueueDescription) { d.LockDuration, d.MaxDeliveryCount = modelLock, 2000 }
			b.queue("q", lock)
			b.queue("d", func(d *QueueDescription) { lock(d); d.RequiresDuplicateDetection = true })
			b.queue("s", func(d *QueueDescription) { lock(d); d.RequiresSession = true })
			b.topic("t")
			d := DefaultSubscription("t", "s")
			d.LockDuration, d.MaxDeliveryCount = modelLock, 2000
			b.ok(b.CreateSubscription(d))
			m := &model{b: b, r: rand.New(rand.NewPCG(seed, 7)), messages: map[string]*modelMessage{},
				open: map[int]*modelTransaction{}, seen: map[string]bool{}}
			for range 150 {
				m.step()
				m.compare(seed)
				if t.Failed() {
					t.Fatalf("seed %d: %q", seed, m.log)
				}
			}
			for _, tx := range m.open {
				tx.Rollback()
			}
		})
	}
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) step() {
	switch m.r.IntN(12) {
	case 0, 1:
		if len(m.open) < 3 {
			m.serial++
			m.open[m.serial] = &modelTransaction{m.b.Begin(), map[string]string{}, map[string]Outcome{}}
			m.note("begin %d", m.serial)
		}
	case 2, 3, 4:
		m.send()
	case 5, 6:
		m.receive()
	case 7, 8, 9:
		m.settle()
	case 10:
		m.end()
	default:
		d := time.Duration(m.r.IntN(20)) * time.Second
		m.note("wait %s", d)
		wait(d)
		m.expire()
	}
}

// anyOpen returns a transaction, or 0 for none.
func (m *model) anyOpen() int {
	ids := slices.Sorted(maps.Keys(m.open))
	if len(ids) == 0 || m.r.IntN(3) == 0 {
		return 0
	}
	return ids[m.r.IntN(len(ids))]
}

func (m *model) send() {
	m.serial++
	to, id := []string{"q", "d", "s", "t"}[m.r.IntN(4)], fmt.Sprint("m", m.serial)
	if to == "d" {
		id = fmt.Sprint("d", m.r.IntN(20)) // some are duplicates
	}
	message := msg(id)
	message.HasSession, message.SessionID = true, fmt.Sprint(m.r.IntN(2))
	tx := m.anyOpen()
	m.note("send %s to %s in %d", id, to, tx)
	if tx != 0 {
		open := m.open[tx]
		if _, twice := open.sends[id]; !twice {
			open.sends[id] = to
		}
		m.b.ok(open.Send(m.b.target(to), []*Message{message}))
		return
	}
	m.b.ok(m.b.target(to).Send([]*Message{message}))
	m.store(id, to)
}

func (m *model) store(id, to string) {
	if to == "d" && m.seen[id] {
		return
	}
	if to == "d" {
		m.seen[id] = true
	}
	if to == "t" {
		to = "t/Subscriptions/s"
	}
	m.messages[id] = &modelMessage{entity: to}
}

// receive locks a message of a source without sessions.
func (m *model) receive() {
	name := modelSources[m.r.IntN(len(modelSources))]
	if name == "s" {
		return // sessions are received in TestTransactionsInSessions
	}
	source := m.b.source(name)
	r, err := source.NewReceiver(ReceiverOptions{Wake: func() {}})
	m.b.ok(err)
	defer r.Close()
	for _, d := range m.b.take(r, 1) {
		m.note("receive %s", d.Message.ID)
		one := m.messages[d.Message.ID]
		one.token, one.until = d.LockToken, time.Now().Add(modelLock)
	}
}

func (m *model) settle() {
	var lockedIDs []string
	for _, id := range slices.Sorted(maps.Keys(m.messages)) {
		if m.messages[id].token != (UUID{}) {
			lockedIDs = append(lockedIDs, id)
		}
	}
	if len(lockedIDs) == 0 {
		return
	}
	id := lockedIDs[m.r.IntN(len(lockedIDs))]
	one, how := m.messages[id], Outcome(m.r.IntN(5))
	source, tx := m.b.source(one.entity), m.anyOpen()
	m.note("settle %s as %d in %d", id, how, tx)
	var err error
	if tx != 0 {
		err = m.open[tx].Settle(source, one.token, Settlement{Outcome: how})
	} else {
		err = source.Settle(one.token, Settlement{Outcome: how})
	}
	if one.tx != 0 {
		m.b.refused("settled in a transaction already", err, CodeLockLost, "")
		return
	}
	m.b.ok(err)
	if tx != 0 {
		one.tx = tx
		m.open[tx].settles[id] = how
		return
	}
	m.settled(id, how)
}

func (m *model) settled(id string, how Outcome) {
	one := m.messages[id]
	one.token, one.tx = UUID{}, 0
	switch how {
	case Complete:
		delete(m.messages, id)
	case Abandon:
		one.count++
	case Defer:
		one.count++
		one.state = Deferred
	case DeadLetter:
		one.entity += deadLetterQueue
	}
}

// end commits or rolls back a transaction.
func (m *model) end() {
	tx := m.anyOpen()
	if tx == 0 {
		return
	}
	open := m.open[tx]
	delete(m.open, tx)
	expired := false
	for id := range open.settles {
		expired = expired || !m.messages[id].until.After(time.Now())
	}
	if m.r.IntN(3) > 0 {
		err := open.Commit()
		m.note("commit %d, %v", tx, err)
		if expired {
			m.b.refused("commit after a lock ended", err, CodeLockLost, "")
		} else {
			m.b.ok(err)
			for id, how := range open.settles {
				m.settled(id, how)
			}
			for id, to := range open.sends {
				m.store(id, to)
			}
			return
		}
	} else {
		m.note("roll back %d", tx)
		open.Rollback()
	}
	for id := range open.settles {
		m.messages[id].tx = 0
	}
	m.expire()
}

// expire ends the locks that are due, but for those in a transaction.
func (m *model) expire() {
	for _, one := range m.messages {
		if one.token != (UUID{}) && one.tx == 0 && !one.until.After(time.Now()) {
			one.token = UUID{}
			one.count++
		}
	}
}

func (m *model) compare(seed uint64) {
	m.b.Helper()
	synctest.Wait()
	have, want := map[string]string{}, map[string]string{}
	for _, name := range modelSources {
		for _, address := range []string{name, name + deadLetterQueue} {
			found, err := m.b.source(address).Peek(0, MaxPeek, nil)
			m.b.ok(err)
			for _, d := range found {
				one := modelMessage{entity: address, state: d.State, count: int(d.DeliveryCount)}
				if was, twice := have[d.Message.ID]; twice {
					m.b.Errorf("seed %d: %s is in %s and %s", seed, d.Message.ID, was, &one)
				}
				have[d.Message.ID] = one.String()
			}
		}
	}
	for id, one := range m.messages {
		want[id] = one.String()
	}
	if !maps.Equal(have, want) {
		m.b.Errorf("seed %d: the broker has\n%v, want\n%v", seed, have, want)
	}
}

// TestTransactionsInSessions settles in a session, whose lock decides.
func TestTransactionsInSessions(t *testing.T) {
	for _, lost := range []bool{false, true} {
		inBubble(t, func(b bench) {
			target, source := b.queue("s", func(d *QueueDescription) { d.RequiresSession = true })
			m := msg("m")
			m.HasSession, m.SessionID = true, "one"
			b.ok(target.Send([]*Message{m}))
			r, err := source.NewReceiver(ReceiverOptions{Wake: func() {}, Session: &SessionRequest{ID: "one"}})
			b.ok(err)
			defer r.Close()
			d := b.take(r, 1)[0]
			tx := b.Begin()
			b.ok(tx.Settle(source, d.LockToken, Settlement{}))
			wait(40 * time.Second)
			if !lost {
				_, err := source.RenewSession("one")
				b.ok(err)
			}
			wait(40 * time.Second)
			if lost {
				b.refused("commit", tx.Commit(), CodeSessionLockLost, "")
				if found := b.wantPeek("there again", source, "m"); found[0].DeliveryCount != 1 {
					t.Errorf("delivery count %d, want 1", found[0].DeliveryCount)
				}
				return
			}
			tx.Rollback()
			tx = b.Begin()
			b.ok(tx.Settle(source, d.LockToken, Settlement{}))
			b.ok(tx.Commit())
			b.wantPeek("completed", source)
		})
	}
}

func TestTransactionFailsAsAWhole(t *testing.T) {
	inBubble(t, func(b bench) {
		target, source := b.queue("q", nil)
		other, _ := b.queue("other", nil)
		b.ok(target.Send(msgs("a")))
		d := b.take(b.receiver(source, PeekLock), 1)[0]
		tx := b.Begin()
		b.ok(tx.Settle(source, d.LockToken, Settlement{}))
		b.ok(tx.Send(target, msgs("b")))
		b.ok(tx.Send(other, msgs("c")))
		b.refused("too many", tx.Send(target, msgs(numbers(0, 98)...)), CodeQuotaExceeded, "100")
		b.refused("too large", tx.Send(target, []*Message{{Size: 1 << 20}}), CodeMessageTooLarge, "")
		b.wantCounts("nothing is there yet", "other", Counts{})
		b.status("other", StatusSendDisabled)
		b.refused("commit", tx.Commit(), CodeEntityDisabled, "other")
		b.wantCounts("nothing is reserved", "q", Counts{Active: 1, Total: 1, Bytes: 100})
		if used := target.size.used.Load(); used != 100 {
			t.Errorf("%d bytes are used, want 100", used)
		}
		tx = b.Begin()
		b.ok(tx.Settle(source, d.LockToken, Settlement{}))
		b.ok(tx.Send(target, msgs("b")))
		b.ok(tx.Commit())
		if used := target.size.used.Load(); used != 100 {
			t.Errorf("after the commit %d bytes are used, want 100", used)
		}
		b.status("other", StatusActive)
		shrink(other)
		tx = b.Begin()
		for range 5 {
			b.ok(tx.Send(other, []*Message{{Size: 250 << 10}}))
		}
		b.refused("no room for all", tx.Commit(), CodeQuotaExceeded, "")
		b.wantCounts("none is there", "other", Counts{})
	})
}

func TestTransactionSchedules(t *testing.T) {
	for _, name := range []string{"q", "t"} {
		inBubble(t, func(b bench) {
			_, source := b.queue("q", nil)
			b.topic("t", "s")
			if name == "t" {
				source = b.source("t/Subscriptions/s")
			}
			target := b.target(name)
			m := msg("later")
			m.ScheduledEnqueueTime = time.Now().Add(time.Minute)
			tx := b.Begin()
			kept, err := tx.Schedule(target, []*Message{m})
			b.ok(err)
			other := *m
			cancelled, err := tx.Schedule(target, []*Message{&other})
			b.ok(err)
			b.refused("cancel before the commit", target.Cancel(cancelled), CodeMessageNotFound, "")
			b.ok(target.Send(msgs("now"))) // has a higher number
			b.ok(tx.Commit())
			if kept[0] == cancelled[0] {
				t.Errorf("numbers %v and %v", kept, cancelled)
			}
			b.ok(target.Cancel(cancelled))
			wait(time.Minute)
			b.wantPeek("when due", source, "now", "later")
		})
	}
}
