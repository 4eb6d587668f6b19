// Package chatcheck has chat clients that remember everything they are told, and holds their memories against each other: whether
// everybody got every message of the others, once, and all in one order.
//
// A client speaks to either door of a chatapp worker: Socket.IO 5 over Engine.IO 4 by WebSocket, or the plain JSON of /ws. When its
// connection is lost it comes back by the next of its URLs, with its token and the last offset it has seen, as a page does, and says
// again under the same id what was not acknowledged. Long-polling and binary events it does not speak.
//
// # Concurrency
//
//	goroutine        started by  ends when
//	client's reader  Join        Close, Leave or Vanish, which wait for it
//
// All methods may be called from any goroutine. A client's writes take turns by a mutex that guards nothing else.
package chatcheck
