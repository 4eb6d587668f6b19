package main

import "sync"

// laneBuffer is what one read may take at most: some 700 messages of a busy chat.
const laneBuffer = 64 << 10

// lane is what the clients of one share have in common: a large read buffer, used by one of them at a time and only
// while there is something to read, and the counters of what was read. An idle client so holds no buffer, and a
// message costs no atomic operation.
type lane struct {
	mu     sync.Mutex
	buf    []byte
	tally  tally
	delays histogram // of deliveries, from send to receipt
	acks   histogram // of acks, from send to receipt
}

// tally counts what clients received.
type tally struct {
	reads      uint64 // system calls that returned data
	frames     uint64
	bytes      uint64
	deliveries uint64 // messages of this run, each counted once
	doubled    uint64
	late       uint64 // deliveries that a later message of the same sender overtook
	echoed     uint64 // messages that came back to their own sender
	damaged    uint64
	foreign    uint64 // user messages that are not of this run
	acked      uint64
	refused    uint64 // acks that refuse
	heartbeats uint64
}

func (t *tally) add(other *tally) {
	t.reads += other.reads
	t.frames += other.frames
	t.bytes += other.bytes
	t.deliveries += other.deliveries
	t.doubled += other.doubled
	t.late += other.late
	t.echoed += other.echoed
	t.damaged += other.damaged
	t.foreign += other.foreign
	t.acked += other.acked
	t.refused += other.refused
	t.heartbeats += other.heartbeats
}

// lanes holds a few more lanes than processors, so that readers seldom meet.
type lanes []*lane

func newLanes(n int) lanes {
	all := make(lanes, n)
	for i := range all {
		all[i] = &lane{buf: make([]byte, laneBuffer)}
	}
	return all
}

func (all lanes) of(client int) *lane { return all[client%len(all)] }

// sum adds up the counters of all lanes.
func (all lanes) sum() tally {
	var t tally
	for _, l := range all {
		l.mu.Lock()
		t.add(&l.tally)
		l.mu.Unlock()
	}
	return t
}

// histograms adds up the delays of all lanes.
func (all lanes) histograms() (delays, acks *histogram) {
	delays, acks = new(histogram), new(histogram)
	for _, l := range all {
		l.mu.Lock()
		delays.add(&l.delays)
		acks.add(&l.acks)
		l.mu.Unlock()
	}
	return delays, acks
}
