package state

import "chatapp/internal/corecbor"

// Messages are nearly all that a busy log has. So their commands, and lines for a store, are encoded and decoded
// without reflection. The bytes are those of package cbor, which encodes and decodes all the rest.

// How many fields a Command, a Say and a storedLine have.
const (
	commandFields    = 3
	sayFields        = 5
	storedLineFields = 8
)

// encode returns the command that the message is the action of, as Command.Encode does.
func (c *Say) encode(ref, conn uint64) []byte {
	const heads = 4 + (2+sayFields)*corecbor.MaxHead
	b := make([]byte, 0, heads+len(c.Room)+len(c.CID)+len(c.Text)+len(c.Token)+len(c.From))
	b = append(b, commandVersion, byte(sayKind))
	b = corecbor.AppendArray(b, commandFields)
	b = corecbor.AppendUint(b, ref)
	b = corecbor.AppendUint(b, conn)
	b = corecbor.AppendArray(b, sayFields)
	b = corecbor.AppendText(b, c.Room)
	b = corecbor.AppendText(b, c.CID)
	b = corecbor.AppendText(b, c.Text)
	b = corecbor.AppendBytes(b, c.Token[:])
	return corecbor.AppendText(b, c.From)
}

// decodeSay decodes a valid command behind version and kind. It reports false for what is not encoded as Say.encode
// does it. That may be a command all the same.
func decodeSay(body []byte) (Command, bool) {
	r := corecbor.NewReader(body)
	fields, ref, conn, sayHas := r.Array(), r.Uint(), r.Uint(), r.Array()
	room, cid, text, token, from := r.Text(), r.Text(), r.Text(), r.Bytes(), r.Text()
	if !r.End() || fields != commandFields || sayHas != sayFields || len(token) != len(Hash{}) {
		return Command{}, false
	}
	var buffer [256]byte // one allocation for three texts that are kept together
	all := string(append(append(append(buffer[:0], cid...), from...), text...))
	say := &Say{Room: Lobby, CID: all[:len(cid)], From: all[len(cid) : len(cid)+len(from)],
		Text: all[len(cid)+len(from):], Token: Hash(token)}
	if string(room) != Lobby {
		say.Room = string(room)
	}
	return Command{Ref: ref, Conn: conn, Action: say}, say.valid()
}

// Encode returns the line for a store, without its number, time and user. The result belongs to the caller.
func (l *Line) Encode() []byte {
	const heads = 2 + storedLineFields*corecbor.MaxHead
	b := make([]byte, 0, heads+len(l.From)+len(l.Was)+len(l.Text)+len(l.CID)+len(l.Instance))
	b = append(b, lineVersion)
	b = corecbor.AppendArray(b, storedLineFields)
	b = corecbor.AppendUint(b, uint64(l.Log))
	b = corecbor.AppendUint(b, uint64(l.Check))
	b = corecbor.AppendUint(b, uint64(l.Kind))
	for _, text := range [...]string{l.From, l.Was, l.Text, l.CID, l.Instance} {
		b = corecbor.AppendText(b, text)
	}
	return b
}
