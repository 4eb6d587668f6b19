// Package socketio is a Socket.IO server on the sessions of package engineio: namespaces with sockets,
// events and their acknowledgements, rooms, broadcasts and connection state recovery.
//
// It speaks Socket.IO protocol 5, with clients of Socket.IO 3 and 4, and protocol 4, with clients of
// Socket.IO 2 if the Engine.IO server admits them. Packets are text with JSON, the default parser's. It
// leaves out other parsers, namespaces made on demand, middlewares, acknowledgements of the server's
// own events, and adapters: a layer above joins several servers.
//
// # JSON
//
// Arguments stay the text they arrived in. The server checks a packet in one pass, against RFC 8259 and
// the limits of [Options], and passes arguments on as the same text. A malformed packet closes the
// connection of the client that sent it, and affects no other.
//
// # Raw WebSockets
//
// A session of a raw WebSocket has one socket, in the main namespace, "/", and another encoding. A text
// message is one object, and no other keys are allowed. From the client:
//
//	{"event":"user message","args":["hi"],"id":7}   args may be missing; id asks for an acknowledgement
//	{"ack":3,"args":[true]}                         acknowledges the server's event 3; ignored
//	{"connect":{"token":"..."}}                     joins, see below
//	{"disconnect":{}}                               leaves, and closes the connection
//
// From the server:
//
//	{"event":"user message","args":["User1","hi"]}
//	{"ack":7,"args":[true]}
//	{"connect":{"sid":"...","pid":"...","recovered":false}}   pid and recovered only with Options.Recovery
//	{"disconnect":{}}                               the server has ended the socket: don't come back automatically
//	{"error":{"code":"...","message":"..."}}        bad_message, not_connected or already_connected
//
// A client of /ws joins at once, with an empty payload and without an answer. A client of /ws?connect
// first sends {"connect":{...}} with its payload, in which {"pid":"...","offset":"..."} recovers a
// socket. A binary argument is {"base64":"..."} in both directions. The server answers a client's first
// mistake with an error object and closes the connection at the second, with code 1008.
//
// # Concurrency
//
//	goroutine       started by                 owns alone                                        ends when; who waits
//	session reader  package engineio           decoding, calls of handlers, fields of client     see there
//	timer           the first connect timeout  nothing: it closes the clients that are due       at once; Server.Close
//
// The package starts no goroutine for a socket, an event or an acknowledgement, and never waits for the
// network: it queues events in a session, and the session closes a client that is too slow. Lock order:
// Namespace.mu, then a session's; and client.mu, then the time-outs'. Socket.mu is taken alone. No lock
// is held while the application is called.
package socketio
