package chatclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Protocol is one of the two protocols that a worker speaks.
type Protocol int

const (
	// SocketIO is Socket.IO 5 in packets of Engine.IO 4, at /socket.io/.
	SocketIO Protocol = iota
	// Raw is one JSON object in each WebSocket message, at /ws. Heartbeats are WebSocket pings.
	Raw
)

// String returns the protocol's name on command lines.
func (p Protocol) String() string {
	if p == Raw {
		return "ws"
	}
	return "socketio"
}

func (p Protocol) path() string {
	if p == Raw {
		return "/ws"
	}
	return "/socket.io/"
}

func (p Protocol) query() string {
	if p == Raw {
		return ""
	}
	return "EIO=4&transport=websocket"
}

// Kind says what a message from the server is.
type Kind uint8

const (
	// Unknown is a message outside the protocol. Parse returns an error for it.
	Unknown Kind = iota
	// Open is Engine.IO's handshake. The connection answers it with the namespace's connect packet.
	Open
	// Ping is Engine.IO's heartbeat or WebSocket's. The connection answers it.
	Ping
	// Connected accepts the client. A raw connection sends it only to a client that sent credentials.
	Connected
	// Refused rejects the client's credentials.
	Refused
	// Event is an event with its arguments.
	Event
	// Ack is the acknowledgement of an event that was sent with an id.
	Ack
	// Disconnected says that the server will close the connection and does not want the client back.
	Disconnected
)

// Message is a decoded message from the server. Its fields are set as far as its kind has them.
type Message struct {
	Kind    Kind
	Event   string
	Args    []json.RawMessage // of an Event or an Ack
	AckID   int
	PID     string        // of Connected: the secret by which a session is recovered
	Silence time.Duration // of Open: the connection is lost after so long without a heartbeat
	Reason  string        // of Refused: the server's JSON
}

// ErrProtocol is wrapped by the errors of messages that do not belong to the protocol.
var ErrProtocol = errors.New("message outside the protocol")

// Parse decodes a text message of the server. The message's arguments don't alias payload.
func (p Protocol) Parse(payload []byte) (Message, error) {
	if p == Raw {
		return parseRaw(payload)
	}
	return parseSocketIO(string(payload))
}

// classify tells the kind of a message without decoding more than it has to. Nine in ten messages
// are events.
func (p Protocol) classify(payload []byte) Kind {
	if p == SocketIO {
		return classifySocketIO(payload)
	}
	if bytes.HasPrefix(payload, []byte(`{"event":`)) {
		return Event
	}
	m, _ := parseRaw(payload) // of an error the kind is Unknown
	return m.Kind
}

// classifySocketIO looks at the Engine.IO digit and, in a message (4), at the Socket.IO digit.
func classifySocketIO(payload []byte) Kind {
	switch {
	case len(payload) > 1 && payload[0] == '4' && payload[1]-'0' < byte(len(socketIOKinds)):
		return socketIOKinds[payload[1]-'0']
	case len(payload) > 0 && payload[0] == '0':
		return Open
	case string(payload) == "1":
		return Disconnected
	case string(payload) == "2":
		return Ping
	}
	return Unknown
}

// socketIOKinds holds the kinds of Socket.IO's packet types, by digit. Socket.IO v5, "Packet encoding".
var socketIOKinds = [...]Kind{Connected, Disconnected, Event, Ack, Refused}

func parseRaw(payload []byte) (Message, error) {
	var m struct {
		Event        string
		Args         []json.RawMessage
		Ack          *int
		Connect      *struct{ PID string }
		ConnectError json.RawMessage `json:"connect_error"`
		Disconnect   json.RawMessage
		Error        json.RawMessage
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return Message{}, fmt.Errorf("%w: %q: %w", ErrProtocol, payload, err)
	}
	switch {
	case m.Error != nil:
		return Message{}, fmt.Errorf("the server does not understand the client: %s", m.Error)
	case m.Connect != nil:
		return Message{Kind: Connected, PID: m.Connect.PID}, nil
	case m.ConnectError != nil:
		return Message{Kind: Refused, Reason: string(m.ConnectError)}, nil
	case m.Ack != nil:
		return Message{Kind: Ack, AckID: *m.Ack, Args: m.Args}, nil
	case m.Event != "":
		return Message{Kind: Event, Event: m.Event, Args: m.Args}, nil
	case m.Disconnect != nil:
		return Message{Kind: Disconnected}, nil
	}
	return Message{}, fmt.Errorf("%w: %q", ErrProtocol, payload)
}

func parseSocketIO(text string) (Message, error) {
	m := Message{Kind: classifySocketIO([]byte(text))}
	var err error
	switch m.Kind {
	case Open:
		var open struct{ PingInterval, PingTimeout int64 }
		err = json.Unmarshal([]byte(text[1:]), &open)
		m.Silence = time.Duration(open.PingInterval+open.PingTimeout) * time.Millisecond
	case Connected:
		var connect struct{ PID string }
		err = json.Unmarshal([]byte(text[2:]), &connect)
		m.PID = connect.PID
	case Refused:
		m.Reason = text[2:]
	case Event, Ack:
		err = m.parseArguments(text[2:])
	case Unknown:
		return Message{}, fmt.Errorf("%w: %q", ErrProtocol, text)
	}
	if err != nil {
		return Message{}, fmt.Errorf("%w: %q: %w", ErrProtocol, text, err)
	}
	return m, nil
}

// parseArguments decodes what follows the digits of an event or an acknowledgement: an id, and a list.
func (m *Message) parseArguments(body string) error {
	id, list := body, ""
	if start := strings.IndexByte(body, '['); start >= 0 {
		id, list = body[:start], body[start:]
	}
	if err := json.Unmarshal([]byte(list), &m.Args); err != nil {
		return err
	}
	if m.Kind == Ack {
		var err error
		m.AckID, err = strconv.Atoi(id)
		return err
	}
	if len(m.Args) == 0 {
		return errors.New("event without a name")
	}
	event := m.Args[0]
	m.Args = m.Args[1:]
	return json.Unmarshal(event, &m.Event)
}

// AppendEvent appends the text message that emits an event. args holds the event's arguments in
// JSON, separated by commas. The server acknowledges the event under ackID unless that is 0.
func (p Protocol) AppendEvent(dst []byte, event string, ackID int, args []byte) []byte {
	if p == Raw {
		dst = append(appendString(append(dst, `{"event":`...), event), `,"args":[`...)
		dst = append(append(dst, args...), ']')
		if ackID != 0 {
			dst = strconv.AppendInt(append(dst, `,"id":`...), int64(ackID), 10)
		}
		return append(dst, '}')
	}
	dst = append(dst, "42"...)
	if ackID != 0 {
		dst = strconv.AppendInt(dst, int64(ackID), 10)
	}
	dst = appendString(append(dst, '['), event)
	if len(args) > 0 {
		dst = append(append(dst, ','), args...)
	}
	return append(dst, ']')
}

// appendString appends text in JSON. Names of events seldom have anything to escape.
func appendString(dst []byte, text string) []byte {
	for _, r := range text {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return append(dst, encode(text)...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// connect returns the message that asks to be let in, with credentials unless auth is nil.
func (p Protocol) connect(auth any) []byte {
	switch {
	case p == Raw:
		return encode(map[string]any{"connect": auth})
	case auth == nil:
		return []byte("40")
	}
	return append([]byte("40"), encode(auth)...)
}

// disconnect returns the message of a client that leaves for good.
func (p Protocol) disconnect() []byte {
	if p == Raw {
		return []byte(`{"disconnect":{}}`)
	}
	return []byte("41")
}

// encode is for values that JSON has a form for.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
