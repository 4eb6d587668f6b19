package servicebus

import (
	"maps"
	"slices"
)

// sequence puts messages into the order of their sequence numbers, which count from 1 without holes in a subscription. It holds what
// came too early, and drops what was there before. The zero value starts with whatever comes first.
type sequence struct {
	next  int64 // the number to deliver next; 0: not known yet
	early map[int64][]byte
}

// restart is for a subscription that has just been made.
func (s *sequence) restart() { *s = sequence{next: 1} }

// add takes a message; deliver is called with it, and with those that waited for it, once all before it have been delivered. It returns
// false for a repeat.
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

// hole tells whether messages wait for others that have not come.
func (s *sequence) hole() bool { return len(s.early) > 0 }

// missing is how many numbers the first hole has.
func (s *sequence) missing() int64 {
	return slices.Min(slices.Collect(maps.Keys(s.early))) - s.next
}

// absent notes that what has not come of the numbers below before does not exist.
func (s *sequence) absent(before int64, deliver func(number int64, body []byte)) {
	for s.next < before {
		if s.hole() && s.next+s.missing() < before {
			s.skip(deliver)
		} else {
			s.next = before
			s.deliverEarly(deliver)
		}
	}
}

// skip gives up the first hole: the subscription has no messages with its numbers.
func (s *sequence) skip(deliver func(number int64, body []byte)) {
	s.next += s.missing()
	s.deliverEarly(deliver)
}
