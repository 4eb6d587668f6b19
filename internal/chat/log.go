package chat

import "time"

// Entry is one item of the log as it is applied: flat, so that a log which declares the same struct hands it over by
// conversion. (Instance, Epoch, Number) names it alike on every instance.
type Entry struct {
	Instance string // who appended it
	Epoch    uint64 // the instance's life in which it did
	Number   uint64 // within the epoch
	Time     int64  // when it was appended, by the appending instance's clock, in Unix milliseconds
	Body     []byte // what was given to Append; not modified
}

// Log is what carries the chat's commands to all instances, this one included, in one order for all. It gives them back
// by Chat.Apply, each once.
type Log interface {
	// Append queues a command and never waits for the network. The body belongs to the log afterwards. An error
	// means that it was not taken. Append is called with the chat's lock held, and so must not call back.
	Append(body []byte) error
}

// Backplane is what joins this instance to the others.
type Backplane struct {
	Instance string // this instance's name, as in Entry.Instance
	Log      Log

	// Suspect is told an instance whose user has turned up here although the log says that he is connected there. It is
	// called with the chat's lock held. Nil: nobody is told.
	Suspect func(instance string)

	// Cluster tells how the cluster is seen from here. It is called with the chat's lock held. Nil: this instance is alone.
	Cluster func() Cluster
}

// Cluster is how the instances are seen from here.
type Cluster struct {
	Ready     bool          // in step with the others
	Why       string        // if not ready: the reason as a sentence
	CutOff    bool          // what is appended here does not come back in time
	Latency   time.Duration // of the last entry appended here, out and back
	Instances []Instance    // the members, oneself included
}

// Instance is one member of the cluster.
type Instance struct {
	Name  string
	Self  bool
	Heard time.Time // when something of it last arrived here; zero: unknown
}
