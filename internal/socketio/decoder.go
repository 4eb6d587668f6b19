package socketio

import (
	"bytes"

	"chatapp/internal/engineio"
)

// incoming is a packet on its way from decoding to its handler. It is used again for the next.
type incoming struct {
	packet packet
	bare   bareMessage
	event  Event
}

// decoder puts together packets that come in several messages: the text first, then its attachments. The zero value is
// ready. It belongs to the goroutine that reads.
type decoder struct {
	waiting *partial
}

// partial is a binary packet whose attachments are not all in.
type partial struct {
	packet packet // its slices are its own
	holes  []placeholder
	in     [][]byte
	bytes  int
}

// add decodes one message of a session into in. It returns false where attachments of the packet are still to come.
func (d *decoder) add(m engineio.Message, in *incoming, lim *limits) (complete bool, err error) {
	if m.Binary {
		return d.addAttachment(m.Data, in, lim)
	}
	if d.waiting != nil {
		return false, errTextInBinary
	}
	p := &in.packet
	if err := p.parse(m.Data, lim); err != nil {
		return false, err
	}
	if p.attachments == 0 {
		in.event.Args = Args{text: p.payload, spans: p.args}
		return true, nil
	}
	if len(m.Data) > lim.packetBytes {
		return false, errPacketSize
	}
	holes, err := findPlaceholders(p.payload, p.attachments, nil)
	if err != nil {
		return false, err
	}
	kept := *p
	kept.namespace = bytes.Clone(p.namespace)
	kept.payload = bytes.Clone(p.payload)
	kept.args = append([]span(nil), p.args...)
	d.waiting = &partial{packet: kept, holes: holes, bytes: len(m.Data)}
	return false, nil
}

func (d *decoder) addAttachment(data []byte, in *incoming, lim *limits) (complete bool, err error) {
	w := d.waiting
	if w == nil {
		return false, errUnannouncedBinary
	}
	if w.bytes += len(data); w.bytes > lim.packetBytes {
		return false, errPacketSize
	}
	last := len(w.in) == w.packet.attachments-1
	if !last {
		data = bytes.Clone(data)
	}
	w.in = append(w.in, data)
	if !last {
		return false, nil
	}
	d.waiting = nil
	in.packet = w.packet
	in.event.Args = Args{text: w.packet.payload, spans: w.packet.args, holes: w.holes, attachments: w.in}
	return true, nil
}
