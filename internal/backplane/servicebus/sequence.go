package servicebus

import (
	"maps"
	"slices"
)

// sequence restores the order of messages by their sequence numbers, which count from 1 without
// gaps in a subscription. It holds early messages back and drops repeats. The zero value starts
// with the first message that comes.
type sequence struct {
	next  int64 // the number to deliver next; 0: not known yet
	early map[int64][]byte
}

// restart prepares for a subscription that has just been created.
func (s *sequence) restart() { *s = sequence{next: 1} }

// add accepts a message. It calls deliver for the message, and for early ones that follow it, once
// all before it have been delivered. It returns false for a repeat.
func (s *sequence) add(number int64, body []byte, deliver func(number int64, body []byte)) bool {
	if s.next == 0 {
		s.next = number
	}
	if _, held := s.early[number]; held || number < s.next {
		return false
	}
	if number > s.next {
		if s.early == nil {
			s.early = make(map[int64][]byte)
		}
		s.early[number] = body
		return true
	}
	s.next++
	deliver(number, body)
	s.deliverEarly(deliver)
	return true
}

func (s *sequence) deliverEarly(deliver func(number int64, body []byte)) {
	for len(s.early) > 0 {
		body, ok := s.early[s.next]
		if !ok {
			return
		}
		delete(s.early, s.next)
		s.next++
		deliver(s.next-1, body)
	}
}

// gap reports whether early messages wait for missing ones.
func (s *sequence) gap() bool { return len(s.early) > 0 }

// missing returns the size of the first gap.
func (s *sequence) missing() int64 {
	return slices.Min(slices.Collect(maps.Keys(s.early))) - s.next
}

// absent records that the missing numbers below before do not exist.
func (s *sequence) absent(before int64, deliver func(number int64, body []byte)) {
	for s.next < before {
		if s.gap() && s.next+s.missing() < before {
			s.skip(deliver)
		} else {
			s.next = before
			s.deliverEarly(deliver)
		}
	}
}

// skip gives up the first gap: the subscription has no messages with its numbers.
func (s *sequence) skip(deliver func(number int64, body []byte)) {
	s.next += s.missing()
	s.deliverEarly(deliver)
}
