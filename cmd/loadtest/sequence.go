package main

import "slices"

// arrival says how a message compares with those that the same receiver has got before it.
type arrival uint8

const (
	inOrder   arrival = iota
	overtook          // messages of the same sender sent earlier have not come yet
	late              // came after a later message of the same sender
	duplicate         // had come before
)

// sequences is what one client has received of what it must get: each message of every other sender
// once, in the order in which that sender sent them. The shard of its client guards it.
type sequences struct {
	next []uint32 // by sender: the sequence number after the highest one received
	gaps []gap    // sequence numbers below next that have not come, in no particular order
	hash uint64   // of everything received, in the order received
}

// gap is a range of missing sequence numbers, from <= seq < to.
type gap struct {
	sender   int
	from, to uint32
}

func newSequences(senders int) sequences { return sequences{next: make([]uint32, senders)} }

func (s *sequences) observe(sender int, seq uint32) arrival {
	expected := s.next[sender]
	if seq == expected {
		s.next[sender] = seq + 1
		return inOrder
	}
	if seq > expected {
		s.gaps = append(s.gaps, gap{sender, expected, seq})
		s.next[sender] = seq + 1
		return overtook
	}
	if s.fill(sender, seq) {
		return late
	}
	return duplicate
}

// fill takes seq out of the gap that holds it.
func (s *sequences) fill(sender int, seq uint32) bool {
	i := slices.IndexFunc(s.gaps, func(g gap) bool { return g.sender == sender && g.from <= seq && seq < g.to })
	if i < 0 {
		return false
	}
	g := s.gaps[i]
	s.gaps = slices.Delete(s.gaps, i, i+1)
	if g.from < seq {
		s.gaps = append(s.gaps, gap{sender, g.from, seq})
	}
	if seq+1 < g.to {
		s.gaps = append(s.gaps, gap{sender, seq + 1, g.to})
	}
	return true
}

// missing counts the messages that have not come. sent holds the number of messages sent, by
// sender; own is the client's own sender number, or -1.
func (s *sequences) missing(sent []uint32, own int) uint64 {
	var n uint64
	for sender, count := range sent {
		if sender != own {
			n += uint64(count - min(s.next[sender], count))
		}
	}
	for _, g := range s.gaps {
		n += uint64(g.to - g.from)
	}
	return n
}

// mix extends the hash of an interleaving by one message. Any other order gives another hash.
func mix(hash uint64, sender int, seq uint32) uint64 {
	return (hash ^ (uint64(sender)<<32 | uint64(seq)) + 1) * 0x9E3779B97F4A7C15
}

// interleaving is the order in which a client received all messages that sends none itself: the
// hash of everything, and for each sender the hash of everything but that sender's own messages,
// which is what that sender must have received.
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

// agrees reports whether hash is the one that the client numbered own must have.
func (v *interleaving) agrees(hash uint64, own int) bool {
	if own < len(v.without) {
		return hash == v.without[own]
	}
	return hash == v.all
}
