// Package socketio is a Socket.IO server on sessions of package engineio: namespaces with sockets, events, rooms,
// broadcasts, acknowledgements and connection state recovery.
//
// It speaks Socket.IO protocol 5, with clients of Socket.IO 3 and 4, and protocol 4, with clients of Socket.IO 2 where the
// Engine.IO server lets them in. Packets are text with JSON, the default parser's; other parsers are left out, and so are
// namespaces made on demand and adapters: what joins several servers is above this package.
//
// # JSON
//
// Arguments stay the text they came in. A packet is checked in one pass, against RFC 8259 and the limits of [Options],
// and never rebuilt: an argument passed on is the same text. Anything malformed closes the client that sent it, with no
// effect on others.
//
// # The plain door
//
// Sessions of a bare WebSocket get sockets of the main namespace, "/", with another encoder. A text message is one object,
// and no other keys are allowed. From the client:
//
//	{"event":"user message","args":["hi"],"id":7}   args may be missing; id where an acknowledgement is wanted
//	{"ack":3,"args":[true]}                         acknowledges the server's event 3
//	{"connect":{"token":"..."}}                     joins, see below
//	{"disconnect":{}}                               leaves, and closes the connection
//
// From the server:
//
//	{"event":"user message","args":["User1","hi"]}  with "id":3 where it wants an acknowledgement
//	{"ack":7,"args":[true]}
//	{"connect":{"sid":"...","pid":"...","recovered":false}}   pid and recovered only with Options.Recovery
//	{"connect_error":{"message":"...","data":...}}
//	{"disconnect":{}}                               the server has ended the socket: don't come back by yourself
//	{"error":{"code":"...","message":"..."}}        bad_message, not_connected or already_connected
//
// A client of /ws is in at once, with an empty payload and no greeting. One of /ws?connect says first what it joins with:
// {"connect":{...}}, where {"pid":"...","offset":"..."} recovers a socket. It is answered by connect or connect_error,
// after which it may try again. A binary argument is {"base64":"..."} both ways. The first mistake is answered by error,
// the second closes the connection with code 1008.
//
// # Concurrency
//
//	goroutine       started by            owns alone                                        ends when; who waits
//	session reader  package engineio      decoding, the handlers' calls, client's fields    see there
//	timer           the first deadline    nothing: it calls what is due                     at once; Server.Close
//
// No goroutine is started for a socket, an event or an acknowledgement. Nothing here waits for the network: an event goes
// to a session's queue, and a client too slow for it is closed. Lock order: Namespace.mu, then Socket.mu or a broadcast's
// answers, then the session's; no lock is held while the application is called, but for [Restored].Missed and [Recorder].
package socketio
