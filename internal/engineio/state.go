package engineio

import "sync/atomic"

// state is where a session stands between its opening request and its end. Only state.next moves
// it.
type state uint32

const (
	stateOpening       state = iota // the request for a WebSocket is not answered yet
	statePolling                    // long-polling
	stateUpgrading                  // long-polling, and a WebSocket is probing
	stateWebSocket                  // messages go over a WebSocket
	stateLingering                  // the last packet waits for the client's poll
	stateReleasing                  // the server shuts down; the queue is written, then the connection half-closed
	stateAwaitingClose              // the close frame is queued or sent; the reader awaits the client's
	stateFlushing                   // reading has ended; the rest of the queue is written, then the connection closed
	stateExplaining                 // reading has ended; the rest, the close frame last, is written, then half-closed
	stateAwaitingEOF                // half-closed; the reader discards until the client closes as well
	stateClosed                     // no goroutine and no request has anything left to do for the session
	states
)

// over reports whether the session has ended for the handler: Send returns ErrClosed, and Received
// is not called again.
func (s state) over() bool { return s >= stateLingering }

// polls reports whether the client's polls and posts carry the session.
func (s state) polls() bool { return s == statePolling || s == stateUpgrading }

// event is what can move a session to another state.
type event uint8

const (
	eventAttach         event = iota // the handshake of a new session's WebSocket is done
	eventProbe                       // a WebSocket wants to take over
	eventProbeFailed                 // it closed, made a mistake, or took longer than UpgradeTimeout
	eventUpgrade                     // it sent the upgrade packet
	eventClose                       // a reason to close that the client is to learn on any transport
	eventRelease                     // the server shuts down: the client is to connect again at once
	eventCloseUnheard                // one that no poll comes for: a mistake, silence, a poll given up
	eventCloseDropping               // one that leaves no use for the queue: it is full, or two polls compete for it
	eventReadStopped                 // the reader stops on a working connection: a close packet or a mistake
	eventConnectionLost              // the reader meets the end of the connection, or the client's close frame
	eventQueueEmpty                  // the writer has written everything
	eventWriteFailed                 // the writer could not
	eventWriteTimeout                // the client took nothing for the time of a heartbeat
	eventLastPacket                  // a poll has taken the last packet
	eventExpired                     // nobody waits any longer for that: CloseTimeout is over, or Shutdown's context
	eventEOF                         // the client has closed a half-closed connection, or CloseTimeout is over
	events
)

// effects are what a transition asks for. The first group is done under Session.mu, the second
// without it.
type effects uint16

const (
	effectEnd        effects = 1 << iota // record the reason; the caller has Handler.Closed called
	effectDropQueue                      // forget what waits to be written
	effectCloseFrame                     // queue the close frame, and bound the rest by CloseTimeout
	effectLastWrite                      // wake the writer, and bound the rest by CloseTimeout
	effectHurryProbe                     // leave a probing WebSocket CloseTimeout for its upgrade packet
	effectWakePoll                       // have the waiting poll answered
	effectLinger                         // have the heartbeat report eventExpired after CloseTimeout
	effectForget                         // free the sid and the place in the limits
	effectHalfClose                      // send TCP's FIN or TLS's alert
	effectCloseConn                      // close the connection, by TLS with an alert
	effectAbort                          // close the connection at once
)

func (fx effects) has(e effects) bool { return fx&e != 0 }

// next is the only place that decides how a session ends. What the table does not list changes
// nothing.
//
//	state         event            next           who acts, and what the client sees
//	opening       attach           webSocket      the request: 101, and the open packet
//	opening       close*           closed         the request: 101, then a close frame
//	polling       probe            upgrading      the WebSocket's goroutine: 101
//	upgrading     probe failed     polling        the WebSocket's goroutine: it closes; polls go on
//	upgrading     upgrade          webSocket      the WebSocket's goroutine: the queue comes by it
//	polling       close            lingering      the poll: the queue, and then a close packet; a
//	                                              noop to a client that has closed by POST
//	polling       release          lingering      the poll: the queue, and then 400, unknown sid
//	polling       close dropping   lingering      the poll: a close packet
//	polling       close unheard    closed         the poll: 400, unknown sid
//	upgrading     close*           as polling     ... and the WebSocket closes instead of upgrading
//	lingering     last packet      closed         the poll; the next one: 400, unknown sid
//	lingering     expired          closed         the heartbeat; the next poll: 400, unknown sid
//	webSocket     close*           awaitingClose  the writer: the queue, unless dropped, and a
//	                                              close frame
//	webSocket     release          releasing      the writer: the queue
//	webSocket     read stopped     explaining     the writer: the queue and a close frame
//	webSocket     connection lost  flushing       the writer: the queue and a close frame, which
//	                                              answers the client's if there was one
//	webSocket     write failed     webSocket      the writer: the connection is cut, and the
//	                                              reader will find it lost
//	webSocket     write timeout    closed         the blocked writer: the connection is cut
//	releasing     queue empty      awaitingClose  the writer: TCP's FIN or TLS's alert
//	releasing     read stopped     explaining     as awaitingClose
//	releasing     connection lost  flushing       as awaitingClose
//	awaitingClose read stopped     explaining     the reader, after a mistake or close packet
//	awaitingClose connection lost  flushing       the reader, after the client's close frame, the
//	                                              end of the connection or CloseTimeout
//	flushing      queue empty      closed         the writer or reader: the connection closes
//	explaining    queue empty      awaitingEOF    the writer or reader: TCP's FIN or TLS's alert
//	explaining    EOF              closed         the reader: the connection closes
//	awaitingEOF   EOF              closed         the reader: the connection closes
//
// In releasing, awaitingClose, flushing and explaining, a write that fails or times out cuts the connection:
// closed. close* stands for close, release, close unheard and close dropping; a raw WebSocket, whose
// clients know close codes, takes release for close. The causes of these events:
//
//	Session.Close                             close
//	Drain, Shutdown                           release
//	Session.Close with a ProtocolError        close unheard
//	close packet in a POST                    close
//	close packet on a WebSocket               read stopped
//	no pong in time                           close unheard
//	mistake in a POST, poll given up          close unheard
//	mistake on a WebSocket                    read stopped
//	two polls at a time, queue full           close dropping
//	close frame, connection reset or closed   connection lost
//	deadline of a blocked write               write timeout
//	end of Shutdown's context                 expired, and connection lost: WebSockets are cut
func (s state) next(e event) (state, effects) {
	switch s {
	case stateOpening:
		return s.nextOpening(e)
	case statePolling:
		if e == eventProbe {
			return stateUpgrading, 0
		}
		return s.nextPolling(e)
	case stateUpgrading:
		switch e {
		case eventProbeFailed:
			return statePolling, 0
		case eventUpgrade:
			return stateWebSocket, 0
		}
		next, fx := s.nextPolling(e)
		if next != s {
			fx |= effectHurryProbe
		}
		return next, fx
	case stateWebSocket:
		return s.nextWebSocket(e)
	case stateLingering:
		if e == eventLastPacket || e == eventExpired {
			return stateClosed, effectForget
		}
	case stateReleasing, stateAwaitingClose, stateFlushing, stateExplaining, stateAwaitingEOF:
		return s.nextClosing(e)
	}
	return s, 0
}

func (s state) nextOpening(e event) (state, effects) {
	switch e {
	case eventAttach:
		return stateWebSocket, 0
	case eventClose, eventRelease, eventCloseUnheard, eventCloseDropping:
		return stateClosed, effectEnd | effectDropQueue | effectForget
	}
	return s, 0
}

func (s state) nextPolling(e event) (state, effects) {
	switch e {
	case eventClose, eventRelease:
		return stateLingering, effectEnd | effectLinger | effectWakePoll
	case eventCloseDropping:
		return stateLingering, effectEnd | effectDropQueue | effectLinger | effectWakePoll
	case eventCloseUnheard:
		return stateClosed, effectEnd | effectDropQueue | effectForget | effectWakePoll
	}
	return s, 0
}

func (s state) nextWebSocket(e event) (state, effects) {
	const end = effectEnd | effectForget
	switch e {
	case eventClose, eventCloseUnheard:
		return stateAwaitingClose, end | effectCloseFrame
	case eventRelease:
		return stateReleasing, end | effectLastWrite
	case eventCloseDropping:
		return stateAwaitingClose, end | effectDropQueue | effectCloseFrame
	case eventReadStopped:
		return stateExplaining, end | effectCloseFrame
	case eventConnectionLost:
		return stateFlushing, end | effectCloseFrame
	case eventWriteFailed: // only the reader knows whether the client sent a close frame before
		return stateWebSocket, effectDropQueue | effectAbort
	case eventWriteTimeout:
		return stateClosed, end | effectDropQueue | effectAbort
	}
	return s, 0
}

// nextClosing is next for a WebSocket whose session is over.
func (s state) nextClosing(e event) (state, effects) {
	switch {
	case s == stateReleasing && e == eventQueueEmpty:
		return stateAwaitingClose, effectHalfClose
	case (s == stateReleasing || s == stateAwaitingClose) && e == eventReadStopped:
		return stateExplaining, 0
	case (s == stateReleasing || s == stateAwaitingClose) && e == eventConnectionLost:
		return stateFlushing, 0
	case s == stateFlushing && e == eventQueueEmpty:
		return stateClosed, effectCloseConn
	case s == stateExplaining && e == eventQueueEmpty:
		return stateAwaitingEOF, effectHalfClose
	case s == stateExplaining && e == eventEOF:
		return stateClosed, effectDropQueue | effectCloseConn
	case s == stateAwaitingEOF && e == eventEOF:
		return stateClosed, effectCloseConn
	case s != stateAwaitingEOF && (e == eventWriteFailed || e == eventWriteTimeout):
		return stateClosed, effectDropQueue | effectAbort
	}
	return s, 0
}

// life is how a session ends: its state, and why.
type life struct {
	current atomic.Uint32 // a state; written under Session.mu, read without
	reason  error         // guarded by Session.mu; nil while the session is not over
}

func (l *life) state() state { return state(l.current.Load()) }

// over reports whether the session has ended for the handler. Without Session.mu it may end right
// afterwards.
func (l *life) over() bool { return l.state().over() }
