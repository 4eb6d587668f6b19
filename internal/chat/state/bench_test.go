package state

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkApply decodes and applies messages.
func BenchmarkApply(b *testing.B) {
	s := New(Bounds{})
	claim := claimOf(1, "Ann")
	s.Apply(Entry{Instance: "there"}, &claim)
	body := (&Command{Conn: 1, Action: &Say{Room: Lobby, Text: strings.Repeat("x", 64)}}).Encode()
	b.ReportAllocs()
	for b.Loop() {
		command, err := DecodeCommand(body)
		if err != nil {
			b.Fatal(err)
		}
		s.Apply(Entry{Instance: "there", Time: 1_790_000_000_000}, &command)
	}
}

// BenchmarkSnapshot encodes and decodes a State of 1,000 users and 10,000 lines.
func BenchmarkSnapshot(b *testing.B) {
	s := New(Bounds{})
	for conn := range uint64(1000) {
		claim := Command{Conn: conn, Action: &Claim{Name: fmt.Sprint("User ", conn), Key: fmt.Sprint("user ", conn),
			Token: HashOf(fmt.Sprint(conn)), Client: HashOf(fmt.Sprint("client", conn)), RoomLimit: 16}}
		s.Apply(Entry{Instance: "there"}, &claim)
		room := fmt.Sprint("room ", conn%10)
		join := Command{Conn: conn, Action: &Join{Room: room, RoomLimit: 16}}
		s.Apply(Entry{Instance: "there"}, &join)
		for n := range 10 {
			say := Command{Conn: conn, Action: &Say{Room: room, Text: strings.Repeat("x", 64), CID: fmt.Sprint(n)}}
			s.Apply(Entry{Instance: "there"}, &say)
		}
	}
	encoded := s.Encode()
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			s.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}
