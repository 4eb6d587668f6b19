package broker

import (
	"log/slog"
	"sync"

	"chatapp/internal/emulator/journal"
)

// changeLog writes what operations change to a journal: entities, and the records of their sources. It does not write
// locks, which end with the process. A nil changeLog writes nothing.
type changeLog struct {
	// immutable
	journal *journal.Journal
	log     *slog.Logger

	// mu is held over every operation that may change something: it is the outermost lock of the broker. So the
	// changes of an operation are one record, which a crash leaves whole or not at all, and the order of records is
	// that of the operations.
	mu sync.Mutex
	// mu guards
	changeEncoder
	silent   bool // while the journal is read, and once it is closed
	entities uint64
}

// begin begins an operation that may change something. The caller must not hold another lock of the broker, and must
// call end.
func (b *Broker) begin() *changeLog {
	if b.changes != nil {
		b.changes.mu.Lock()
	}
	return b.changes
}

// end ends an operation, and appends what it has changed to the journal.
func (c *changeLog) end() {
	if c == nil {
		return
	}
	if len(c.buf) > 1 && !c.silent {
		c.journal.Append(c.buf)
	}
	c.reset()
	c.mu.Unlock()
}

// silence ends the writing of changes. What was appended is still written.
func (c *changeLog) silence() {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.silent = true
	}
}

// close writes what was appended, and gives up the folder.
func (c *changeLog) close() {
	if c == nil || c.journal == nil {
		return
	}
	if err := c.journal.Close(); err != nil {
		c.log.Error("the last changes of the data can't be written", "err", err)
	}
}

// on reports whether changes are written.
func (c *changeLog) on() bool { return c != nil && !c.silent }

// newID returns the number of a new entity in the journal.
func (c *changeLog) newID() uint64 {
	if c == nil {
		return 0
	}
	c.entities++
	return c.entities
}

// err refuses operations while the journal can't be written.
func (c *changeLog) err() *Error {
	if c == nil || c.journal == nil {
		return nil
	}
	if err := c.journal.Err(); err != nil {
		return errUnwritable(err)
	}
	return nil
}

func errUnwritable(err error) *Error {
	return errorf(CodeQuotaExceeded, "The emulator cannot write to the folder of its data: %v", err)
}

// Sync returns when every operation that has ended is written to the journal, so that it survives the end of the
// process. Call it before telling anyone of an operation. After an error the operations may survive or not, and others
// are refused until the journal can be written again. A broker without [Storage] returns at once.
func (b *Broker) Sync() error {
	c := b.changes
	if c == nil {
		return nil
	}
	before := c.journal.Failed()
	if err := c.journal.Sync(); err != nil {
		if !before {
			c.log.Error("the data can't be written: clients are refused until it can", "err", err)
		}
		return errUnwritable(err)
	}
	if c.journal.Due() && b.background.begin() {
		go func() {
			defer b.background.Done()
			b.compact()
		}()
	}
	return nil
}

// The changes of sources. Each is called under the lock of the source.

func (c *changeLog) put(s *Source, rec *record) {
	if c.on() && !rec.faultCopy {
		c.changeEncoder.put(s.id, rec)
	}
}

func (c *changeLog) removed(s *Source, rec *record) {
	if c.on() && !rec.faultCopy {
		c.change(changeRemoved, s.id)
		c.number(uint64(rec.seq))
	}
}

// moved notes that the record with number seq of one source has become rec in another, or the same.
func (c *changeLog) moved(from *Source, seq int64, to *Source, rec *record, modified bool) {
	if !c.on() {
		return
	}
	message := uint64(0)
	if modified {
		message = c.message(rec.msg)
	}
	c.change(changeMoved, from.id)
	c.number(uint64(seq))
	c.number(to.id)
	c.number(message)
	c.record(rec)
}

// altered notes a new delivery count, and that a record was deferred or its message modified.
func (c *changeLog) altered(s *Source, rec *record, isDeferred, modified bool) {
	if !c.on() || rec.faultCopy {
		return
	}
	message := uint64(0)
	if modified {
		message = c.message(rec.msg)
	}
	c.change(changeAltered, s.id)
	c.number(uint64(rec.seq))
	c.number(uint64(rec.count))
	c.flag(isDeferred)
	c.number(message)
}

// numbered notes the last sequence number of a source, or of a topic.
func (c *changeLog) numbered(id uint64, last int64) {
	if c.on() {
		c.change(changeNumbered, id)
		c.number(uint64(last))
	}
}

func (c *changeLog) sessionState(s *Source, sess *session) {
	if c.on() {
		c.changeEncoder.sessionState(s.id, sess)
	}
}

// The changes of targets. Each is called under the lock of the target.

func (c *changeLog) putScheduled(t *Target, rec *record) {
	if c.on() {
		c.changeEncoder.put(t.scheduledID(), rec)
	}
}

func (c *changeLog) removedScheduled(t *Target, rec *record) {
	if c.on() {
		c.change(changeRemoved, t.scheduledID())
		c.number(uint64(rec.seq))
	}
}

// seen notes the ids that duplicate detection has begun to remember.
func (c *changeLog) seen(t *Target, arrivals []arrival, now int64) {
	if !c.on() {
		return
	}
	for _, a := range arrivals {
		if !a.duplicate && a.msg.ID != "" {
			c.changeEncoder.seen(t.id, seenID{a.msg.ID, now})
		}
	}
}

func (c *changeLog) forgot(t *Target) {
	if c.on() {
		c.change(changeForgot, t.id)
	}
}

// The changes of entities. Each is called under the lock of the broker.

func (c *changeLog) queue(q *queue) {
	if c.on() {
		c.entity(changeQueue, q.target.id, 0, q.description, q.activity)
	}
}

func (c *changeLog) topic(t *topic) {
	if c.on() {
		c.entity(changeTopic, t.target.id, 0, t.description, t.activity)
	}
}

func (c *changeLog) subscription(sub *subscription) {
	if c.on() {
		c.entity(changeSubscription, sub.id, sub.topic.target.id, sub.description, sub.activity)
	}
}

func (c *changeLog) deleted(id uint64) {
	if c.on() {
		c.change(changeDeleted, id)
	}
}

func (c *changeLog) rule(sub *subscription, r *rule) {
	if c.on() {
		c.changeEncoder.rule(sub.id, &r.description)
	}
}

func (c *changeLog) ruleDeleted(sub *subscription, name string) {
	if c.on() {
		c.change(changeRuleDeleted, sub.id)
		c.text(name)
	}
}
