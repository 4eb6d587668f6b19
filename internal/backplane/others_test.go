package backplane

import (
	"testing"
	"time"
)

// outOfSync returns an instance whose join request is back, and which may look after the subscriptions of others.
func outOfSync(recording bool) *protocol {
	p := newProtocol(config{instance: "a", recording: recording, lists: true, evicts: true,
		Limits: Limits{MaxBuffered: 1 << 20}, Timing: Timing{BootstrapAfter: 10 * time.Second},
		wall: func(now time.Time) time.Time { return now }})
	p.start(someTime, false)
	p.hearOwnRequest(someTime)
	return p
}

// hearOwnRequest has the own request come back.
func (p *protocol) hearOwnRequest(at time.Time) {
	request := p.outgoing.request
	p.outgoing.requestSentAt = at
	p.buffer(at, request, 100)
}

// hearRequest has another instance's request come.
func (p *protocol) hearRequest(at time.Time, from string, kind uint8, request control) {
	request.Start, request.Rules = 1, p.knows
	p.receiveBatch(at, &envelope{Version: oldestVersion, Kind: kindLog, From: from, Epoch: uint64(at.UnixMilli()),
		First: 1, Items: []item{{Kind: kind, Body: request.encode()}}}, 100)
}

// stateAt is the request of an instance that has a state.
func stateAt(index uint64, loaded bool) control {
	return control{Cluster: clusterID{Stamp: 1, Founder: "old"}, Index: index, Loaded: loaded}
}

// An instance was to bootstrap, or was in sync, before it crashed. Its new process has nothing, says so, and is not
// waited for.
func TestProcessBeforeIsNotWaitedFor(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(p *protocol)
	}{
		{"to bootstrap", func(p *protocol) { p.hearRequest(someTime, "b", entryBootstrap, stateAt(100, false)) }},
		{"in sync", func(p *protocol) { p.donorHeard(someTime, &envelope{From: "b", Epoch: 1}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := outOfSync(false)
			test.before(p)
			at := someTime.Add(time.Second)
			p.hearRequest(at, "b", entryJoinRequest, control{})
			if heard := p.bootstrapping.others.heardAt(); !heard.IsZero() || !p.joinsToo(at, "b") {
				t.Errorf("b was heard at %v and joins: %t, want that it only joins", heard, p.joinsToo(at, "b"))
			}
			at = someTime.Add(lookAfter)
			p.tick(at)
			p.listed(at, []Subscription{{Instance: "a"}, {Instance: "b"}}, nil)
			if p.join.kind != entryBootstrap {
				t.Errorf("request is of kind %d after %v, want one to bootstrap", p.join.kind, lookAfter)
			}
		})
	}
}

// At the first look another instance may live. Once it says that it is out of sync, too, this one looks again at once.
func TestLooksAgainWhenAllJoin(t *testing.T) {
	p := outOfSync(false)
	both := []Subscription{{Instance: "a"}, {Instance: "b", Unread: 3}}
	at := someTime.Add(lookAfter)
	p.tick(at)
	p.listed(at, both, nil)
	at = at.Add(lookAfter)
	p.hearOwnRequest(at)
	p.tick(at)
	if p.bootstrapping.look.due {
		t.Error("looks again while b may live, want it to wait")
	}
	p.hearRequest(at, "b", entryJoinRequest, control{})
	p.tick(at)
	if !p.bootstrapping.look.due {
		t.Fatal("does not look again when b joins, too")
	}
	p.listed(at, both, nil)
	if p.join.kind != entryBootstrap {
		t.Errorf("request is of kind %d, want one to bootstrap", p.join.kind)
	}
}

// Two instances remove the subscription of a silent one. While the second does, it hears that the first begins a log.
func TestLogThatBeganWhileASilentInstanceWasRemoved(t *testing.T) {
	for _, heard := range []bool{false, true} {
		p := outOfSync(false)
		at := someTime
		for _, look := range []time.Duration{lookAfter, p.BootstrapAfter + lookEvery} {
			for at = someTime; at.Before(someTime.Add(look)); at = at.Add(tickEvery) {
				p.hearOwnRequest(at)
				p.tick(at)
			}
			p.bootstrapping.backs += lookRequests
			unread := int64(p.bootstrapping.backs)
			p.listed(at, []Subscription{{Instance: "a"}, {Instance: "c", Unread: unread}}, nil)
		}
		if len(p.bootstrapping.fence) != 1 {
			t.Fatalf("fence is %q, want the silent instance", p.bootstrapping.fence)
		}
		if heard {
			p.hearRequest(at.Add(time.Millisecond), "b", entryBootstrap, control{})
		}
		p.fenced(at.Add(2*time.Millisecond), "c", nil)
		if begins := p.join.kind == entryBootstrap; begins == heard {
			t.Errorf("begins a log: %t, although it has heard of another one: %t", begins, heard)
		}
	}
}

// Two instances have loaded what is kept, one of them more: the log that begins first goes on.
func TestFirstOfTwoLoadedStatesGoesOn(t *testing.T) {
	for _, test := range []struct {
		name              string
		own, other        bool // loaded
		wantWait, wantEnd bool
	}{
		{"both were loaded", true, true, true, false},
		{"the other was not", true, false, false, true},
		{"the own was not", false, true, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := outOfSync(true)
			log := newLogState(clusterID{Stamp: 1, Founder: "old"}, 0)
			log.index = 50
			p.load(someTime.Add(3 * time.Second))
			p.loaded(someTime.Add(3*time.Second), log, nil)
			p.loading.used = test.own
			p.requestBootstrap(someTime.Add(3 * time.Second))
			p.hearRequest(someTime.Add(3*time.Second), "b", entryBootstrap, stateAt(40, test.other))
			waits := !p.bootstrapping.others.betterAt().IsZero()
			if waits != test.wantWait {
				t.Errorf("waits for a log with less that came first: %t, want %t", waits, test.wantWait)
			}
			if waits {
				return
			}
			p.hearOwnRequest(someTime.Add(4 * time.Second))
			if p.join != nil {
				t.Fatal("has not begun a log")
			}
			p.hearRequest(someTime.Add(5*time.Second), "b", entryBootstrap, stateAt(60, test.other))
			if ends := p.join != nil; ends != test.wantEnd {
				t.Errorf("leaves its log for a state with more: %t, want %t", ends, test.wantEnd)
			}
		})
	}
	p := outOfSync(true)
	p.log = newLogState(clusterID{Stamp: 1, Founder: "old"}, 0)
	p.log.index = 50
	p.join, p.loading.used = nil, false
	p.log.loaded = true
	p.membership.reset(someTime)
	p.hearRequest(someTime, "b", entryBootstrap, stateAt(60, true))
	if p.join != nil {
		t.Error("leaves a log that began with a loaded state for another loaded state")
	}
	p.hearRequest(someTime.Add(time.Second), "c", entryBootstrap, stateAt(60, false))
	if p.join == nil {
		t.Error("does not leave it for a state with more that was in memory")
	}
	if again := restoreLogState(new(p.log.snapshot())); !again.loaded {
		t.Error("a snapshot does not say that the log began with a loaded state")
	}
}

// While an instance reads the store another one begins the log. What was read is not used, however long that took.
func TestLogThatBeganWhileTheStoreWasRead(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 2 * lookAfter} {
		p := outOfSync(true)
		at := someTime.Add(3 * time.Second)
		p.load(at)
		p.hearRequest(at.Add(time.Millisecond), "b", entryBootstrap, stateAt(40, true))
		log := newLogState(clusterID{Stamp: 1, Founder: "old"}, 0)
		log.index = 50
		p.loaded(at.Add(after), log, nil)
		if p.log != nil || p.join.kind != entryJoinRequest {
			t.Errorf("%v later the request is of kind %d with log %v, want one to join without",
				after, p.join.kind, p.log)
		}
	}
}

// The bus repeats a request to join of an instance that has got in sync, or is to bootstrap, meanwhile.
func TestRepeatedRequestEndsNothing(t *testing.T) {
	at := someTime.Add(2 * time.Second)
	for _, test := range []struct {
		name string
		then func(p *protocol)
	}{
		{"in sync", func(p *protocol) {
			p.donorHeard(at, &envelope{From: "b", Epoch: uint64(someTime.UnixMilli())})
		}},
		{"to bootstrap", func(p *protocol) { p.hearRequest(at, "b", entryBootstrap, control{}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := outOfSync(false)
			p.hearRequest(someTime, "b", entryJoinRequest, control{})
			test.then(p)
			p.hearRequest(someTime, "b", entryJoinRequest, control{})
			if heard := p.bootstrapping.others.heardAt(); !heard.Equal(at) {
				t.Errorf("b was last heard at %v, want %v", heard, at)
			}
		})
	}
}

// While an instance waits for the list of the subscriptions, the bus loses messages to it. The others may have begun a
// log among them, so what it knew of them says nothing any more.
func TestLossEndsWhatIsKnown(t *testing.T) {
	p := outOfSync(false)
	p.hearRequest(someTime, "b", entryJoinRequest, control{})
	at := someTime.Add(lookAfter)
	p.tick(at)
	p.lost(at)
	p.listed(at.Add(time.Second), []Subscription{{Instance: "a"}, {Instance: "b"}}, nil)
	if p.join.kind == entryBootstrap || len(p.bootstrapping.others) > 0 {
		t.Errorf("request is of kind %d, known are %v, want one to join and nobody", p.join.kind,
			p.bootstrapping.others)
	}
}

// When another instance begins a log behind the request of one that has become patient, nobody can answer the request:
// it asks again. Wherever the log begins, it waits for the first answers only as long as for the first ones of any log.
func TestPatienceEndsWhenALogBegins(t *testing.T) {
	for _, test := range []struct {
		name    string
		request control
		before  bool   // the log begins before the own request is back
		from    string // is heard in sync behind the beginning
		again   bool   // another attempt is made at once
		patient bool   // waits as long as before
	}{
		{"with as much of the log", control{}, false, "b", true, false},
		{"with more of the log", stateAt(100, false), false, "b", true, false},
		{"before the request", stateAt(100, false), true, "b", false, false},
		{"in sync is another", stateAt(100, false), false, "c", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := outOfSync(false)
			at := someTime.Add(time.Second)
			p.requestJoin(at, entryJoinRequest, 40, "test")
			if !test.before {
				p.hearOwnRequest(at)
			}
			p.donorHeard(at, &envelope{From: "c", Epoch: 1})
			p.hearRequest(at, "b", entryBootstrap, test.request)
			p.tick(at.Add(tickEvery))
			if p.join.attempt != 40 {
				t.Fatal("asks again although the other one may not begin a log")
			}
			at = at.Add(tickEvery)
			p.donorHeard(at, &envelope{From: test.from, Epoch: uint64(at.UnixMilli())})
			if test.before {
				p.hearOwnRequest(at)
			}
			p.tick(at.Add(tickEvery))
			if again := p.join.attempt > 40; again != test.again {
				t.Fatalf("asks again: %t, want %t", again, test.again)
			}
			if test.again {
				p.hearOwnRequest(at)
			}
			if timeout := p.attemptTimeout(at); timeout > 2*snapshotTimeout != test.patient {
				t.Errorf("waits %v for the answer, want it patient: %t", timeout, test.patient)
			}
		})
	}
}
