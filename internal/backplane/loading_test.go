package backplane

import (
	"errors"
	"testing"
	"time"
)

// An instance to which nobody answers loads the state from the store, to begin a log with it. If it loses messages
// while the store fails, an answer may be among them: it asks again first.
func TestLostMessagesMayHaveBeenAnAnswer(t *testing.T) {
	p := newProtocol(config{instance: "a", recording: true, wall: func(now time.Time) time.Time { return now }})
	loads := func() (count int) {
		for _, e := range p.effects {
			if e.kind == effectLoad {
				count++
			}
		}
		p.effects = nil
		return count
	}
	p.start(someTime, true)
	if got := loads(); got != 1 {
		t.Fatalf("store is loaded %d times, want once", got)
	}
	p.loaded(someTime, nil, errors.New("out of order"))
	p.loadTick(someTime.Add(loadEvery))
	if got := loads(); got != 1 {
		t.Fatalf("store is loaded %d times after it has failed, want once", got)
	}
	p.loaded(someTime, nil, errors.New("out of order"))
	p.join.firstBackAt = someTime
	p.lost(someTime.Add(loadEvery))
	p.loadTick(someTime.Add(3 * loadEvery))
	if got := loads(); got != 0 || !p.join.firstBackAt.IsZero() {
		t.Errorf("store is loaded %d times, silence counts from %v; want neither before the new request is back",
			got, p.join.firstBackAt)
	}
}

// The clock of this machine was set back since its last process began a log. The state that is loaded knows the epoch
// of that one, and the request to bootstrap is in a later epoch at once.
func TestLoadedStateHasAnEpochOfALaterClock(t *testing.T) {
	p := newProtocol(config{instance: "a", recording: true, wall: func(now time.Time) time.Time { return now }})
	p.start(someTime, true)
	log := newLogState(clusterID{Stamp: 1, Founder: "a"}, 0)
	later := uint64(someTime.Add(24 * time.Hour).UnixMilli())
	log.records["a"] = &record{Instance: "a", Start: later, Epoch: later, Next: 7}
	p.loaded(someTime, log, nil)
	if p.epochs.current <= later || p.join.kind != entryBootstrap {
		t.Errorf("request is of kind %d in epoch %d, want one to bootstrap behind epoch %d",
			p.join.kind, p.epochs.current, later)
	}
}

// An instance has loaded the state, and another one begins the log first. What was loaded is not held against that log.
func TestLiveLogGoesBeforeALoadedState(t *testing.T) {
	p := newProtocol(config{instance: "a", recording: true, wall: func(now time.Time) time.Time { return now }})
	p.start(someTime, true)
	log := newLogState(clusterID{Stamp: 1, Founder: "b"}, 0)
	log.index = 188
	p.loaded(someTime, log, nil)
	if p.log != log || p.join.kind != entryBootstrap {
		t.Fatalf("request is of kind %d with log %v, want one to bootstrap with what was loaded", p.join.kind, p.log)
	}
	p.requestJoin(someTime, entryJoinRequest, 3, "")
	request, err := decodeControl(p.outgoing.request.Items[0].Body)
	if err != nil || request.Index != 0 || p.log != nil {
		t.Errorf("join request is %+v, %v with log %v, want that of an instance without a state", request, err, p.log)
	}
}

// Messages are lost while the store is read. Among them may be the news that another instance has begun a log with the
// same state: what was read is not used before this instance has asked again.
func TestLossWhileTheStoreIsReadEndsTheLoading(t *testing.T) {
	p := newProtocol(config{instance: "a", recording: true, wall: func(now time.Time) time.Time { return now }})
	p.start(someTime, true)
	p.lost(someTime)
	log := newLogState(clusterID{Stamp: 1, Founder: "a"}, 0)
	log.index = 150
	p.loaded(someTime, log, nil)
	if p.log != nil || p.join.kind != entryJoinRequest {
		t.Errorf("request is of kind %d with log %v, want a join request without what was read", p.join.kind, p.log)
	}
}
