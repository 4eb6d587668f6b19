// Package engineio is an Engine.IO server: it gives every client a [Session] that sends and receives messages, whatever
// carries them.
//
// It speaks Engine.IO protocol 4 over HTTP long-polling and WebSocket, with the upgrade from one to the other; protocol 3
// (Socket.IO 2.x clients) where [Options.Protocol3] allows it; and, through [Server.WebSocketHandler], a bare WebSocket whose
// messages are the session's messages and whose heartbeat is the WebSocket's own ping and pong. Left out: WebTransport,
// JSONP polling, and compression, of polling responses as of WebSocket messages.
//
// # Writing
//
// Nothing here waits for a socket. Send queues; a session with something to write is put on the list of one of a few
// writers, which gathers everything a session has waiting into one write(2). While the list is worked off more gathers, so
// the busier the server, the fewer writes a message costs, and on a quiet one a message leaves at once. A socket that
// takes no more gets a goroutine of its own until it does, or until its queue is full and the session is closed as a slow
// consumer. A message for many sessions is encoded once ([Prepare]) and only pointed to by their queues.
//
// # Concurrency
//
//	goroutine        started by                   owns alone                        ends when
//	session waiter   the upgrade request          waiting for what its client sends  connection ends
//	reader           a waiter, where none is idle reads, calls of the handler       idle ones at Shutdown, those above 64 when done
//	writer           a send that finds it absent  writes of its share of sessions   nothing is left to write
//	blocked writer   a writer at a full socket    writes of that one session        queue empty, or connection ends
//	refusal          a WebSocket that is too late its closing handshake             client answers, or CloseTimeout
//	closer           a writer, through TLS        the end of that connection        alert is written, or 5 s
//	heartbeat        the first session            ping times of all sessions        no session is left
//	finisher         Close from elsewhere         the call of Handler.Closed        that call returns
//
// [Server.Shutdown] waits for all of them. In long-polling a GET waits and a POST delivers on the request's own goroutine.
// An idle WebSocket session is one goroutine with the smallest stack, and holds no buffer and no timer. Handling what a client sends
// takes a deeper stack, which would never shrink to the smallest again: so that is done by readers, of which there are as many as
// sessions have something to read at the same time. Measured at 10,000 idle clients with their Socket.IO state: 10.0 KB resident each
// without readers and with buffers of their own, 5.4 KB as it is.
//
// Lock order: Session.dispatch, Session.mu, then the locks of writer, heartbeat and Server, none of which holds another.
package engineio
