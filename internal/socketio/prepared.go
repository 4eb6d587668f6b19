package socketio

import (
	"fmt"
	"sync/atomic"

	"chatapp/internal/engineio"
)

// Prepared is an event encoded once, to be sent to any sockets of its namespace at either door, any number of times. It
// never changes.
type Prepared struct {
	nsp          *Namespace
	body         body
	id           uint64 // of the acknowledgement wanted, if hasID
	hasID        bool
	packet, bare atomic.Pointer[engineio.Prepared] // made when first needed
}

// Prepare encodes an event, with arguments as for [Socket.Emit].
func (n *Namespace) Prepare(event string, args ...any) (*Prepared, error) {
	b := n.server.borrowBody()
	defer n.server.returnBody(b)
	if err := b.encodeEvent(event, args); err != nil {
		return nil, err
	}
	return &Prepared{nsp: n, body: b.clone()}, nil
}

// form returns the encoding for one of the doors.
func (p *Prepared) form(bare bool) *engineio.Prepared {
	made := &p.packet
	if bare {
		made = &p.bare
	}
	if ready := made.Load(); ready != nil {
		return ready
	}
	made.CompareAndSwap(nil, engineio.Prepare(p.body.messages(bare, packetEvent, p.nsp.name, p.id, p.hasID)...))
	return made.Load()
}

// WithOffset returns the event with offset as one more argument.
func (p *Prepared) WithOffset(offset string) *Prepared {
	body := p.body
	body.text = make([]byte, 0, len(p.body.text)+len(offset)+3)
	body.text = append(append(body.text, p.body.text...), ',')
	body.text = appendString(body.text, offset)
	return &Prepared{nsp: p.nsp, body: body}
}

// messages are what a session has to send for b.
func (b *body) messages(bare bool, kind packetType, nsp string, id uint64, hasID bool) []engineio.Message {
	if bare {
		dst := make([]byte, 0, len(b.text)+48)
		return []engineio.Message{text(b.appendBare(dst, kind, id, hasID))}
	}
	messages := make([]engineio.Message, 1, 1+len(b.attachments))
	messages[0] = text(b.appendPacket(make([]byte, 0, len(b.text)+len(nsp)+24), kind, nsp, id, hasID))
	for _, attachment := range b.attachments {
		messages = append(messages, engineio.Message{Data: attachment, Binary: true})
	}
	return messages
}

func (n *Namespace) mustOwn(p *Prepared) {
	if p.nsp != n {
		panic(fmt.Sprintf("socketio: event prepared for namespace %s is emitted in %s", p.nsp.name, n.name))
	}
}

// Namespace returns the name of the namespace the event was prepared for.
func (p *Prepared) Namespace() string { return p.nsp.name }

// Size returns about how many bytes the event holds.
func (p *Prepared) Size() int {
	size := len(p.body.text)
	for _, attachment := range p.body.attachments {
		size += len(attachment)
	}
	return size
}

// withAck returns p as an event to be acknowledged under id.
func (p *Prepared) withAck(id uint64) *Prepared {
	return &Prepared{nsp: p.nsp, body: p.body, id: id, hasID: true}
}
