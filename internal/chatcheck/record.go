package chatcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"chatapp/internal/chatclient"
)

// Line is one entry of the lobby's history, as a client received it.
type Line struct {
	Kind string // "message", "join", "leave" or "rename"
	ID   string // the same at all clients
	From string // the user who sent it, or whom it is about
	Text string
	At   time.Time // when it was received
	Live bool      // received as it happened, not as something missed
}

// Sent is a message of a client's own that was acknowledged.
type Sent struct {
	ID   string
	Text string
	At   time.Time     // when it was sent first
	Took time.Duration // until the acknowledgement
}

// Record is what a client has sent and received.
type Record struct {
	Name        string
	Sends       bool          // has sent any message, acknowledged or not
	Lines       []Line        // in the order received, each once
	Sent        []Sent        // in the order acknowledged
	Duplicates  []Line        // received again
	Resets      int           // times the server could not send what was missed
	Reconnects  int           // times the client had its name again after its connection was lost
	Away        time.Duration // the longest time without it
	Instances   []string      // the instances that served the client, in order
	Provisional int           // messages received before the log had them
	Unresolved  []string      // texts of those that neither the log nor a withdrawal has followed
	Problems    []string      // what else should not have happened
}

// record is a Record being written. Its client's mutex guards it.
type record struct {
	Record
	seen     map[string]bool        // ids of Lines
	waiting  map[string]provisional // by client message id
	received int                    // messages of others among Lines
	raw      bool                   // the client speaks the raw protocol
	since    time.Time              // when the client was disconnected; zero: it is connected, or never was
}

// provisional is a message that the log does not have yet.
type provisional struct{ from, text string }

func (r *record) disconnected(now time.Time) {
	if r.since.IsZero() {
		r.since = now
	}
}

// reconnected notes that the client has its name again.
func (r *record) reconnected(now time.Time) {
	r.Reconnects++
	if !r.since.IsZero() {
		r.Away = max(r.Away, now.Sub(r.since))
		r.since = time.Time{}
	}
}

// lobby is the room that everybody is in, and that a Record is about.
const lobby = "lobby"

// maxProblems bounds the memory of a client that has nothing but problems.
const maxProblems = 20

func (r *record) problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// line adds a line. A repeated one counts as a duplicate if the server sent it as an event of its
// own: a history may overlap with what the client has.
func (r *record) line(l Line, event bool) {
	if r.seen[l.ID] {
		if event {
			r.Duplicates = append(r.Duplicates, l)
		}
		return
	}
	if r.seen == nil {
		r.seen = make(map[string]bool)
	}
	r.seen[l.ID] = true
	r.Lines = append(r.Lines, l)
	if l.Kind == "message" && l.From != r.Name {
		r.received++
	}
}

// confirm notes that the log has a message, which resolves the provisional one.
func (r *record) confirm(from, cid string) {
	if r.waiting[cid].from == from {
		delete(r.waiting, cid)
	}
}

// provisional records a message that the log does not have yet.
func (r *record) provisional(m chatclient.Message) error {
	var p provisional
	var meta struct{ Key, Room string }
	if err := decode(m.Args, &p.from, &p.text, &meta); err != nil {
		return fmt.Errorf("provisional: %w", err)
	}
	if meta.Room != lobby {
		return nil
	}
	r.Provisional++
	if r.waiting == nil {
		r.waiting = make(map[string]provisional)
	}
	r.waiting[meta.Key] = p
	return nil
}

// event records one event of the lobby. live is false until the server has sent what was missed.
func (r *record) event(m chatclient.Message, live bool) error {
	switch m.Event {
	case "user message":
		l := Line{Kind: "message", At: time.Now(), Live: live}
		var meta struct{ CID, Replaces string }
		if err := decode(m.Args, &l.From, &l.Text, &meta, &l.ID); err != nil {
			return fmt.Errorf("user message: %w", err)
		}
		r.confirm(l.From, meta.CID)
		delete(r.waiting, meta.Replaces)
		if l.From != r.Name {
			r.line(l, true)
		} else if !r.raw || r.Reconnects == 0 {
			// After a reconnect without a pid the server takes the client for one that has not seen these.
			r.problem("received its own message %q", l.Text)
		}
	case "provisional":
		return r.provisional(m)
	case "withdrawn":
		var withdrawn struct{ Key string }
		if err := decode(m.Args, &withdrawn); err != nil {
			return fmt.Errorf("withdrawn: %w", err)
		}
		delete(r.waiting, withdrawn.Key)
	case "announcement":
		return r.announcement(m.Args, live)
	case "history":
		var history struct {
			Messages []struct{ Kind, ID, From, Text, CID string }
			Reset    bool
		}
		if err := decode(m.Args, nil, &history); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if history.Reset {
			r.Resets++
		}
		for _, l := range history.Messages {
			r.confirm(l.From, l.CID)
			r.line(Line{Kind: l.Kind, ID: l.ID, From: l.From, Text: l.Text, At: time.Now()}, false)
		}
	}
	return nil
}

// announcement records that users have joined or left, or that one has another name. Several users
// who joined or left at about the same time share one announcement.
func (r *record) announcement(args []json.RawMessage, live bool) error {
	var meta struct {
		Kind, Name, ID string
		Names, IDs     []string
	}
	l := Line{At: time.Now(), Live: live}
	if err := decode(args, &l.Text, &meta); err != nil {
		return fmt.Errorf("announcement: %w", err)
	}
	switch {
	case meta.ID == "": // for this client alone, and not part of the history
		return nil
	case len(meta.Names) != len(meta.IDs):
		return fmt.Errorf("announcement: %d names, %d ids", len(meta.Names), len(meta.IDs))
	case len(meta.Names) == 0:
		meta.Names, meta.IDs = []string{meta.Name}, []string{meta.ID}
	}
	l.Kind = meta.Kind
	for i, name := range meta.Names {
		if len(meta.Names) > 1 && name == r.Name {
			continue // a shared announcement names the receiver, too
		}
		l.From, l.ID = name, meta.IDs[i]
		r.line(l, true)
	}
	return nil
}

func (r *record) copy() Record {
	c := r.Record
	c.Lines, c.Sent, c.Duplicates = slices.Clone(r.Lines), slices.Clone(r.Sent), slices.Clone(r.Duplicates)
	c.Instances, c.Problems = slices.Clone(r.Instances), slices.Clone(r.Problems)
	for _, p := range r.waiting {
		c.Unresolved = append(c.Unresolved, p.from+": "+p.text)
	}
	return c
}
