package state

import (
	"cmp"
	"container/heap"
	"crypto/sha256"
)

// remembered knows the messages that were said lately by the ids that clients gave them, so that repetitions are
// noticed. A message is forgotten after Bounds.RememberedMillis, unless its user has lost its connection and may still
// return: its client repeats what was not acknowledged. Where the messages take more than Bounds.RememberedBytes, the
// user with the most loses its oldest. So nobody can have the messages of others forgotten by sending many.
type remembered struct {
	byKey          map[Hash]*rememberedMessage // by messageKey
	oldest, newest *rememberedMessage
	sayers         map[Hash]*sayer // by token
	most           mostFirst       // the same
}

// rememberedMessage is an element of two lists: of all messages, and of those of one user. Both are in the same order.
type rememberedMessage struct {
	key          Hash
	at           Position
	time         int64 // of the log
	sayer        *sayer
	older, newer *rememberedMessage
	newerOfSayer *rememberedMessage
}

// sayer is a user of whom messages are remembered. The user itself may be forgotten.
type sayer struct {
	token          Hash
	oldest, newest *rememberedMessage
	count          int
	index          int // in remembered.most
}

// About how many bytes of memory remembered needs for a message and a user.
const (
	messageCost = 128
	sayerCost   = 112
)

func newRemembered() remembered {
	return remembered{byKey: make(map[Hash]*rememberedMessage), sayers: make(map[Hash]*sayer)}
}

// messageKey stands for a message. The secret of the user that says it keeps others from using up its ids.
func messageKey(token Hash, cid string) Hash {
	var b [len(token) + MaxCID]byte
	sum := sha256.Sum256(append(append(b[:0], token[:]...), cid...))
	return Hash(sum[:len(Hash{})])
}

// SaidAt returns the position of a message by the token of the user that said it and the id that the client gave it,
// and whether the message is remembered.
func (s *State) SaidAt(token Hash, cid string) (Position, bool) {
	if m := s.said.byKey[messageKey(token, cid)]; m != nil {
		return m.at, true
	}
	return Position{}, false
}

// IsOver reports whether the user with a token has been here and does not come back: it has had itself forgotten, or
// has said something lately and has left since.
func (s *State) IsOver(token Hash) bool {
	return s.IsForgotten(token) || s.byToken[token] == nil && s.said.sayers[token] != nil
}

// remember notes that the user with a token has said a message.
func (s *State) remember(token, key Hash, at Position) {
	s.said.add(&rememberedMessage{key: key, at: at, time: s.log.time}, token)
	s.trimSaid()
}

// trimSaid forgets messages beyond Bounds.RememberedBytes.
func (s *State) trimSaid() {
	for s.said.bytes() > s.bounds.RememberedBytes && len(s.said.byKey) > 1 {
		s.said.remove(s.said.most[0].oldest)
	}
}

// forgetSaid forgets messages that are not going to be repeated any more.
func (s *State) forgetSaid() {
	for m := s.said.oldest; m != nil && m.time+s.bounds.RememberedMillis < s.log.time; m = s.said.oldest {
		token := m.sayer.token
		s.said.remove(m)
		if u := s.byToken[token]; u != nil && u.status != Connected {
			m.time = s.log.time
			s.said.add(m, token)
		}
	}
}

// bytes is about the memory that all messages take.
func (r *remembered) bytes() int { return messageCost*len(r.byKey) + sayerCost*len(r.sayers) }

// add appends a message of the user with a token.
func (r *remembered) add(m *rememberedMessage, token Hash) {
	of, known := r.sayers[token]
	if !known {
		of = &sayer{token: token}
		r.sayers[token] = of
	}
	m.sayer, m.older, m.newer, m.newerOfSayer = of, r.newest, nil, nil
	r.byKey[m.key] = m
	if r.newest != nil {
		r.newest.newer = m
	} else {
		r.oldest = m
	}
	if of.newest != nil {
		of.newest.newerOfSayer = m
	} else {
		of.oldest = m
	}
	r.newest, of.newest = m, m
	if of.count++; known {
		heap.Fix(&r.most, of.index)
	} else {
		heap.Push(&r.most, of)
	}
}

// remove removes a message, which is the oldest one of its user.
func (r *remembered) remove(m *rememberedMessage) {
	delete(r.byKey, m.key)
	if m.older != nil {
		m.older.newer = m.newer
	} else {
		r.oldest = m.newer
	}
	if m.newer != nil {
		m.newer.older = m.older
	} else {
		r.newest = m.older
	}
	of := m.sayer
	if of.count == 1 {
		delete(r.sayers, of.token)
		heap.Remove(&r.most, of.index)
		return
	}
	of.oldest = m.newerOfSayer
	of.count--
	heap.Fix(&r.most, of.index)
}

// mostFirst is a heap of users, the one with the most messages on top; of equals, the one with the oldest message. So
// the top does not depend on how the heap came about.
type mostFirst []*sayer

func (h mostFirst) Len() int { return len(h) }

func (h mostFirst) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[j].count, h[i].count), cmp.Compare(h[i].oldest.at.Seq, h[j].oldest.at.Seq)) < 0
}

func (h mostFirst) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is called by package heap.
func (h *mostFirst) Push(x any) {
	of := x.(*sayer)
	of.index = len(*h)
	*h = append(*h, of)
}

// Pop is called by package heap.
func (h *mostFirst) Pop() any {
	last := len(*h) - 1
	of := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return of
}

// save returns what is remembered, oldest first, and the tokens of its users.
func (r *remembered) save() (said []savedSaid, tokens []Hash) {
	said = make([]savedSaid, 0, len(r.byKey))
	tokens = make([]Hash, 0, len(r.sayers))
	numbers := make(map[*sayer]uint64, len(r.sayers))
	for m := r.oldest; m != nil; m = m.newer {
		number, ok := numbers[m.sayer]
		if !ok {
			number = uint64(len(tokens))
			numbers[m.sayer] = number
			tokens = append(tokens, m.sayer.token)
		}
		said = append(said, savedSaid{Key: m.key, At: m.at, Time: m.time, Sayer: number})
	}
	return said, tokens
}
