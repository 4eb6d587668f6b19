package worker

import "chatapp/internal/socketio"

// joinRoomlessChat binds the chat of one instance: a nickname, and what is said goes to everybody else.
func joinRoomlessChat(ns *socketio.Namespace) {
	ns.On("nickname", func(s *socketio.Socket, e *socketio.Event) {
		nick, ok := e.String(0)
		if !ok || nick == "" {
			_ = e.Ack(true)
			return
		}
		s.SetData(nick)
		_ = e.Ack(false)
		_ = s.Broadcast().Emit("announcement", nick+" connected")
	})
	ns.On("user message", func(s *socketio.Socket, e *socketio.Event) {
		nick, named := s.Data().(string)
		text, ok := e.String(0)
		if !named || !ok {
			return
		}
		_ = s.Broadcast().Emit("user message", nick, text)
		_ = e.Ack(true)
	})
	ns.OnDisconnect(func(s *socketio.Socket, _ error) {
		if nick, named := s.Data().(string); named {
			_ = s.Broadcast().Emit("announcement", nick+" disconnected")
		}
	})
}
