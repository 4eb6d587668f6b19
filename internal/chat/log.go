package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// Entry is one entry of the log.
type Entry = state.Entry

// Rules is the newest version of the rules of the state that this build knows: see state.Rules.
const Rules = state.Rules

// ErrVersion is wrapped by the error of Chat.Restore for a state that another version of this program is needed for.
var ErrVersion = state.ErrVersion

// Log carries the chat's commands to all instances, this one included, in one order for all. It hands each of them to
// Chat.Apply once.
type Log interface {
	// Append queues a command and never waits for the network. The body belongs to the log from then on. An error means
	// that the log has refused it. Append is called with the chat's lock held, and so must not call back.
	Append(body []byte) error

	// AppendFor is Append for a command of an account, which is what clients share the way to the log by, see
	// client.account. Commands of one account keep their order; those of others may go before them. trace is a trace
	// context that the log carries as Entry.Trace; "": none.
	AppendFor(body []byte, account, trace string) error
}

// Span is the time that a request of a client takes: from its arrival until it is refused, or its command has come back
// from the log and was answered.
type Span interface {
	// Trace returns the W3C trace context of the span, to be carried by the log; "": the span is not sampled.
	Trace() string
	// End ends the span. code is that of the refusal; "": none.
	End(code string)
}

// Backplane joins this instance to the others.
type Backplane struct {
	Instance string // this instance's name, as in Entry.Instance
	Log      Log

	// Suspect is called for an instance if one of its users has turned up here, although the user is connected there by
	// the log. It is called with the chat's lock held. Nil: nothing is.
	Suspect func(instance string)

	// Time returns the present time by a clock that is one for all instances. It is called with the chat's lock held.
	// Nil: time.Now.
	Time func() time.Time

	// Unsaved returns why what the log accepts is not saved at present, as a sentence; "" if it is, or if nothing saves
	// it. It reports atRisk if what is accepted now is lost when all instances end, rather than kept by the bus. It is
	// called with the chat's lock held. Nil: it returns "".
	Unsaved func() (why string, atRisk bool)

	// Cluster returns this instance's view of the cluster. It is called with the chat's lock held. Nil: this
	// instance is alone.
	Cluster func() Cluster
}

// Cluster is this instance's view of the cluster.
type Cluster struct {
	Ready     bool          // in sync with the others
	Why       string        // if not ready: the reason as a sentence
	CutOff    bool          // entries appended here do not come back in time
	Latency   time.Duration // of the last entry appended here, out and back
	Instances []Instance    // the members, this one included
}

// Instance is one member of the cluster.
type Instance struct {
	Name  string
	Self  bool
	Heard time.Time // when something from it last arrived here; zero: unknown
}
