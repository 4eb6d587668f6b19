package main

import "slices"

// verdict says what one arriving message means to the ledger of its receiver.
type verdict uint8

const (
	inOrder  verdict = iota
	overtook         // messages of the same sender sent earlier have not come yet
	late             // arrived after a later message of the same sender
	doubled          // had arrived before
)

// ledger is what one client knows about the messages it must get: each message of every other sender once, in the
// order that sender sent them. The lane of its client guards it.
type ledger struct {
	next []uint32 // by sender: the sequence number after the highest one seen
	gaps []gap    // sequence numbers below next that have not come, in no particular order
	hash uint64   // of everything seen, in the order seen
}

// gap is a run of missing sequence numbers, from <= seq < to.
type gap struct {
	sender   int
	from, to uint32
}

func newLedger(senders int) ledger { return ledger{next: make([]uint32, senders)} }

// observe enters one message.
func (l *ledger) observe(sender int, seq uint32) verdict {
	expected := l.next[sender]
	if seq == expected {
		l.next[sender] = seq + 1
		return inOrder
	}
	if seq > expected {
		l.gaps = append(l.gaps, gap{sender, expected, seq})
		l.next[sender] = seq + 1
		return overtook
	}
	if l.fill(sender, seq) {
		return late
	}
	return doubled
}

// fill takes seq out of the gap that holds it.
func (l *ledger) fill(sender int, seq uint32) bool {
	i := slices.IndexFunc(l.gaps, func(g gap) bool { return g.sender == sender && g.from <= seq && seq < g.to })
	if i < 0 {
		return false
	}
	g := l.gaps[i]
	l.gaps = slices.Delete(l.gaps, i, i+1)
	if g.from < seq {
		l.gaps = append(l.gaps, gap{sender, g.from, seq})
	}
	if seq+1 < g.to {
		l.gaps = append(l.gaps, gap{sender, seq + 1, g.to})
	}
	return true
}

// missing counts what has not come of the sent messages, by sender; own is the client's own sender number, or -1.
func (l *ledger) missing(sent []uint32, own int) uint64 {
	var n uint64
	for sender, count := range sent {
		if sender != own {
			n += uint64(count - min(l.next[sender], count))
		}
	}
	for _, g := range l.gaps {
		n += uint64(g.to - g.from)
	}
	return n
}

// mix extends the hash of an interleaving by one message; any other order gives another hash.
func mix(hash uint64, sender int, seq uint32) uint64 {
	return (hash ^ (uint64(sender)<<32 | uint64(seq)) + 1) * 0x9E3779B97F4A7C15
}

// interleaving is what a client that does not send saw, in the order it saw it: the hash of everything, and for each
// sender the hash of everything without that sender's own messages, which is what that sender should have seen.
type interleaving struct {
	all     uint64
	without []uint64
}

func (v *interleaving) observe(sender int, seq uint32) {
	v.all = mix(v.all, sender, seq)
	for other := range v.without {
		if other != sender {
			v.without[other] = mix(v.without[other], sender, seq)
		}
	}
}

// agrees reports whether hash is that of the same interleaving as a client numbered own must have seen.
func (v *interleaving) agrees(hash uint64, own int) bool {
	if own < len(v.without) {
		return hash == v.without[own]
	}
	return hash == v.all
}
