package state

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// libraryLine is Line.Encode by package cbor.
func libraryLine(t *testing.T, l *Line) []byte {
	t.Helper()
	body, err := encoding.Marshal(&storedLine{Log: l.Log, Check: l.Check, Kind: l.Kind, From: l.From, Was: l.Was,
		Text: l.Text, CID: l.CID, Instance: l.Instance})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{lineVersion}, body...)
}

// randomText returns a text up to a length, which is often one where the head of the text takes another byte.
func randomText(r *rand.Rand, longest int) string {
	lengths := [...]int{0, 1, 5, 23, 24, 255, 256, 65535, 65536}
	n := lengths[r.IntN(len(lengths))]
	if n > longest {
		n = r.IntN(longest + 1)
	}
	return strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
}

// randomNumber returns a number of any length.
func randomNumber(r *rand.Rand) uint64 { return r.Uint64() >> r.IntN(64) }

func TestMessagesAreEncodedAsByTheLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		say := &Say{Room: randomText(r, maxNameBytes), CID: randomText(r, MaxCID), Text: randomText(r, MaxText),
			From: randomText(r, maxKeyBytes), Token: HashOf(randomText(r, 8))}
		if r.IntN(2) == 0 {
			say.Room = Lobby
		}
		c := Command{Ref: randomNumber(r), Conn: randomNumber(r), Action: say}
		body := c.Encode()
		if want := c.encode(); !bytes.Equal(body, want) {
			t.Fatalf("Encode(%.200v) = %.200x, by the library %.200x", c, body, want)
		}
		got, handwritten := decodeSay(body[2:])
		if handwritten != say.valid() {
			t.Fatalf("decodeSay(%.200x) reports %t, want %t", body[2:], handwritten, say.valid())
		}
		if want, err := decodeAny(sayKind, body); handwritten && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("decodeSay(%.200x) = %.200v, by the library %.200v, %v", body[2:], got, want, err)
		}
	}
}

func TestStoredLinesAreEncodedAsByTheLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		l := Line{Log: uint32(randomNumber(r)), Check: uint32(randomNumber(r)), Kind: LineKind(r.IntN(int(LineKinds))),
			From: randomText(r, maxKeyBytes), Was: randomText(r, maxKeyBytes), Text: randomText(r, MaxText),
			CID: randomText(r, MaxCID), Instance: randomText(r, 300)}
		if got, want := l.Encode(), libraryLine(t, &l); !bytes.Equal(got, want) {
			t.Fatalf("Encode(%.200v) = %.200x, by the library %.200x", l, got, want)
		}
	}
}
