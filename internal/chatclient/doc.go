// Package chatclient is a client of chatapp's two protocols: Socket.IO 5 over Engine.IO 4 by
// WebSocket, and the raw WebSocket of /ws. Load tests, verification and other tests share it.
//
// It deliberately shares no code with the server, so that a mistake in a codec of the server shows.
// It leaves out long polling, attachments, namespaces other than the default one, and WebSocket
// extensions.
//
// A Conn dials, answers heartbeats and hands the server's messages to a Handler:
//
//	target, err := chatclient.ParseTarget("http://localhost:3000", chatclient.SocketIO)
//	conn, err := chatclient.Dial(ctx, target, chatclient.Options{Handler: handler})
//	go conn.Serve()
//	err = conn.Emit("nickname", 1, "Ann") // the handler receives acknowledgement 1
//
// Without a handler the caller takes the messages itself, one by one, with Next.
//
// A connection is cheap enough to hold tens of thousands of them: an idle one has one goroutine and
// no buffer, and a received message is copied by nobody and allocates nothing.
//
// # Concurrency
//
//	goroutine           started by                      ends when
//	the one in Serve    the caller, who calls Serve     the connection ends
//
// Serve (or Next) belongs to one goroutine, on which it calls the handler. All other methods may be
// called from any goroutine.
package chatclient
