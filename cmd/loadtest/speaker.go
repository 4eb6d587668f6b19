package main

import (
	"context"
	"sync/atomic"
	"time"
)

// maxLag is how late a message may be sent and still carry the time it is sent. One that is later was held up, by a
// server that does not read or by this program itself, and carries the time it was due: else a server that stalls its
// senders would hide its delay.
const maxLag = 10 * time.Millisecond

// speaker sends the user messages of one client. It belongs to the goroutine that paces all senders.
type speaker struct {
	client  *client
	sent    uint32 // messages written
	queued  uint32 // messages in out
	text    []byte
	payload []byte
	out     []byte // frames not yet written
}

// newSpeakers prepares the clients that send; with acks every message asks for one.
func newSpeakers(clients []*client, acks bool) []*speaker {
	speakers := make([]*speaker, len(clients))
	for i, c := range clients {
		if acks {
			c.asked = make([]atomic.Int64, askedSlots)
		}
		speakers[i] = &speaker{client: c}
	}
	return speakers
}

// add queues the next message, stamped with the time at.
func (s *speaker) add(at time.Duration) {
	c := s.client
	seq := s.sent + s.queued
	id := 0
	if c.asked != nil {
		id = nicknameAck + 1 + int(seq)
		c.asked[id&(askedSlots-1)].Store(int64(at))
	}
	s.text = appendText(s.text[:0], stamp{run: c.load.run, sender: uint64(c.number), seq: uint64(seq), at: uint64(at)}, c.load.letters)
	s.payload = c.load.door.appendEvent(s.payload[:0], eventUserMessage, id, s.text)
	s.out = appendFrame(s.out, opText, s.payload)
	s.queued++
}

// flush writes what is queued with one system call. After an error the speaker is of no further use.
func (s *speaker) flush() error {
	if s.queued == 0 {
		return nil
	}
	err := s.client.write(s.out)
	if err == nil {
		s.sent += s.queued
	}
	s.queued, s.out = 0, s.out[:0]
	return err
}

// pacing is how the sending went.
type pacing struct {
	late   uint64        // messages sent more than maxLag after they were due
	maxLag time.Duration // the most that any was
	stall  bool          // window: given up, as nothing more was delivered
}

// speakAtRate sends rate messages a second in all, each sender in turn, until ctx ends or limit messages are sent; 0 is
// no limit. It does not wait for the server: what is due is sent.
func speakAtRate(ctx context.Context, speakers []*speaker, rate float64, limit int) (pacing, error) {
	if rate <= 0 {
		<-ctx.Done()
		return pacing{}, nil
	}
	var p pacing
	load := speakers[0].client.load
	start := time.Since(load.epoch)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for k := 0; limit == 0 || k < limit; k++ {
		due := start + time.Duration(float64(k)/rate*float64(time.Second))
		now := time.Since(load.epoch)
		if now < due {
			timer.Reset(due - now)
			select {
			case <-ctx.Done():
				return p, nil
			case <-timer.C:
			}
			now = time.Since(load.epoch)
		} else if ctx.Err() != nil {
			return p, nil
		}
		lag := now - due
		p.maxLag = max(p.maxLag, lag)
		at := now
		if lag > maxLag {
			p.late++
			at = due
		}
		s := speakers[k%len(speakers)]
		s.add(at)
		if err := s.flush(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// window holds the number of messages under way at a constant: as fast as they are delivered, others follow.
type window struct {
	// immutable
	full      int64 // deliveries under way when the window is full
	receivers int64 // deliveries that one message makes

	underWay atomic.Int64  // deliveries not yet seen
	half     chan struct{} // wakes the senders once half the window is free
}

func newWindow(messages, receivers int) *window {
	return &window{full: int64(messages) * int64(receivers), receivers: int64(receivers), half: make(chan struct{}, 1)}
}

// delivered takes note of n deliveries.
func (w *window) delivered(n int64) {
	if w.underWay.Add(-n) > w.full/2 {
		return
	}
	select {
	case w.half <- struct{}{}:
	default:
	}
}

// speakInWindow keeps w full until ctx ends, limit messages are sent (0 is no limit), or nothing has been delivered for
// patience.
func speakInWindow(ctx context.Context, speakers []*speaker, w *window, limit int, patience time.Duration) (pacing, error) {
	load := speakers[0].client.load
	timer := time.NewTimer(patience)
	defer timer.Stop()
	first := 0 // also the number of messages sent
	for limit == 0 || first < limit {
		if free := int((w.full - w.underWay.Load()) / w.receivers); free > 0 && 2*free*int(w.receivers) >= int(w.full) {
			if limit > 0 {
				free = min(free, limit-first)
			}
			w.underWay.Add(int64(free) * w.receivers)
			at := time.Since(load.epoch)
			for i := range free {
				speakers[(first+i)%len(speakers)].add(at)
			}
			for i := range min(free, len(speakers)) {
				if err := speakers[(first+i)%len(speakers)].flush(); err != nil {
					return pacing{}, err
				}
			}
			first += free
		}
		timer.Reset(patience)
		select {
		case <-ctx.Done():
			return pacing{}, nil
		case <-timer.C:
			return pacing{stall: true}, nil
		case <-w.half:
		}
	}
	return pacing{}, nil
}
