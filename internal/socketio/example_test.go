package socketio_test

import (
	"encoding/json"
	"log"
	"net/http"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// A chat of one room, for Socket.IO clients and raw WebSockets: clients join with {"name":"..."}, send
// messages, and ask for an acknowledgement if they like.
func Example() {
	server := socketio.NewServer(socketio.Options{})
	chat := server.Of("/")

	chat.OnConnect(func(s *socketio.Socket) {
		var auth struct{ Name string }
		if err := json.Unmarshal(s.Auth(), &auth); err != nil || auth.Name == "" {
			s.Disconnect()
			return
		}
		s.SetData(auth.Name)
		s.Join("lobby")
		// Emit returns an error if the arguments can't be encoded; strings always can.
		_ = chat.To("lobby").Except(s.ID()).Emit("announcement", auth.Name+" connected", nil)
	})
	chat.On("user message", func(s *socketio.Socket, e *socketio.Event) {
		text, ok := e.String(0)
		if !ok {
			_ = e.Ack("a message is a string")
			return
		}
		_ = chat.To("lobby").Except(s.ID()).Emit("user message", s.Data(), text, nil)
		_ = e.Ack(nil)
	})
	chat.OnDisconnect(func(s *socketio.Socket, _ error) {
		if name, ok := s.Data().(string); ok {
			_ = chat.To("lobby").Emit("announcement", name+" disconnected", nil)
		}
	})

	engine := engineio.NewServer(server, engineio.Options{})
	http.Handle("/socket.io/", engine)
	http.Handle("/ws", engine.WebSocketHandler())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
