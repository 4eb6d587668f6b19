package broker

import "slices"

// snapshotBytes is how large records of a snapshot become.
const snapshotBytes = 1 << 20

// snapshotEncoder encodes the state of a namespace. It lists the messages, which never change, so that they can be
// encoded while the namespace goes on.
type snapshotEncoder struct {
	changeEncoder
	order   []*Message // by their numbers
	records [][]byte   // of everything else
}

// compact writes a snapshot to the journal.
func (b *Broker) compact() {
	c := b.changes
	c.mu.Lock()
	snapshot, err := c.journal.Snapshot()
	var e snapshotEncoder
	if err == nil {
		e.codec = c.codec
		e.later = &e.order
		b.encodeState(&e)
	}
	c.mu.Unlock()
	if err == nil {
		e.write(snapshot.Add)
		err = snapshot.Commit()
	}
	if err != nil {
		c.log.Warn("the data can't be made smaller", "err", err)
	}
}

// write passes on the records: messages first, because the others name them.
func (e *snapshotEncoder) write(add func(record []byte)) {
	messages := changeEncoder{codec: e.codec, buf: []byte{numbersBegin}}
	for i, m := range e.order {
		messages.encodeMessage(uint64(i+1), m)
		if len(messages.buf) >= snapshotBytes {
			add(messages.buf)
			messages.buf = append(messages.buf[:0], numbersGoOn)
		}
	}
	add(messages.buf)
	for _, record := range e.records {
		add(record)
	}
}

// cut ends a record if it has become large.
func (e *snapshotEncoder) cut(size int) {
	if len(e.buf) > size {
		e.records = append(e.records, append([]byte{numbersGoOn}, e.buf...))
		e.buf = e.buf[:0]
	}
}

// encodeState encodes all entities with their contents. The caller holds the lock of the changes.
func (b *Broker) encodeState(e *snapshotEncoder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range sortedKeys(b.queues) {
		q := b.queues[key]
		e.entity(changeQueue, q.target.id, 0, q.description, q.activity)
		e.target(q.target)
		e.sources(q.main)
	}
	for _, key := range sortedKeys(b.topics) {
		t := b.topics[key]
		e.entity(changeTopic, t.target.id, 0, t.description, t.activity)
		e.target(t.target)
		for _, sub := range t.subscriptionsInOrder() {
			e.entity(changeSubscription, sub.id, t.target.id, sub.description, sub.activity)
			sub.main.mu.Lock()
			for _, r := range sub.rules {
				e.rule(sub.id, &r.description)
			}
			sub.main.mu.Unlock()
			e.sources(sub.main)
		}
	}
	e.cut(0)
}

func (t *topic) subscriptionsInOrder() []*subscription {
	t.target.mu.Lock()
	defer t.target.mu.Unlock()
	return slices.Clone(t.target.subscriptions)
}

func (e *snapshotEncoder) sources(main *Source) {
	for _, s := range []*Source{main, main.deadLetters, main.transferDeadLetters} {
		e.source(s)
	}
}

func (e *snapshotEncoder) source(s *Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.change(changeNumbered, s.id)
	e.number(uint64(s.lastSeq))
	for _, rec := range s.log.items {
		if rec.state != removed {
			e.put(s.id, rec)
			e.cut(snapshotBytes)
		}
	}
	for _, key := range sortedKeys(s.sessions.byID) {
		if sess := s.sessions.byID[key]; sess.hasState {
			e.sessionState(s.id, sess)
			e.cut(snapshotBytes)
		}
	}
}

func (e *snapshotEncoder) target(t *Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue == nil {
		e.change(changeNumbered, t.scheduledID())
		e.number(uint64(t.lastSeq))
	}
	for _, rec := range t.deadlines {
		e.put(t.scheduledID(), rec)
		e.cut(snapshotBytes)
	}
	if t.duplicates == nil {
		return
	}
	for _, id := range t.duplicates.order {
		e.seen(t.id, id)
		e.cut(snapshotBytes)
	}
}
