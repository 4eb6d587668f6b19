// Package engineio is an Engine.IO server. It gives every client a [Session] that sends and
// receives messages over any transport.
//
// It speaks Engine.IO protocol 4 over HTTP long-polling and WebSocket, with the upgrade from one to
// the other. It speaks protocol 3 (Socket.IO 2.x clients) where [Options.Protocol3] allows it.
// Through [Server.WebSocketHandler] it serves raw WebSockets, whose messages are the session's
// messages and whose heartbeat is the WebSocket's own ping and pong. It leaves out WebTransport,
// JSONP polling, and compression of polling responses and WebSocket messages.
//
// # Writing
//
// No call of this package waits for a socket. Send queues. A session with a queue is put on the
// list of one of a few writers, which writes everything the session has queued by one write(2).
// While the writer works off its list, queues grow: the busier the server, the fewer writes a
// message costs. On a quiet server a message leaves at once. A socket that takes no more gets a
// goroutine of its own, a blocked writer, until the queue is empty. A client that takes nothing for
// the time of a heartbeat, or whose queue is full, is closed as a slow consumer. [Prepare] encodes
// a message for many sessions once; their queues share it.
//
// # Closing
//
// A session has one state; the function state.next alone decides how events move it, and what
// happens to the queue, the connection and the sid. Its comment is the table of all transitions.
//
// # Concurrency
//
//	goroutine       started by                  owns alone                   ends when
//	session waiter  the WebSocket's request     waiting for client's input   connection ends
//	reader          a waiter that finds none    reads, calls of the handler  Shutdown; above 64 idle
//	                idle                                                     ones, after its job
//	writer          a send that finds none      writes of its sessions       no session has a queue
//	                running
//	blocked writer  a writer at a full socket   writes of that session       queue empty, deadline,
//	                                                                         or connection ends
//	refusal         a WebSocket that comes too  its closing handshake        client answers, or
//	                late                                                     CloseTimeout
//	closer          a writer, through TLS       the connection's end         TLS alert sent, or 5 s
//	heartbeat       the first session           ping times of all sessions   no session is left
//	notifier        a Close from elsewhere      the call of Handler.Closed   that call returns
//
// [Server.Shutdown] waits for all of them. In long-polling a GET waits and a POST delivers on the
// request's own goroutine.
//
// An idle WebSocket session is one goroutine with the smallest stack, and holds no buffer and no
// timer. To handle input takes a deeper stack, which would never shrink to the smallest again. So
// readers do that; there are as many as sessions have input at the same time. Measured at 10,000
// idle clients with their Socket.IO state: 10.0 KB resident each with a stack and buffers of their
// own, 5.4 KB with readers.
//
// Lock order: handlerCalls.mu, Session.mu, then the locks of writer, heartbeat and Server, none of
// which holds another.
package engineio
