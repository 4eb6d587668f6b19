package socketio_test

import (
	"encoding/json"
	"log"
	"net/http"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// A chat of one room, at both doors: clients join with {"name":"..."}, say something with an acknowledgement if they like,
// and hear what the others say.
func Example() {
	server := socketio.NewServer(socketio.Options{Recovery: socketio.NewMemoryRecovery(0, 0)})
	chat := server.Of("/")

	chat.Use(func(s *socketio.Socket) error {
		var auth struct{ Name string }
		if err := json.Unmarshal(s.Auth(), &auth); err != nil || auth.Name == "" {
			return &socketio.ConnectError{Message: "who are you?", Data: map[string]string{"missing": "name"}}
		}
		s.SetData(auth.Name)
		return nil
	})
	chat.OnConnect(func(s *socketio.Socket) {
		s.Join("lobby")
		_ = s.To("lobby").Emit("announcement", s.Data().(string)+" connected", nil) // an error: it cannot be encoded
	})
	chat.On("user message", func(s *socketio.Socket, e *socketio.Event) {
		text, ok := e.String(0)
		if !ok {
			_ = e.Ack("a message is a string")
			return
		}
		_ = s.To("lobby").Emit("user message", s.Data(), text, nil)
		_ = e.Ack(nil)
	})
	chat.OnDisconnect(func(s *socketio.Socket, reason error) {
		if !socketio.Lost(reason) { // a lost client may come back
			_ = chat.To("lobby").Emit("announcement", s.Data().(string)+" disconnected", nil)
		}
	})

	engine := engineio.NewServer(server, engineio.Options{})
	http.Handle("/socket.io/", engine)
	http.Handle("/ws", engine.WebSocketHandler())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
