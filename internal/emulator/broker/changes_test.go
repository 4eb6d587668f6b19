package broker

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/emulator/journal"
)

// tableCodec keeps copies of messages and values in memory, and encodes their places.
type tableCodec struct {
	mu       sync.Mutex
	messages []Message
	values   []map[string]any
}

func (c *tableCodec) AppendPayload(b []byte, m *Message) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, *m)
	return binary.AppendUvarint(b, uint64(len(c.messages)-1))
}

func (c *tableCodec) Message(payload []byte) (*Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := binary.Uvarint(payload)
	m := c.messages[n]
	m.Modified = false
	return &m, nil
}

func (c *tableCodec) AppendValues(b []byte, values map[string]any) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values = append(c.values, maps.Clone(values))
	return binary.AppendUvarint(b, uint64(len(c.values)-1))
}

func (c *tableCodec) Values(b []byte) (map[string]any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, _ := binary.Uvarint(b)
	return c.values[n], nil
}

func testStorage(dir string) Storage {
	return Storage{Dir: dir, Codec: new(tableCodec), Log: slog.New(slog.DiscardHandler)}
}

func openStored(t testing.TB, s Storage) bench {
	t.Helper()
	b, err := Open(Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, b}
}

// dump describes everything of a namespace that a journal has to keep, as of a time.
func dump(b *Broker, now int64) string {
	var w strings.Builder
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range sortedKeys(b.queues) {
		q := b.queues[key]
		fmt.Fprintf(&w, "queue %+v created %d\n", q.description, q.activity.created)
		dumpTarget(&w, q.target, now)
		dumpSources(&w, q.main)
	}
	for _, key := range sortedKeys(b.topics) {
		t := b.topics[key]
		fmt.Fprintf(&w, "topic %+v filters %d %d\n", t.description, t.sqlFilters, t.correlationFilters)
		dumpTarget(&w, t.target, now)
		for _, sub := range t.target.subscriptions {
			fmt.Fprintf(&w, "subscription %+v\n", sub.description)
			for _, r := range sub.rules {
				d := r.description
				fmt.Fprintf(&w, "  rule %q %+v %q at %d\n", d.Name, d.Filter, d.Action, d.CreatedAt.UnixNano())
			}
			dumpSources(&w, sub.main)
		}
	}
	return w.String()
}

func dumpTarget(w *strings.Builder, t *Target, now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(w, "  used %d, copies %d, last %d\n", t.size.used.Load(), t.size.records.Load(), t.lastSeq)
	for _, seq := range slices.Sorted(maps.Keys(t.scheduled)) {
		dumpRecord(w, t.scheduled[seq])
	}
	if t.duplicates != nil {
		d := *t.duplicates
		d.seen = maps.Clone(d.seen)
		d.expire(now)
		fmt.Fprintf(w, "  seen %v\n", d.order)
	}
}

func dumpSources(w *strings.Builder, main *Source) {
	for _, s := range []*Source{main, main.deadLetters, main.transferDeadLetters} {
		s.mu.Lock()
		fmt.Fprintf(w, "  %s: last %d, %d bytes, %d live\n", s.path, s.lastSeq, s.bytes, s.log.live)
		for _, rec := range s.log.items {
			if rec.state != removed {
				dumpRecord(w, rec)
			}
		}
		for _, id := range sortedKeys(s.sessions.byID) {
			if sess := s.sessions.byID[id]; sess.hasState {
				fmt.Fprintf(w, "    state of %q: %q at %d\n", id, sess.state, sess.stateSet)
			}
		}
		s.mu.Unlock()
	}
}

func dumpRecord(w *strings.Builder, rec *record) {
	shared := int32(-1)
	if rec.shared != nil {
		shared = rec.shared.n.Load()
	}
	fmt.Fprintf(w, "    %d %v from %d count %d hops %d times %v of %q, shared %d: %+v\n", rec.seq, rec.messageState(),
		rec.enqueuedSeq, rec.count, rec.hops, rec.recordTimes, rec.deadLetterSource, shared, *rec.msg)
}

// diff returns the first lines that differ.
func diff(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i, x, y)
		}
	}
	return "none"
}

var storedSeeds = flag.Uint64("stored.seeds", 2, "how many random histories the tests of stored namespaces run")

// stored is a namespace with a journal under random operations.
type stored struct {
	bench
	*rand.Rand
	sent int
}

func (w *stored) create() {
	w.queue("plain", func(d *QueueDescription) {
		d.MaxDeliveryCount, d.DeadLetteringOnMessageExpiration = 3, true
		d.DefaultMessageTimeToLive = 20 * time.Minute
		d.RequiresDuplicateDetection, d.DuplicateDetectionHistoryTimeWindow = true, 5*time.Minute
	})
	w.queue("sessions", func(d *QueueDescription) { d.RequiresSession = true })
	w.topic("topic", "all", "acts", "none")
	w.ok(w.CreateRule("topic", "acts", RuleDescription{Name: "act", Filter: SQLFilter{Expression: "n > @n",
		Parameters: map[string]any{"@n": 3}},
		Action: "SET sys.Label = 'changed'; SET m = n + 1; SET sys.TimeToLive = NULL"}))
	w.ok(w.CreateRule("topic", "none", RuleDescription{Name: "other",
		Filter: CorrelationFilter{Subject: "s", Properties: map[string]any{"n": 4}}}))
	w.ok(w.DeleteRule("topic", "none", DefaultRuleName))
	w.queue("forwards", func(d *QueueDescription) { d.ForwardTo = "topic" })
}

func (w *stored) message() *Message {
	w.sent++
	m := sessionMsg(fmt.Sprint("s", w.IntN(3)), fmt.Sprint(w.sent))
	m.Subject, m.Properties = "s", map[string]any{"n": w.IntN(8)}
	if w.IntN(4) == 0 {
		m.ID = fmt.Sprint("id", w.IntN(5))
	}
	if w.IntN(6) == 0 {
		m.ScheduledEnqueueTime = time.Now().Add(time.Duration(w.IntN(100)) * time.Second)
	}
	if w.IntN(6) == 0 {
		m.TTL = time.Duration(1+w.IntN(100)) * time.Second
	}
	return m
}

var storedTargets = []string{"plain", "sessions", "topic", "forwards"}

var storedSources = []string{"plain", "topic/Subscriptions/all", "topic/Subscriptions/acts", "topic/Subscriptions/none",
	"plain/$DeadLetterQueue", "topic/Subscriptions/all/$DeadLetterQueue", "sessions"}

// anyReceiver attaches a receiver to a source and gives it credit.
func (w *stored) anyReceiver(mode Mode) (*Source, *Receiver) {
	s := w.source(storedSources[w.IntN(len(storedSources))])
	options := ReceiverOptions{Mode: mode, Wake: func() {}}
	if s.RequiresSession() {
		options.Session = &SessionRequest{Next: true}
	}
	r, err := s.NewReceiver(options)
	w.ok(err)
	w.ok(r.SetCredit(3))
	return s, r
}

func (w *stored) step() {
	switch w.IntN(16) {
	case 0, 1, 2, 3:
		var batch []*Message
		for range 1 + w.IntN(3) {
			batch = append(batch, w.message())
		}
		w.ok(w.target(storedTargets[w.IntN(len(storedTargets))]).Send(batch))
	case 4:
		t := w.target(storedTargets[w.IntN(len(storedTargets))])
		m := w.message()
		m.ScheduledEnqueueTime = time.Now().Add(time.Minute)
		numbers, err := t.Schedule([]*Message{m})
		w.ok(err)
		if w.IntN(2) == 0 {
			_ = t.Cancel(numbers) // of a duplicate fails
		}
	case 5, 6, 7, 8:
		s, r := w.anyReceiver(PeekLock)
		w.settleSome(s, r)
		r.Close()
	case 9:
		_, r := w.anyReceiver(ReceiveAndDelete)
		r.Take(make([]Delivery, 2))
		r.Close()
	case 10:
		w.transaction()
	case 11:
		s := w.source(storedSources[w.IntN(len(storedSources))])
		for _, d := range w.peek(s) {
			if d.State == Deferred && !s.RequiresSession() {
				got, err := s.ReceiveDeferred([]int64{d.SequenceNumber}, Mode(w.IntN(2)), nil)
				if err == nil && got[0].LockToken != (UUID{}) && w.IntN(2) == 0 {
					w.ok(s.Settle(got[0].LockToken, Settlement{Outcome: Outcome(w.IntN(3))}))
				}
				return
			}
		}
	case 12:
		w.sometimes()
	default:
		time.Sleep(time.Duration(w.IntN(60)) * time.Second)
	}
}

func (w *stored) peek(s *Source) []Delivery {
	found, err := s.Peek(0, MaxPeek, nil)
	w.ok(err)
	return found
}

func (w *stored) settleSome(s *Source, r *Receiver) {
	if id, _, ok := r.Session(); ok {
		var state []byte
		if w.IntN(2) == 0 {
			state = fmt.Append(nil, w.IntN(100))
		}
		w.ok(s.SetSessionState(id, state))
	}
	got := make([]Delivery, 3)
	for _, d := range got[:r.Take(got)] {
		how := Settlement{Outcome: Outcome(w.IntN(5))}
		if w.IntN(2) == 0 {
			how.Properties = map[string]any{"why": w.IntN(9)}
		}
		if how.Outcome == DeadLetter {
			how.Reason = "r"
			if s.deadLetters == nil {
				how.Outcome = Complete
			}
		}
		if w.IntN(4) > 0 { // else the lock ends some time
			w.ok(s.Settle(d.LockToken, how))
		}
	}
}

func (w *stored) transaction() {
	tx := w.Begin()
	s, r := w.anyReceiver(PeekLock)
	defer r.Close()
	got := make([]Delivery, 2)
	for _, d := range got[:r.Take(got)] {
		w.ok(tx.Settle(s, d.LockToken, Settlement{Outcome: Outcome(w.IntN(3))}))
	}
	w.ok(tx.Send(w.target("plain"), []*Message{w.message(), w.message()}))
	_, err := tx.Schedule(w.target("topic"), []*Message{w.message()})
	w.ok(err)
	if w.IntN(3) == 0 {
		tx.Rollback()
		return
	}
	w.ok(tx.Commit())
}

// sometimes does one of the rarer operations.
func (w *stored) sometimes() {
	s := w.source(storedSources[w.IntN(len(storedSources))])
	switch w.IntN(9) {
	case 0:
		_, err := s.Purge()
		w.ok(err)
	case 1:
		s.LoseLocks()
	case 2:
		_, err := w.source("plain/$DeadLetterQueue").Resubmit(nil)
		w.ok(err)
	case 3:
		_, err := w.source("plain").DeleteMessages(2, time.Now())
		w.ok(err)
	case 4:
		d := DefaultQueue("other")
		if w.CreateQueue(d) == nil {
			w.ok(w.target("other").Send([]*Message{w.message()}))
		} else {
			w.ok(w.DeleteQueue("other"))
		}
	case 5:
		info, err := w.Queue("forwards")
		w.ok(err)
		if info.ForwardTo = "topic"; w.IntN(2) == 0 {
			info.ForwardTo = ""
		}
		w.ok(w.UpdateQueue(info.QueueDescription))
	case 6:
		w.ok(w.UpdateRule("topic", "none", RuleDescription{Name: "other", Filter: SQLFilter{Expression: "n < 5"}}))
		info, err := w.Topic("topic")
		w.ok(err)
		info.UserMetadata = fmt.Sprint(w.IntN(100))
		w.ok(w.UpdateTopic(info.TopicDescription))
	case 7:
		w.ok(w.DeleteSubscription("topic", "all"))
		w.ok(w.CreateSubscription(DefaultSubscription("topic", "all")))
	case 8:
		if w.IntN(4) == 0 {
			w.Reset()
		}
	}
}

// rest waits for what goes on in the background, and writes the journal.
func (w *stored) rest() {
	synctest.Wait()
	w.ok(w.Sync())
	synctest.Wait() // a snapshot
}

// loadOnly returns the dump of a folder, before anything in it goes on.
func loadOnly(t *testing.T, dir string, codec Codec, now int64) (string, error) {
	t.Helper()
	b := New(Options{})
	defer b.Close()
	c := &changeLog{silent: true}
	c.codec = codec
	c.mu.Lock()
	defer c.mu.Unlock()
	b.changes = c
	j, err := journal.Open(dir, journal.Options{}, newChangeLoader(b).apply)
	if err != nil {
		return "", err
	}
	defer j.Close()
	return dump(b, now), nil
}

// TestAnyPrefixOfTheJournalIsAState kills a namespace after any operation, and in the middle of writing it.
func TestAnyPrefixOfTheJournalIsAState(t *testing.T) {
	for seed := range *storedSeeds {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			storage := testStorage(dir)
			w := &stored{bench: openStored(t, storage), Rand: rand.New(rand.NewPCG(seed, 2))}
			defer w.Close()
			w.create()
			log := filepath.Join(dir, "log-0000000000000001")
			type moment struct {
				size, at int64
				state    string
			}
			var moments []moment
			for range 60 {
				w.step()
				w.rest()
				info, err := os.Stat(log)
				w.ok(err)
				moments = append(moments, moment{info.Size(), w.now(), dump(w.Broker, w.now())})
			}
			all, err := os.ReadFile(log)
			w.ok(err)
			for i, m := range moments {
				cut := filepath.Join(t.TempDir(), filepath.Base(log))
				end, garbage := m.size, []byte(nil)
				if i+1 < len(moments) && i%3 == 0 && moments[i+1].size > m.size {
					// the crash has left a part of the next write
					part := all[end : end+w.Int64N(min(moments[i+1].size-end, 8))]
					garbage = append(slices.Clone(part), make([]byte, w.IntN(20))...)
				}
				w.ok(os.WriteFile(cut, append(slices.Clone(all[:end]), garbage...), 0o600))
				got, err := loadOnly(t, filepath.Dir(cut), storage.Codec, m.at)
				if err != nil {
					t.Fatalf("seed %d, operation %d: %v", seed, i, err)
				}
				if got != m.state {
					t.Fatalf("seed %d: the state after operation %d differs in %s", seed, i, diff(got, m.state))
				}
			}
		})
	}
}
