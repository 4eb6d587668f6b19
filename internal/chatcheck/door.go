package chatcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Door is one of a worker's two entrances.
type Door int

// The doors.
const (
	SocketIO Door = iota // /socket.io/, packets of Socket.IO 5 in those of Engine.IO 4
	Bare                 // /ws, a JSON object a message
)

// String is the door as people write it.
func (d Door) String() string {
	if d == Bare {
		return "ws"
	}
	return "socketio"
}

func (d Door) path() string {
	if d == Bare {
		return "/ws?connect"
	}
	return "/socket.io/?EIO=4&transport=websocket"
}

// kind says what a message from the server is.
type kind int

const (
	kindOther kind = iota
	kindOpen       // Engine.IO handshake
	kindPing       // Engine.IO heartbeat, to be answered
	kindConnected
	kindRefused // the namespace did not let the client in
	kindEvent
	kindAck
	kindSentAway // the server wants the client gone for good
)

// received is one message from the server.
type received struct {
	kind    kind
	event   string
	args    []json.RawMessage // of an event or an ack
	ack     int
	pid     string        // kindConnected: what a session is recovered by
	silence time.Duration // kindOpen: without a heartbeat for so long the connection is lost
	why     string        // kindRefused
}

// errMessage is a message that does not belong to the protocol.
var errMessage = errors.New("not of the protocol")

func (d Door) parse(data []byte) (received, error) {
	if d == Bare {
		return parseBare(data)
	}
	return parseSocketIO(string(data))
}

func parseBare(data []byte) (received, error) {
	var m struct {
		Event        string
		Args         []json.RawMessage
		Ack          *int
		Connect      *struct{ PID string }
		ConnectError json.RawMessage `json:"connect_error"`
		Disconnect   json.RawMessage
		Error        json.RawMessage
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return received{}, fmt.Errorf("%w: %q: %w", errMessage, data, err)
	}
	switch {
	case m.Error != nil:
		return received{}, fmt.Errorf("the server does not understand: %s", m.Error)
	case m.Connect != nil:
		return received{kind: kindConnected, pid: m.Connect.PID}, nil
	case m.ConnectError != nil:
		return received{kind: kindRefused, why: string(m.ConnectError)}, nil
	case m.Ack != nil:
		return received{kind: kindAck, ack: *m.Ack, args: m.Args}, nil
	case m.Event != "":
		return received{kind: kindEvent, event: m.Event, args: m.Args}, nil
	case m.Disconnect != nil:
		return received{kind: kindSentAway}, nil
	}
	return received{}, fmt.Errorf("%w: %q", errMessage, data)
}

// parseSocketIO tells packets by their Engine.IO digit and, in a message (4), their Socket.IO digit. Socket.IO v5, "Packet encoding".
func parseSocketIO(text string) (received, error) {
	digits, body := text[:min(2, len(text))], text[min(2, len(text)):]
	switch {
	case strings.HasPrefix(text, "0"):
		var open struct{ PingInterval, PingTimeout int64 }
		if err := json.Unmarshal([]byte(text[1:]), &open); err != nil {
			return received{}, fmt.Errorf("%w: %q: %w", errMessage, text, err)
		}
		return received{kind: kindOpen, silence: time.Duration(open.PingInterval+open.PingTimeout) * time.Millisecond}, nil
	case text == "2":
		return received{kind: kindPing}, nil
	case text == "1", digits == "41":
		return received{kind: kindSentAway}, nil
	case digits == "40":
		var connect struct{ PID string }
		if err := json.Unmarshal([]byte(body), &connect); err != nil {
			return received{}, fmt.Errorf("%w: %q: %w", errMessage, text, err)
		}
		return received{kind: kindConnected, pid: connect.PID}, nil
	case digits == "44":
		return received{kind: kindRefused, why: body}, nil
	case digits == "42", digits == "43":
		return parseArguments(digits, body)
	}
	return received{}, fmt.Errorf("%w: %q", errMessage, text)
}

func parseArguments(digits, body string) (received, error) {
	id, list := body, ""
	if start := strings.IndexByte(body, '['); start >= 0 {
		id, list = body[:start], body[start:]
	}
	var m received
	if err := json.Unmarshal([]byte(list), &m.args); err != nil {
		return received{}, fmt.Errorf("%w: %q: %w", errMessage, body, err)
	}
	var err error
	if digits == "43" {
		m.kind = kindAck
		m.ack, err = strconv.Atoi(id)
	} else {
		m.kind = kindEvent
		if len(m.args) == 0 {
			return received{}, fmt.Errorf("%w: %q: an event without a name", errMessage, body)
		}
		err = json.Unmarshal(m.args[0], &m.event)
		m.args = m.args[1:]
	}
	if err != nil {
		return received{}, fmt.Errorf("%w: %q: %w", errMessage, body, err)
	}
	return m, nil
}

// connect is the message that asks to be let in.
func (d Door) connect(auth any) []byte {
	if d == Bare {
		return encode(map[string]any{"connect": auth})
	}
	return append([]byte("40"), encode(auth)...)
}

// emit is the message of an event whose ack is wanted under an id.
func (d Door) emit(event string, args []any, id int) []byte {
	if d == Bare {
		if args == nil {
			args = []any{}
		}
		return encode(struct {
			Event string `json:"event"`
			Args  []any  `json:"args"`
			ID    int    `json:"id"`
		}{event, args, id})
	}
	return append(strconv.AppendInt([]byte("42"), int64(id), 10), encode(append([]any{event}, args...))...)
}

// disconnect is the message of a client that leaves.
func (d Door) disconnect() []byte {
	if d == Bare {
		return []byte(`{"disconnect":{}}`)
	}
	return []byte("41")
}

// encode is for values of this package's own making, which can be encoded.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
