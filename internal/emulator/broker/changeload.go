package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"chatapp/internal/emulator/journal"
)

// Storage says where a broker keeps its entities and messages, so that they survive the end of the process. Locks do
// not: their messages are available again, and their deliveries don't count as failed.
type Storage struct {
	Dir   string       // a folder, which is made if there is none; one broker may have it open
	Sync  bool         // whether Broker.Sync waits for the disk, or only for the operating system
	Codec Codec        // must not be nil
	Log   *slog.Logger // must not be nil

	Slack int64                         // as in journal.Options
	Fault func(step, file string) error // likewise
}

// Open returns the namespace that a folder has, an empty one if the folder is new. The caller must Close it, and call
// [Broker.Sync] before it tells clients of what they have done.
func Open(options Options, storage Storage) (*Broker, error) {
	b := New(options)
	c := &changeLog{log: storage.Log, silent: true}
	c.codec = storage.Codec
	c.reset()
	b.changes = c
	if err := c.load(b, storage); err != nil {
		b.Close()
		return nil, fmt.Errorf("read the data in %s: %w", storage.Dir, err)
	}
	return b, nil
}

func (c *changeLog) load(b *Broker, storage Storage) (err error) {
	c.mu.Lock() // what the loading starts in the background waits for its end
	defer c.mu.Unlock()
	l := newChangeLoader(b)
	options := journal.Options{Sync: storage.Sync, Slack: storage.Slack, Fault: storage.Fault}
	if c.journal, err = journal.Open(storage.Dir, options, l.apply); err != nil {
		return err
	}
	l.end()
	c.silent = false
	return nil
}

// changeLoader makes the changes of a journal again.
type changeLoader struct {
	b        *Broker
	messages map[uint64]*Message
	shares   map[uint64]*refCount

	queues  map[uint64]*queue
	topics  map[uint64]*topic
	subs    map[uint64]*subscription
	sources map[uint64]*Source
	changeDecoder
}

func newChangeLoader(b *Broker) *changeLoader {
	return &changeLoader{
		b: b, messages: make(map[uint64]*Message), shares: make(map[uint64]*refCount),
		queues: make(map[uint64]*queue), topics: make(map[uint64]*topic), subs: make(map[uint64]*subscription),
		sources: make(map[uint64]*Source),
	}
}

var (
	errChange       = errors.New("a change doesn't decode")
	errUnknownThing = errors.New("a change of something that isn't there")
)

// The first byte of a record says whether its numbers of messages go on from the record before.
const (
	numbersBegin = iota
	numbersGoOn
)

// apply makes the changes of one record.
func (l *changeLoader) apply(record []byte) error {
	l.changeDecoder = changeDecoder{rest: record}
	if l.byte() == numbersBegin {
		clear(l.messages)
		clear(l.shares)
	}
	for len(l.rest) > 0 {
		kind := l.byte()
		id := l.number()
		if err := l.one(kind, id); err != nil {
			return fmt.Errorf("change %q of %d: %w", kind, id, err)
		}
		if l.bad {
			return errChange
		}
	}
	return nil
}

func (l *changeLoader) one(kind byte, id uint64) error {
	switch kind {
	case changeMessage:
		m, err := l.message()
		l.messages[id] = m
		return err
	case changeQueue, changeTopic, changeSubscription:
		return l.entity(kind, id)
	case changeDeleted:
		return l.delete(id)
	case changeRule, changeRuleDeleted:
		return l.rule(kind, id)
	case changeSeen, changeForgot:
		return l.duplicate(kind, id)
	case changePut, changeRemoved, changeMoved, changeAltered, changeNumbered, changeSession:
		if t := l.topics[id>>2]; t != nil {
			return l.scheduled(kind, t.target)
		}
		s := l.sources[id]
		if s == nil {
			return errUnknownThing
		}
		return l.source(kind, s)
	}
	return journal.ErrVersion
}

func (l *changeLoader) message() (*Message, error) {
	payload := l.sized()
	modified := l.flag()
	if l.bad {
		return nil, errChange
	}
	m, err := l.b.changes.codec.Message(payload)
	if err != nil || !modified {
		return m, err
	}
	m.Modified = true
	for _, text := range m.modifiable() {
		*text = l.text()
	}
	m.HasSession = l.flag()
	m.TTL = time.Duration(l.signed())
	m.Properties, err = l.values()
	return m, err
}

func (l *changeLoader) values() (map[string]any, error) {
	b := l.sized()
	if l.bad {
		return nil, errChange
	}
	return l.b.changes.codec.Values(b)
}

// description decodes what a version of this program may have written that knows more fields.
func (l *changeLoader) description(into any) error {
	decoder := json.NewDecoder(strings.NewReader(l.text()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", journal.ErrVersion, err)
	}
	return nil
}

func (l *changeLoader) entity(kind byte, id uint64) error {
	parent, created, updated := l.number(), l.signed(), l.signed()
	l.b.changes.entities = max(l.b.changes.entities, id)
	var a *activity
	switch kind {
	case changeQueue:
		var d QueueDescription
		if err := l.description(&d); err != nil {
			return err
		}
		q := l.queues[id]
		if q == nil {
			q = l.b.addQueueLocked(d, id)
			l.queues[id] = q
			l.addSources(q.main)
		} else {
			q.description = d
			q.target.setWindow(d.DuplicateDetectionHistoryTimeWindow)
			q.applyLocked(nil)
		}
		a = q.activity
	case changeTopic:
		var d TopicDescription
		if err := l.description(&d); err != nil {
			return err
		}
		t := l.topics[id]
		if t == nil {
			t = l.b.addTopicLocked(d, id)
			l.topics[id] = t
		} else {
			t.changeLocked(d)
		}
		a = t.activity
	case changeSubscription:
		var d SubscriptionDescription
		if err := l.description(&d); err != nil {
			return err
		}
		t := l.topics[parent]
		if t == nil {
			return errUnknownThing
		}
		sub := l.subs[id]
		if sub == nil {
			sub = l.b.addSubscriptionLocked(t, d, id)
			t.target.subscriptions = append(t.target.subscriptions, sub)
			l.subs[id] = sub
			l.addSources(sub.main)
		} else {
			sub.description = d
			sub.applyLocked(t, nil)
		}
		a = sub.activity
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.created, a.updated = created, updated
	return nil
}

func (l *changeLoader) addSources(main *Source) {
	for _, s := range []*Source{main, main.deadLetters, main.transferDeadLetters} {
		l.sources[s.id] = s
	}
}

func (l *changeLoader) delete(id uint64) error {
	b := l.b
	switch {
	case l.queues[id] != nil:
		q := l.queues[id]
		delete(b.queues, entityKey(q.description.Name))
		q.closeLocked()
	case l.topics[id] != nil:
		t := l.topics[id]
		delete(b.topics, entityKey(t.description.Name))
		t.closeLocked()
		for subID, sub := range l.subs {
			if sub.topic == t {
				l.forget(subID)
			}
		}
	case l.subs[id] != nil:
		sub := l.subs[id]
		sub.removeLocked()
	default:
		return errUnknownThing
	}
	l.forget(id)
	return nil
}

func (l *changeLoader) forget(id uint64) {
	delete(l.queues, id)
	delete(l.topics, id)
	delete(l.subs, id)
	for n := range uint64(subqueueScheduled) {
		delete(l.sources, sourceID(id, n))
	}
}

func (l *changeLoader) rule(kind byte, id uint64) error {
	d := RuleDescription{Name: l.text()}
	sub := l.subs[id]
	if sub == nil {
		return errUnknownThing
	}
	i := sub.ruleIndexLocked(d.Name)
	if kind == changeRuleDeleted {
		if i < 0 {
			return errUnknownThing
		}
		sub.topic.countRuleLocked(sub.rules[i], -1)
		sub.rules = append(sub.rules[:i], sub.rules[i+1:]...)
		sub.ruleCount.Store(int32(len(sub.rules)))
		return nil
	}
	if err := l.ruleDescription(&d); err != nil {
		return err
	}
	compiled, err := compileRule(d)
	if err != nil {
		return err
	}
	if i >= 0 {
		sub.topic.countRuleLocked(sub.rules[i], -1)
		sub.rules[i] = compiled
	} else {
		sub.rules = append(sub.rules, compiled)
	}
	sub.topic.countRuleLocked(compiled, +1)
	sub.ruleCount.Store(int32(len(sub.rules)))
	return nil
}

func (l *changeLoader) ruleDescription(d *RuleDescription) (err error) {
	d.CreatedAt = l.time()
	d.Action = l.text()
	if d.ActionParameters, err = l.values(); err != nil {
		return err
	}
	switch kind := l.number(); kind {
	case filterTrue:
		d.Filter = TrueFilter{}
	case filterFalse:
		d.Filter = FalseFilter{}
	case filterSQL:
		f := SQLFilter{Expression: l.text()}
		f.Parameters, err = l.values()
		d.Filter = f
	case filterCorrelation:
		var f CorrelationFilter
		for _, text := range f.texts() {
			*text = l.text()
		}
		f.Properties, err = l.values()
		d.Filter = f
	default:
		return journal.ErrVersion
	}
	return err
}

func (l *changeLoader) duplicate(kind byte, id uint64) error {
	var t *Target
	switch {
	case l.queues[id] != nil:
		t = l.queues[id].target
	case l.topics[id] != nil:
		t = l.topics[id].target
	}
	if t == nil || t.duplicates == nil {
		return errUnknownThing
	}
	if kind == changeForgot {
		t.duplicates.forget()
		return nil
	}
	one := seenID{id: l.text(), at: l.signed()}
	t.duplicates.expire(one.at)
	t.duplicates.remember(one)
	return nil
}

// source makes the change of a record in a source, or of a session.
func (l *changeLoader) source(kind byte, s *Source) error {
	switch kind {
	case changePut:
		return l.put(s)
	case changeNumbered:
		s.lastSeq = max(s.lastSeq, int64(l.number()))
		return nil
	case changeSession:
		sess := s.sessions.named(l.text())
		s.size.used.Add(-sess.stateSize())
		sess.hasState = l.flag()
		sess.state, sess.stateSet = append([]byte(nil), l.bytes()...), l.signed()
		s.size.used.Add(sess.stateSize())
		s.sessions.forget(sess)
		return nil
	}
	rec := s.log.find(int64(l.number()))
	if rec == nil {
		return errUnknownThing
	}
	switch kind {
	case changeRemoved:
		s.removeLocked(rec)
	case changeMoved:
		return l.move(s, rec)
	case changeAltered:
		rec.count = uint32(l.number())
		if l.flag() {
			s.moveLocked(rec, deferred)
		}
		if n := l.number(); n != 0 {
			if l.messages[n] == nil {
				return errUnknownThing
			}
			rec.msg = l.messages[n]
		}
	}
	return nil
}

func (l *changeLoader) put(s *Source) error {
	m, share := l.messages[l.number()], l.number()
	rec, state := l.record()
	if m == nil {
		return errUnknownThing
	}
	rec.msg = m
	if share != 0 {
		if rec.shared = l.shares[share]; rec.shared == nil {
			rec.shared = new(refCount)
			l.shares[share] = rec.shared
			s.size.used.Add(int64(m.Size))
		}
		rec.shared.n.Add(1)
	} else {
		s.size.used.Add(int64(m.Size))
	}
	return s.restoreLocked(rec, state)
}

func (l *changeLoader) move(from *Source, rec *record) error {
	to, n := l.sources[l.number()], l.number()
	moved, state := l.record()
	if to == nil || n != 0 && l.messages[n] == nil {
		return errUnknownThing
	}
	from.unlinkLocked(rec)
	moved.msg, moved.shared = rec.msg, rec.shared
	if n != 0 {
		moved.msg = l.messages[n]
	}
	return to.restoreLocked(moved, state)
}

// restoreLocked adds a record whose bytes are counted in the size of the entity.
func (s *Source) restoreLocked(rec *record, state byte) error {
	s.lastSeq = max(s.lastSeq, rec.seq)
	switch state {
	case keptReady:
		s.insertLocked(rec)
	case keptScheduled:
		s.insertScheduledLocked(rec)
	case keptDeferred:
		s.insertLocked(rec)
		s.moveLocked(rec, deferred)
	default:
		return journal.ErrVersion
	}
	return nil
}

// scheduled makes the change of a message that is scheduled in a topic.
func (l *changeLoader) scheduled(kind byte, t *Target) error {
	switch kind {
	case changeNumbered:
		t.lastSeq = max(t.lastSeq, int64(l.number()))
	case changeRemoved:
		rec := t.scheduled[int64(l.number())]
		if rec == nil {
			return errUnknownThing
		}
		t.removeScheduledLocked(rec)
	case changePut:
		m := l.messages[l.number()]
		_ = l.number() // a scheduled message of a topic shares its size with none
		rec, _ := l.record()
		if m == nil {
			return errUnknownThing
		}
		rec.msg, rec.state = m, scheduled
		t.size.used.Add(int64(m.Size))
		t.addScheduledLocked(rec)
	default:
		return journal.ErrVersion
	}
	return nil
}

// end has everything begin that the entities do by themselves.
func (l *changeLoader) end() {
	now := l.b.now()
	for _, s := range l.sources {
		s.mu.Lock()
		s.finishChangeLocked(now)
		s.mu.Unlock()
	}
	for _, t := range l.topics {
		t.target.mu.Lock()
		t.target.setTimerLocked()
		t.target.mu.Unlock()
	}
}
