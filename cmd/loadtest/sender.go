package main

import (
	"context"
	"sync/atomic"
	"time"

	"chatapp/internal/chatclient"
)

// maxLag is how late a message may be sent and still carry the time at which it is sent. A later
// one carries the time at which it was due: otherwise a server that blocks its senders would hide
// its delay.
const maxLag = 10 * time.Millisecond

// sender sends the user messages of one client. It belongs to the goroutine that paces all senders.
type sender struct {
	client  *client
	sent    uint32 // messages written
	queued  uint32 // messages in out
	text    []byte
	payload []byte
	out     []byte // frames not yet written
}

// newSenders prepares the clients that send. With acks every message requests an acknowledgement.
func newSenders(clients []*client, acks bool) []*sender {
	senders := make([]*sender, len(clients))
	for i, c := range clients {
		if acks {
			c.sentAt = make([]atomic.Int64, ackSlots)
		}
		senders[i] = &sender{client: c}
	}
	return senders
}

// add queues the next message, stamped with the time at.
func (s *sender) add(at time.Duration) {
	c := s.client
	seq := s.sent + s.queued
	id := 0
	if c.sentAt != nil {
		id = nicknameAck + 1 + int(seq)
		c.sentAt[id&(ackSlots-1)].Store(int64(at))
	}
	st := stamp{run: c.load.run, sender: uint64(c.number), seq: uint64(seq), at: uint64(at)}
	s.text = append(appendText(append(s.text[:0], '"'), st, c.load.letters), '"')
	s.payload = c.load.protocol.AppendEvent(s.payload[:0], eventUserMessage, id, s.text)
	s.out = chatclient.AppendText(s.out, s.payload)
	s.queued++
}

// flush writes what is queued with one system call. After an error the sender is of no further use.
func (s *sender) flush() error {
	if s.queued == 0 {
		return nil
	}
	err := s.client.conn.Write(s.out)
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
	stall  bool          // in a window: given up, because nothing more was delivered
}

// sendAtRate sends rate messages a second in all, of each sender in turn, until ctx ends or limit
// messages are sent; 0 is no limit. It does not wait for the server: what is due is sent.
func sendAtRate(ctx context.Context, senders []*sender, rate float64, limit int) (pacing, error) {
	if rate <= 0 {
		<-ctx.Done()
		return pacing{}, nil
	}
	var p pacing
	load := senders[0].client.load
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
		s := senders[k%len(senders)]
		s.add(at)
		if err := s.flush(); err != nil {
			return p, err
		}
	}
	return p, nil
}
