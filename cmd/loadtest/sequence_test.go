package main

import (
	"slices"
	"testing"
)

func TestArrivalsAndMissingMessages(t *testing.T) {
	type seen struct {
		sender int
		seq    uint32
		want   arrival
	}
	tests := []struct {
		name    string
		seen    []seen
		sent    []uint32
		own     int
		missing uint64
	}{
		{"all in order", []seen{{0, 0, inOrder}, {1, 0, inOrder}, {0, 1, inOrder}}, []uint32{2, 1}, -1, 0},
		{"own messages are not missed", []seen{{0, 0, inOrder}}, []uint32{1, 5}, 1, 0},
		{"last ones lost", []seen{{0, 0, inOrder}}, []uint32{3, 2}, -1, 4},
		{"one lost", []seen{{0, 0, inOrder}, {0, 2, overtook}}, []uint32{3, 0}, -1, 1},
		{"two swapped", []seen{{0, 1, overtook}, {0, 0, late}, {0, 2, inOrder}}, []uint32{3, 0}, -1, 0},
		{"duplicate at once", []seen{{0, 0, inOrder}, {0, 0, duplicate}}, []uint32{1, 0}, -1, 0},
		{"duplicate after a gap", []seen{{0, 5, overtook}, {0, 3, late}, {0, 3, duplicate}, {0, 5, duplicate}},
			[]uint32{6, 0}, -1, 4},
		{
			"a gap filled from all sides",
			[]seen{{0, 4, overtook}, {0, 2, late}, {0, 0, late}, {0, 3, late}, {0, 1, late}}, []uint32{5, 0}, -1, 0,
		},
		{"gaps of two senders", []seen{{0, 1, overtook}, {1, 1, overtook}, {1, 0, late}}, []uint32{2, 2}, -1, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSequences(len(test.sent))
			for _, m := range test.seen {
				if got := s.observe(m.sender, m.seq); got != m.want {
					t.Errorf("observe(%d, %d) = %d, want %d", m.sender, m.seq, got, m.want)
				}
			}
			if got := s.missing(test.sent, test.own); got != test.missing {
				t.Errorf("missing(%v, %d) = %d, want %d", test.sent, test.own, got, test.missing)
			}
		})
	}
}

func TestInterleavingDependsOnOrder(t *testing.T) {
	type message struct {
		sender int
		seq    uint32
	}
	log := []message{{0, 0}, {1, 0}, {0, 1}, {2, 0}, {1, 1}}
	v := interleaving{without: make([]uint64, 3)}
	for _, m := range log {
		v.observe(m.sender, m.seq)
	}
	hash := func(own int, order []message) uint64 {
		var h uint64
		for _, m := range order {
			if m.sender != own {
				h = mix(h, m.sender, m.seq)
			}
		}
		return h
	}
	for own := range 4 {
		if !v.agrees(hash(own, log), own) {
			t.Errorf("agrees = false for client %d, which received the same", own)
		}
	}
	swapped := slices.Clone(log)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	for own, want := range []bool{true, true, false, false} {
		if got := v.agrees(hash(own, swapped), own); got != want {
			t.Errorf("agrees = %v for client %d where senders 0 and 1 changed places, want %v", got, own, want)
		}
	}
}
