package backplane_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"chatapp/internal/backplane"
)

// nextVersion writes the format as version 3 might. It uses none of this version's types, so that a
// change of them doesn't change it.
type nextVersion struct {
	t     *testing.T
	c     *cluster
	epoch uint64
	next  uint64
	seq   uint64
}

func (p *nextVersion) encode(value any) []byte {
	p.t.Helper()
	body, err := cbor.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	return body
}

// publish sends items in an envelope with keys that version 2 doesn't know.
func (p *nextVersion) publish(needs int, items ...[]any) {
	p.t.Helper()
	p.c.topic.Inject(p.encode(map[int]any{
		1: 3, 2: needs, 3: 1, 4: "next", 5: p.epoch, 6: p.next, 7: items, 8: []any{0, ""},
		200: map[string]int{"new": 1},
	}))
	p.next += uint64(len(items))
}

func (p *nextVersion) item(kind int, body []byte) []any {
	p.seq++
	return []any{kind, p.seq, time.Now().UnixMilli(), body}
}

func (p *nextVersion) join() {
	p.epoch, p.next = uint64(time.Now().UnixMilli()), 1
	request := p.encode(map[int]any{1: p.epoch, 4: 1, 5: 3, 10: []any{0, ""}, 13: 1, 300: "new"})
	p.publish(2, []any{2, 0, time.Now().UnixMilli(), request})
}

func TestNextVersionIsUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		c.wantReady(30 * time.Second)
		p := &nextVersion{t: t, c: c}
		p.join()
		sleep(time.Second)
		if members := c.instances[0].node.Status().Members; len(members) != 3 {
			t.Fatalf("members are %+v, want the newer instance among them", members)
		}
		p.publish(2, p.item(0, []byte("one")), p.item(77, []byte("of an unknown kind")), p.item(0, []byte("two")))
		p.publish(2, p.item(0, []byte("three")))
		c.instances[0].mustSay(t)
		sleep(10 * time.Second)
		c.wantReady(0)
		if history := c.wantAlike(); !slices.Equal(history, []string{"one", "two", "three", "a says 1"}) {
			t.Errorf("history is %q, want all that version 2 understands", history)
		}
		for _, i := range c.live() {
			if got := i.node.Counters(); got.Joins != 1 || got.Malformed != 0 {
				t.Errorf("Counters() of %s = %+v, want it undisturbed", i.name, got)
			}
		}
	})
}

func TestVersionThatMustBeKnownEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		p := &nextVersion{t: t, c: c}
		p.join()
		p.publish(3, p.item(0, []byte("one")))
		synctest.Wait()
		a.dead = true
		select {
		case err := <-a.done:
			if !errors.Is(err, backplane.ErrVersion) {
				t.Errorf("Run = %v, want ErrVersion", err)
			}
		default:
			t.Error("Run goes on, want it to end: an instance that skipped what it can't read would be out of sync")
		}
		a.stop()
	})
}
