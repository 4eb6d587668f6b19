package state

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// lineVersion is the version of the encoding of lines for a store. Stores keep lines for years: a later version goes on
// reading the earlier ones.
const lineVersion = 1

// storedLine is a line as a store has it: lineVersion, and the CBOR array of these fields. A store keeps number and
// time itself, and an author in place of the user. Line.Encode writes the same without it.
type storedLine struct {
	_        struct{} `cbor:",toarray"`
	Log      uint32
	Check    uint32
	Kind     LineKind
	From     string
	Was      string
	Text     string
	CID      string
	Instance string
}

var errMalformedLine = errors.New("malformed line")

// DecodeLine is the inverse of Line.Encode. Its error wraps ErrVersion if a later version of this program has encoded
// the line.
func DecodeLine(body []byte) (Line, error) {
	switch {
	case len(body) < 2 || body[0] == 0 || body[1]&0xe0 != 0x80:
		return Line{}, errMalformedLine
	case body[0] > lineVersion:
		return Line{}, fmt.Errorf("decode line: its format is version %d, this instance reads up to %d: %w", body[0],
			lineVersion, ErrVersion)
	}
	var saved storedLine
	if err := decoding.Unmarshal(body[1:], &saved); err != nil {
		return Line{}, fmt.Errorf("%w: %w", errMalformedLine, err)
	}
	if saved.Kind >= LineKinds || len(saved.Text) > MaxText || len(saved.CID) > MaxCID ||
		len(saved.From) > maxKeyBytes || len(saved.Was) > maxKeyBytes {
		return Line{}, errMalformedLine
	}
	return Line{Log: saved.Log, Check: saved.Check, Kind: saved.Kind, From: saved.From, Was: saved.Was,
		Text: saved.Text, CID: saved.CID, Instance: saved.Instance}, nil
}

// Author returns the number by which a store knows the user with a resume token. It stays the same when a user returns
// after the State has forgotten it, and nobody can find the token from it. It is never 0.
func Author(token Hash) uint64 {
	return max(binary.BigEndian.Uint64(token[:8]), 1)
}
