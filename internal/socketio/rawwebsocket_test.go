package socketio_test

import (
	"strings"
	"testing"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

func TestRawWebSocketEvents(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.DialRaw("")
	c.Want("it joins at once, without an answer", `{"event":"auth","args":[{}]}`)
	c.Send(`{"event":"message","args":["hi",1.0,{"a":[]}]}`)
	c.Want("events both ways", `{"event":"message-back","args":["hi",1.0,{"a":[]}]}`)
	c.Send(` { "id" : 7 , "args" : [ 1 , 2 ] , "event" : "message-with-ack" } `)
	c.Want("acknowledged", `{"ack":7,"args":[1,2]}`)
	c.Send(`{"event":"message-with-ack","args":[{"base64":"AQID"},{"base64":1}],"id":8}`)
	c.Want("binary data is base64", `{"ack":8,"args":[{"base64":"AQID"},{"base64":1}]}`)
	c.Send(`{"event":"message"}`)
	c.Want("arguments may be missing", `{"event":"message-back","args":[]}`)
	c.Send(`{"event":"unknown"}`)
	c.Send(`{"ack":99,"args":["unexpected"]}`)
	c.Send(`{"disconnect":{}}`)
	c.WantClose("it has left", 1000)
}

func TestRawWebSocketJoinsWithPayload(t *testing.T) {
	host := socketiotest.Serve(t, newEcho(socketio.Options{}), engineio.Options{})
	c := host.DialRaw("connect")
	c.Send(`{"event":"message"}`)
	c.Want("it has to join first", `{"error":{"code":"not_connected","message":"namespace not joined"}}`)
	c.Send(`{"connect":{"token":"right"}}`)
	c.Want("joined", `{"connect":{"sid":"*"}}`)
	c.Want("with the payload", `{"event":"auth","args":[{"token":"right"}]}`)
	c.Send(`{"connect":{}}`)
	c.WantClose("it has joined, and this is its second mistake", 1008)
}

// TestRawWebSocketClosesAtSecondMistake checks that the first mistake is answered.
func TestRawWebSocketClosesAtSecondMistake(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	for _, wrong := range []string{
		``, `hello`, `42["message"]`, `{}`, `{"event":1}`, `{"event":"message","more":1}`,
		`{"event":"message","args":{}}`,
		`{"event":"message"}{"event":"message"}`, `{"event":"disconnect"}`, `{"event":"message","id":-1}`,
		`{"connect":{}}`,
		`{"event":"message","args":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		`{"event":"message","args":[0` + strings.Repeat(",0", 100_000) + `]}`,
		`{"event":"message","args":[` + strings.Repeat(`{"base64":"AQ=="},`, 11) + `0]}`,
	} {
		c := host.DialRaw("")
		c.Want("joined", `{"event":"auth","args":[{}]}`)
		c.Send(wrong)
		c.Want("the first mistake is answered", `{"error":{"code":"*","message":"*"}}`)
		c.Send(`{"event":"message","args":["go on"]}`)
		c.Want("and has no other effect", `{"event":"message-back","args":["go on"]}`)
		c.Send(wrong)
		c.WantClose("the second is not", 1008)
	}
	c := host.DialRaw("")
	c.Want("joined", `{"event":"auth","args":[{}]}`)
	c.SendBinary([]byte{1})
	c.Want("binary messages are a mistake", `{"error":{"code":"bad_message","message":"binary message"}}`)
}

// SignalR's client waits for an answer to its handshake until its own time-out.
func TestRawWebSocketClosesSignalR(t *testing.T) {
	host := socketiotest.Serve(t, newEcho(socketio.Options{}), engineio.Options{})
	c := host.DialRaw("")
	c.Want("joined", `{"event":"auth","args":[{}]}`)
	c.Send("{\"protocol\":\"json\",\"version\":1}\x1e")
	c.WantClose("it speaks another protocol", 1008)
}
