package backplane

import (
	"slices"
	"time"
)

// effectKind says what an effect asks for. Some are answered: the caller then gives the protocol that input at once.
type effectKind uint8

const (
	effectApply        effectKind = iota + 1 // call StateMachine.Apply(entry)
	effectGone                               // call StateMachine.Gone(entry, instance)
	effectBegin                              // call StateMachine.Begin(entry)
	effectRaise                              // call StateMachine.Raise(entry, rules)
	effectTakeSnapshot                       // call StateMachine.Snapshot, encode; answer: snapshotTaken
	effectRestore                            // decode, call StateMachine.Restore; answer: restored
	effectCommitted                          // call Local.Committed(entry)
	effectJoined                             // call Local.Joined; answer: joined
	effectProvisional                        // call Local.Provisional(entry.Body)
	effectCutOff                             // call Local.CutOff(cutOff)
	effectLatency                            // call Observer.OwnEntry(latency)
	effectReceiveAgain                       // end the call of Bus.Receive that is under way, and make another
	effectStop                               // end Run with err
	effectRecord                             // call Recorder.Record(record), before all effects of this step
	effectJump                               // call Recorder.Jump(at), likewise
	effectCheckpoint                         // call StateMachine.Snapshot, encode, call Recorder.Checkpoint(at)
	effectLoad                               // call Recorder.Load; answer: loaded
)

// effect is one action that a protocol wants done outside of it. Only the fields that its kind names are set.
type effect struct {
	kind     effectKind
	cutOff   bool
	entry    Entry
	instance string
	rules    uint64
	latency  time.Duration
	snapshot *snapshotRequest
	restore  *restoreRequest
	record   *acceptedEntry
	at       Lineage
	err      error
}

func (p *protocol) effect(e effect) { p.effects = append(p.effects, e) }

// plain reports whether the effects neither are answered nor change what is received.
func plain(effects []effect) bool {
	return !slices.ContainsFunc(effects, func(e effect) bool {
		switch e.kind {
		case effectRecord, effectApply, effectGone, effectRaise, effectCommitted, effectLatency:
			return false
		}
		return true
	})
}

// logLevel is the level of a logRecord.
type logLevel uint8

const (
	levelInfo logLevel = iota
	levelWarn
	levelError
)

// logRecord is a line for the program's own log. Unlike effects, records may be written at any time and
// by any goroutine.
type logRecord struct {
	level   logLevel
	message string
	args    []any // as slog takes them
}

func (p *protocol) logInfo(message string, args ...any) {
	p.records = append(p.records, logRecord{levelInfo, message, args})
}

func (p *protocol) logWarn(message string, args ...any) {
	p.records = append(p.records, logRecord{levelWarn, message, args})
}

func (p *protocol) logError(message string, args ...any) {
	p.records = append(p.records, logRecord{levelError, message, args})
}
