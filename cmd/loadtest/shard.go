package main

import "chatapp/internal/chatclient"

// shardBuffer is what one read may take at most: some 700 messages of a busy chat.
const shardBuffer = 64 << 10

// shard is what a part of the clients shares: a large read buffer, used by one of them at a time
// and only while there is something to read, and the counters of what was read. An idle client
// therefore holds no buffer, and a message costs no atomic operation.
type shard struct {
	buffer *chatclient.Buffer

	// guarded by the buffer's lock
	tally  tally
	delays histogram // of deliveries, from sending to receiving
	acks   histogram // of acknowledgements, from sending to receiving
}

// tally counts what clients received.
type tally struct {
	reads      uint64 // system calls that returned data
	frames     uint64
	deliveries uint64 // messages of this run, each counted once
	duplicates uint64
	late       uint64 // deliveries that a later message of the same sender overtook
	echoed     uint64 // messages that came back to their own sender
	damaged    uint64
	foreign    uint64 // user messages that are not of this run
	acked      uint64
	refused    uint64 // acknowledgements that refuse
	heartbeats uint64
}

func (t *tally) add(other *tally) {
	t.reads += other.reads
	t.frames += other.frames
	t.deliveries += other.deliveries
	t.duplicates += other.duplicates
	t.late += other.late
	t.echoed += other.echoed
	t.damaged += other.damaged
	t.foreign += other.foreign
	t.acked += other.acked
	t.refused += other.refused
	t.heartbeats += other.heartbeats
}

// shards are a few more than processors, so that readers seldom meet.
type shards []*shard

func newShards(n int) shards {
	all := make(shards, n)
	for i := range all {
		all[i] = &shard{buffer: chatclient.NewBuffer(shardBuffer)}
	}
	return all
}

func (all shards) of(client int) *shard { return all[client%len(all)] }

// sum adds up the counters of all shards.
func (all shards) sum() tally {
	var t tally
	for _, s := range all {
		s.buffer.Lock()
		s.tally.reads, s.tally.frames = s.buffer.Reads, s.buffer.Frames
		t.add(&s.tally)
		s.buffer.Unlock()
	}
	return t
}

// histograms adds up the latencies of all shards.
func (all shards) histograms() (delays, acks *histogram) {
	delays, acks = new(histogram), new(histogram)
	for _, s := range all {
		s.buffer.Lock()
		delays.add(&s.delays)
		acks.add(&s.acks)
		s.buffer.Unlock()
	}
	return delays, acks
}
