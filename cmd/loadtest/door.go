package main

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// kind says what a message from the server is to this program.
type kind uint8

const (
	kindOther     kind = iota // an event nobody counts, such as an announcement
	kindOpen                  // Engine.IO handshake
	kindConnected             // the namespace let us in
	kindRefused               // it did not
	kindPing                  // Engine.IO heartbeat, to be answered
	kindDelivery              // user message
	kindAck
	kindClosed // the server ends the session
)

// message is what a door made of one WebSocket message. Its slices are parts of that message.
type message struct {
	kind kind
	text []byte // kindDelivery: the text said
	id   int    // kindAck: the id that asked for it
	yes  bool   // kindAck: the first argument is true, which in this vocabulary refuses
}

// door is one of the server's two entrances: how it is asked for, and how events look there.
type door interface {
	path() string
	query() string
	// greets tells whether the server speaks first (Engine.IO's open packet); otherwise a client is in at once.
	greets() bool
	// parse reads one text message; whatever it does not know is kindOther.
	parse(payload []byte) message
	// appendEvent appends the text message that emits event with one argument of plain letters and digits; id is
	// that of the ack wanted, 0 for none.
	appendEvent(dst []byte, event string, id int, arg []byte) []byte
}

const (
	eventNickname    = "nickname"
	eventUserMessage = "user message"
)

// socketIO is the Socket.IO door: protocol 5 over Engine.IO 4, WebSocket from the start, the default namespace.
type socketIO struct{}

func (socketIO) path() string  { return "/socket.io/" }
func (socketIO) query() string { return "EIO=4&transport=websocket" }
func (socketIO) greets() bool  { return true }

var (
	socketIODelivery = []byte(`42["user message","`)
	bareDelivery     = []byte(`{"event":"user message","args":["`)
)

// parse tells packets by their Engine.IO digit and, in a message (4), their Socket.IO digit.
func (socketIO) parse(payload []byte) message {
	if m, ok := quickDelivery(payload, socketIODelivery); ok {
		return m
	}
	if len(payload) == 0 || isOther(payload, `42["`) {
		return message{}
	}
	switch payload[0] {
	case '0':
		return message{kind: kindOpen}
	case '1':
		return message{kind: kindClosed}
	case '2':
		return message{kind: kindPing}
	case '4':
		if len(payload) > 1 {
			return parseSocketIO(payload[1], payload[2:])
		}
	}
	return message{}
}

func parseSocketIO(digit byte, body []byte) message {
	switch digit {
	case '0':
		return message{kind: kindConnected}
	case '1':
		return message{kind: kindClosed}
	case '2':
		return slowDelivery(body[idDigits(body):])
	case '3':
		n := idDigits(body)
		id, err := strconv.Atoi(string(body[:n]))
		if err != nil {
			return message{}
		}
		return message{kind: kindAck, id: id, yes: bytes.HasPrefix(body[n:], []byte("[true"))}
	case '4':
		return message{kind: kindRefused, text: body}
	}
	return message{}
}

func idDigits(body []byte) int {
	n := 0
	for n < len(body) && '0' <= body[n] && body[n] <= '9' {
		n++
	}
	return n
}

func (socketIO) appendEvent(dst []byte, event string, id int, arg []byte) []byte {
	dst = append(dst, "42"...)
	if id > 0 {
		dst = strconv.AppendInt(dst, int64(id), 10)
	}
	dst = append(dst, `["`...)
	dst = append(dst, event...)
	dst = append(dst, `","`...)
	dst = append(dst, arg...)
	return append(dst, `"]`...)
}

// bare is the plain WebSocket door: one JSON object per text message, heartbeat by WebSocket pings.
type bare struct{}

func (bare) path() string  { return "/ws" }
func (bare) query() string { return "" }
func (bare) greets() bool  { return false }

func (bare) parse(payload []byte) message {
	if m, ok := quickDelivery(payload, bareDelivery); ok {
		return m
	}
	if isOther(payload, `{"event":"`) {
		return message{}
	}
	var object struct {
		Event string            `json:"event"`
		Args  []json.RawMessage `json:"args"`
		Ack   *int              `json:"ack"`
	}
	if json.Unmarshal(payload, &object) != nil {
		return message{}
	}
	switch {
	case object.Ack != nil:
		return message{kind: kindAck, id: *object.Ack, yes: len(object.Args) > 0 && string(object.Args[0]) == "true"}
	case object.Event == eventUserMessage && len(object.Args) > 1:
		return delivery(object.Args[1])
	}
	return message{}
}

func (bare) appendEvent(dst []byte, event string, id int, arg []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, event...)
	dst = append(dst, `","args":["`...)
	dst = append(dst, arg...)
	dst = append(dst, `"]`...)
	if id > 0 {
		dst = append(dst, `,"id":`...)
		dst = strconv.AppendInt(dst, int64(id), 10)
	}
	return append(dst, '}')
}

// quickDelivery reads a user message written without white space whose author and text need no unescaping, as all of
// this program's do. A million a second come here, so nothing is decoded that is not looked at.
func quickDelivery(payload, prefix []byte) (message, bool) {
	if !bytes.HasPrefix(payload, prefix) {
		return message{}, false
	}
	rest := payload[len(prefix):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || !bytes.HasPrefix(rest[end:], []byte(`","`)) {
		return message{}, false
	}
	text := rest[end+len(`","`):]
	end = bytes.IndexByte(text, '"')
	if end < 0 || bytes.IndexByte(text[:end], '\\') >= 0 {
		return message{}, false
	}
	return message{kind: kindDelivery, text: text[:end]}, true
}

// isOther tells, without decoding what may be a list of thousands of names, whether a message is an event that nobody counts. prefix is
// what stands before an event's name.
func isOther(payload []byte, prefix string) bool {
	rest, ok := bytes.CutPrefix(payload, []byte(prefix))
	end := bytes.IndexAny(rest, "\"\\")
	return ok && end >= 0 && rest[end] == '"' && string(rest[:end]) != eventUserMessage
}

// slowDelivery reads the arguments of any event, as JSON: event name, author, text.
func slowDelivery(body []byte) message {
	var args []json.RawMessage
	var event string
	if json.Unmarshal(body, &args) != nil || len(args) < 3 || json.Unmarshal(args[0], &event) != nil || event != eventUserMessage {
		return message{}
	}
	return delivery(args[2])
}

func delivery(arg json.RawMessage) message {
	var text string
	if json.Unmarshal(arg, &text) != nil {
		return message{}
	}
	return message{kind: kindDelivery, text: []byte(text)}
}
