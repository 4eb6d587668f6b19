package broker

import (
	"log/slog"
	"slices"
	"testing"
)

// idCodec keeps the id of a message alone.
type idCodec struct{}

func (idCodec) AppendPayload(b []byte, m *Message) []byte      { return append(b, m.ID...) }
func (idCodec) Message(payload []byte) (*Message, error)       { return &Message{ID: string(payload)}, nil }
func (idCodec) AppendValues(b []byte, _ map[string]any) []byte { return b }
func (idCodec) Values([]byte) (map[string]any, error)          { return nil, nil }

// FuzzChanges reads arbitrary changes. What is accepted can be written as a snapshot, and read again.
func FuzzChanges(f *testing.F) {
	storage := Storage{Dir: f.TempDir(), Codec: idCodec{}, Log: slog.New(slog.DiscardHandler)}
	b := openStored(f, storage)
	target, source := b.queue("q", func(d *QueueDescription) { d.RequiresDuplicateDetection = true })
	b.topic("t", "s")
	b.ok(target.Send(msgs("a", "b", "c")))
	b.ok(b.target("t").Send(msgs("d")))
	got := b.take(b.receiver(source, PeekLock), 3)
	b.settle(source, got[0], Defer)
	b.settle(source, got[1], DeadLetter)
	b.settle(source, got[2], Abandon)
	snapshotOf(b.Broker, func(record []byte) { f.Add(slices.Clone(record)) })
	b.Close()
	f.Fuzz(func(t *testing.T, record []byte) {
		l := silentLoader()
		defer l.b.Close()
		if l.apply(record) != nil {
			return
		}
		again := silentLoader()
		defer again.b.Close()
		snapshotOf(l.b, func(record []byte) {
			if err := again.apply(record); err != nil {
				t.Fatalf("the snapshot is not read: %v", err)
			}
		})
		if got, want := dump(again.b, 0), dump(l.b, 0); got != want {
			t.Fatalf("the snapshot differs in %s", diff(got, want))
		}
	})
}

// silentLoader returns a loader of a new namespace, which does nothing by itself.
func silentLoader() *changeLoader {
	b := New(Options{})
	b.changes = &changeLog{silent: true}
	b.changes.codec = idCodec{}
	return newChangeLoader(b)
}

// snapshotOf passes on the records of a snapshot.
func snapshotOf(b *Broker, add func(record []byte)) {
	var e snapshotEncoder
	e.codec, e.later = idCodec{}, &e.order
	b.encodeState(&e)
	e.write(add)
}
