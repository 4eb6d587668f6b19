package servicebus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// waitRecorder is a messageReceiver that notes how long each call may wait after the first message. Each returns one.
type waitRecorder struct {
	waits []time.Duration
	calls int
	end   int // the call that fails
}

func (r *waitRecorder) ReceiveMessages(
	_ context.Context, _ int, o *azservicebus.ReceiveMessagesOptions,
) ([]*azservicebus.ReceivedMessage, error) {
	if r.calls++; r.calls == r.end {
		return nil, errors.New("end")
	}
	r.waits = append(r.waits, o.TimeAfterFirstMessage)
	return []*azservicebus.ReceivedMessage{{}}, nil
}

// A fetch waits for more messages only for a while after two have come together.
func TestFetchWaitsWhereMessagesComeTogether(t *testing.T) {
	var bus Bus
	var p patience
	fetch := func(calls int) []time.Duration {
		recorder := waitRecorder{end: calls + 1}
		fetches := make(chan fetched, calls+1)
		bus.fetch(t.Context(), &recorder, p.wait, fetches)
		if got := len(fetches); got != calls+1 {
			t.Errorf("%d fetches, want %d and an error", got, calls)
		}
		return recorder.waits
	}
	if waits := fetch(3); slices.Max(waits) != time.Nanosecond {
		t.Errorf("fetches wait for %v, want none to wait", waits)
	}
	now := time.Unix(1, 0)
	for _, test := range []struct {
		name     string
		after    time.Duration // the one before
		messages int
		waits    bool
	}{
		{"the first one", time.Hour, 1, false},
		{"one by one", 2 * pairWithin, 1, false},
		{"two in one fetch", time.Second, 2, true},
		{"two in two fetches", pairWithin / 2, 1, true},
		{"a link that was repaired", 0, 0, false},
		{"one by one again", time.Second, 1, false},
	} {
		now = now.Add(test.after)
		p.received(now, test.messages)
		want, count := time.Nanosecond, 3
		if test.waits {
			want, count = shortWait, waitsPerPair
		}
		waits := fetch(count + 3)
		if slices.Max(waits[:count]) != want || slices.Min(waits[:count]) != want {
			t.Errorf("%s: fetches wait for %v, want %v each", test.name, waits[:count], want)
		}
		if rest := waits[count:]; slices.Max(rest) != time.Nanosecond {
			t.Errorf("%s: later fetches wait for %v, want none to wait", test.name, rest)
		}
	}
}
