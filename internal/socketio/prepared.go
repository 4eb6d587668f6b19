package socketio

import (
	"fmt"
	"sync/atomic"

	"chatapp/internal/engineio"
)

// Prepared is an event that is encoded once and can be sent to any sockets of its namespace, whichever
// protocol they speak, any number of times. It is immutable and safe for concurrent use.
type Prepared struct {
	nsp  *Namespace
	body body
	only []byte // the packet, which body.text is a part of; nil if there are attachments

	packet, raw atomic.Pointer[engineio.Prepared] // encoded when first needed
}

// Prepare encodes an event, with arguments as for [Socket.Emit].
func (n *Namespace) Prepare(event string, args ...any) (*Prepared, error) {
	b := n.server.borrowBody()
	defer n.server.returnBody(b)
	if err := b.encodeEvent(event, args); err != nil {
		return nil, err
	}
	if len(b.attachments) > 0 {
		return &Prepared{nsp: n, body: b.clone()}, nil
	}
	only := b.only(packetEvent, n.name, 0)
	end := len(only) - len("]")
	part := body{text: only[end-len(b.text) : end : end], nameEnd: b.nameEnd}
	return &Prepared{nsp: n, body: part, only: only}, nil
}

// form returns the encoding for Socket.IO clients or for raw WebSockets.
func (p *Prepared) form(raw bool) *engineio.Prepared {
	encoded := &p.packet
	if raw {
		encoded = &p.raw
	}
	if ready := encoded.Load(); ready != nil {
		return ready
	}
	if p.only != nil && !raw {
		encoded.CompareAndSwap(nil, engineio.Prepare(text(p.only)))
	} else {
		encoded.CompareAndSwap(nil, engineio.Prepare(p.body.messages(raw, packetEvent, p.nsp.name, 0)...))
	}
	return encoded.Load()
}

// messages returns the messages that carry b in a session: one, and one for each attachment of a packet.
func (b *body) messages(raw bool, kind packetType, nsp string, id uint64) []engineio.Message {
	if raw {
		dst := make([]byte, 0, len(b.text)+48)
		return []engineio.Message{text(b.appendRawMessage(dst, kind, id))}
	}
	messages := make([]engineio.Message, 1, 1+len(b.attachments))
	messages[0] = text(b.only(kind, nsp, id))
	for _, attachment := range b.attachments {
		messages = append(messages, engineio.Message{Data: attachment, Binary: true})
	}
	return messages
}

// only returns the packet that carries b, without its attachments.
func (b *body) only(kind packetType, nsp string, id uint64) []byte {
	return b.appendPacket(make([]byte, 0, len(b.text)+len(nsp)+24), kind, nsp, id)
}

func (n *Namespace) mustOwn(p *Prepared) {
	if p.nsp != n {
		panic(fmt.Sprintf("socketio: event prepared for namespace %s is emitted in %s", p.nsp.name, n.name))
	}
}

// Size returns about how many bytes the event holds, without the encodings that EmitPrepared keeps.
func (p *Prepared) Size() int {
	size := len(p.body.text)
	for _, attachment := range p.body.attachments {
		size += len(attachment)
	}
	return size
}
