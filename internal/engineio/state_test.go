package engineio

import (
	"slices"
	"testing"
)

var stateNames = [states]string{
	"opening",
	"polling",
	"upgrading",
	"webSocket",
	"lingering",
	"releasing",
	"awaitingClose",
	"flushing",
	"explaining",
	"awaitingEOF",
	"closed",
}

var eventNames = [events]string{
	"attach",
	"probe",
	"probe failed",
	"upgrade",
	"close",
	"release",
	"close unheard",
	"close dropping",
	"read stopped",
	"connection lost",
	"queue empty",
	"write failed",
	"write timeout",
	"last packet",
	"expired",
	"EOF",
}

// transitions lists every pair of state and event that does something. All others must do nothing.
var transitions = map[state]map[event]struct {
	next state
	fx   effects
}{
	stateOpening: {
		eventAttach:        {stateWebSocket, 0},
		eventClose:         {stateClosed, effectEnd | effectDropQueue | effectForget},
		eventRelease:       {stateClosed, effectEnd | effectDropQueue | effectForget},
		eventCloseUnheard:  {stateClosed, effectEnd | effectDropQueue | effectForget},
		eventCloseDropping: {stateClosed, effectEnd | effectDropQueue | effectForget},
	},
	statePolling: {
		eventProbe:         {stateUpgrading, 0},
		eventClose:         {stateLingering, effectEnd | effectLinger | effectWakePoll},
		eventRelease:       {stateLingering, effectEnd | effectLinger | effectWakePoll},
		eventCloseUnheard:  {stateClosed, effectEnd | effectDropQueue | effectForget | effectWakePoll},
		eventCloseDropping: {stateLingering, effectEnd | effectDropQueue | effectLinger | effectWakePoll},
	},
	stateUpgrading: {
		eventProbeFailed: {statePolling, 0},
		eventUpgrade:     {stateWebSocket, 0},
		eventClose:       {stateLingering, effectEnd | effectLinger | effectWakePoll | effectHurryProbe},
		eventRelease:     {stateLingering, effectEnd | effectLinger | effectWakePoll | effectHurryProbe},
		eventCloseUnheard: {
			stateClosed,
			effectEnd | effectDropQueue | effectForget | effectWakePoll | effectHurryProbe,
		},
		eventCloseDropping: {
			stateLingering,
			effectEnd | effectDropQueue | effectLinger | effectWakePoll | effectHurryProbe,
		},
	},
	stateWebSocket: {
		eventClose:          {stateAwaitingClose, effectEnd | effectForget | effectCloseFrame},
		eventRelease:        {stateReleasing, effectEnd | effectForget | effectLastWrite},
		eventCloseUnheard:   {stateAwaitingClose, effectEnd | effectForget | effectCloseFrame},
		eventCloseDropping:  {stateAwaitingClose, effectEnd | effectForget | effectCloseFrame | effectDropQueue},
		eventReadStopped:    {stateExplaining, effectEnd | effectForget | effectCloseFrame},
		eventConnectionLost: {stateFlushing, effectEnd | effectForget | effectCloseFrame},
		eventWriteFailed:    {stateWebSocket, effectDropQueue | effectAbort},
		eventWriteTimeout:   {stateClosed, effectEnd | effectForget | effectDropQueue | effectAbort},
	},
	stateLingering: {
		eventLastPacket: {stateClosed, effectForget},
		eventExpired:    {stateClosed, effectForget},
	},
	stateReleasing: {
		eventQueueEmpty:     {stateAwaitingClose, effectHalfClose},
		eventReadStopped:    {stateExplaining, 0},
		eventConnectionLost: {stateFlushing, 0},
		eventWriteFailed:    {stateClosed, effectDropQueue | effectAbort},
		eventWriteTimeout:   {stateClosed, effectDropQueue | effectAbort},
	},
	stateAwaitingClose: {
		eventReadStopped:    {stateExplaining, 0},
		eventConnectionLost: {stateFlushing, 0},
		eventWriteFailed:    {stateClosed, effectDropQueue | effectAbort},
		eventWriteTimeout:   {stateClosed, effectDropQueue | effectAbort},
	},
	stateFlushing: {
		eventQueueEmpty:   {stateClosed, effectCloseConn},
		eventWriteFailed:  {stateClosed, effectDropQueue | effectAbort},
		eventWriteTimeout: {stateClosed, effectDropQueue | effectAbort},
	},
	stateExplaining: {
		eventQueueEmpty:   {stateAwaitingEOF, effectHalfClose},
		eventEOF:          {stateClosed, effectDropQueue | effectCloseConn},
		eventWriteFailed:  {stateClosed, effectDropQueue | effectAbort},
		eventWriteTimeout: {stateClosed, effectDropQueue | effectAbort},
	},
	stateAwaitingEOF: {
		eventEOF: {stateClosed, effectCloseConn},
	},
}

func TestEveryTransition(t *testing.T) {
	for s := range states {
		for e := range events {
			next, fx := s.next(e)
			want, ok := transitions[s][e]
			if !ok {
				want.next = s
			}
			if next != want.next || fx != want.fx {
				t.Errorf("%s, %s: next %s with effects %b, want %s with %b", stateNames[s], eventNames[e],
					stateNames[next], fx, stateNames[want.next], want.fx)
			}
		}
	}
}

// The handler receives one end, the sid is freed once, and no WebSocket stays open, whatever
// happens in whatever order.
func TestEveryPathEndsOnce(t *testing.T) {
	type visit struct {
		state state
		seen  effects
	}
	const webSocketEnd = effectCloseConn | effectAbort
	visited := make(map[visit]bool)
	var walk func(s state, seen effects, path []string)
	walk = func(s state, seen effects, path []string) {
		if visited[visit{s, seen}] {
			return
		}
		visited[visit{s, seen}] = true
		if s == stateClosed && !seen.has(effectForget) {
			t.Errorf("closed with its sid still known, after %q", path)
		}
		for e := range events {
			next, fx := s.next(e)
			switch path := append(slices.Clip(path), eventNames[e]); {
			case fx.has(effectEnd) != (!s.over() && next.over()):
				t.Errorf("%s to %s ends the session: %v, after %q", stateNames[s], stateNames[next],
					fx.has(effectEnd), path)
			case s.over() && !next.over():
				t.Errorf("%s to %s opens a session again, after %q", stateNames[s], stateNames[next], path)
			case fx&seen&(effectEnd|effectForget) != 0:
				t.Errorf("effects %b a second time, after %q", fx&seen, path)
			case next == stateClosed && s != stateClosed && (s == stateWebSocket || s > stateLingering) &&
				fx&webSocketEnd == 0:
				t.Errorf("%s to closed leaves its connection open, after %q", stateNames[s], path)
			case s == stateClosed && (next != s || fx != 0):
				t.Errorf("closed is left for %s with %b, after %q", stateNames[next], fx, path)
			default:
				walk(next, seen|fx, path)
			}
		}
	}
	walk(stateOpening, 0, nil)
	walk(statePolling, 0, nil)
}

// Every state of a closing session is left when the client stays silent: by the heartbeat, the
// reader's deadline or the writer's.
func TestSilenceClosesEveryState(t *testing.T) {
	onSilence := []event{eventExpired, eventConnectionLost, eventWriteTimeout, eventEOF, eventQueueEmpty}
	for s := stateLingering; s < states; s++ {
		now := s
		for range states {
			for _, e := range onSilence {
				now, _ = now.next(e)
			}
		}
		if now != stateClosed {
			t.Errorf("%s ends as %s when the client stays silent", stateNames[s], stateNames[now])
		}
	}
}
