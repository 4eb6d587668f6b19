package socketio_test

import (
	"strings"
	"testing"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

func TestPlainDoor(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.DialBare("")
	c.Want("it is in at once, and not greeted", `{"event":"auth","args":[{}]}`)
	c.Send(`{"event":"message","args":["hi",1.0,{"a":[]}]}`)
	c.Want("events both ways", `{"event":"message-back","args":["hi",1.0,{"a":[]}]}`)
	c.Send(` { "id" : 7 , "args" : [ 1 , 2 ] , "event" : "message-with-ack" } `)
	c.Want("acknowledged", `{"ack":7,"args":[1,2]}`)
	c.Send(`{"event":"message-with-ack","args":[{"base64":"AQID"},{"base64":1}],"id":8}`)
	c.Want("binary data is base64", `{"ack":8,"args":[{"base64":"AQID"},{"base64":1}]}`)
	c.Send(`{"event":"message"}`)
	c.Want("arguments may be missing", `{"event":"message-back","args":[]}`)
	c.Send(`{"event":"nobody handles this"}`)
	c.Send(`{"ack":99,"args":["nobody asked"]}`)
	c.Send(`{"disconnect":{}}`)
	c.WantClose("it has left", 1000)
}

func TestPlainDoorConnect(t *testing.T) {
	server := newEcho(socketio.Options{})
	server.Of("/").Use(func(s *socketio.Socket) error {
		if strings.Contains(string(s.Auth()), "wrong") {
			return &socketio.ConnectError{Message: "not authorized", Data: 401}
		}
		return nil
	})
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.DialBare("connect")
	c.Send(`{"event":"message"}`)
	c.Want("it has to join first", `{"error":{"code":"not_connected","message":"namespace not joined"}}`)
	c.Send(`{"connect":{"token":"wrong"}}`)
	c.Want("refused", `{"connect_error":{"message":"not authorized","data":401}}`)
	c.Send(`{"connect":{"token":"right"}}`)
	c.Want("let in", `{"connect":{"sid":"*"}}`)
	c.Want("with the payload", `{"event":"auth","args":[{"token":"right"}]}`)
	c.Send(`{"connect":{}}`)
	c.WantClose("it has joined, and this is its second mistake", 1008)
}

func TestPlainDoorRefusedAtOnce(t *testing.T) {
	server := newEcho(socketio.Options{})
	server.Of("/").Use(func(s *socketio.Socket) error {
		if string(s.Auth()) == "{}" {
			return &socketio.ConnectError{Message: "who are you?"}
		}
		return nil
	})
	c := socketiotest.Serve(t, server, engineio.Options{}).DialBare("")
	c.Want("no payload is not enough here", `{"connect_error":{"message":"who are you?"}}`)
	c.Send(`{"connect":{"token":1}}`)
	c.Want("it may try again", `{"connect":{"sid":"*"}}`)
}

// TestPlainDoorMistakes has the first mistake answered and the second closed.
func TestPlainDoorMistakes(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	for _, wrong := range []string{
		``, `hello`, `42["message"]`, `{}`, `{"event":1}`, `{"event":"message","more":1}`, `{"event":"message","args":{}}`,
		`{"event":"message"}{"event":"message"}`, `{"event":"disconnect"}`, `{"event":"message","id":-1}`, `{"connect":{}}`,
		`{"event":"message","args":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		`{"event":"message","args":[0` + strings.Repeat(",0", 100_000) + `]}`,
		`{"event":"message","args":[` + strings.Repeat(`{"base64":"AQ=="},`, 11) + `0]}`,
	} {
		c := host.DialBare("")
		c.Want("joined", `{"event":"auth","args":[{}]}`)
		c.Send(wrong)
		c.Want("the first mistake is answered", `{"error":{"code":"*","message":"*"}}`)
		c.Send(`{"event":"message","args":["go on"]}`)
		c.Want("and forgiven", `{"event":"message-back","args":["go on"]}`)
		c.Send(wrong)
		c.WantClose("the second is not", 1008)
	}
	c := host.DialBare("")
	c.Want("joined", `{"event":"auth","args":[{}]}`)
	c.SendBinary([]byte{1})
	c.Want("binary messages are a mistake", `{"error":{"code":"bad_message","message":"binary message"}}`)
}
