package chatcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Line is something that happened in the lobby, as a client was told of it.
type Line struct {
	Kind string // "message", "join", "leave" or "rename"
	ID   string // the same at all clients
	From string // who said it, or whom it is about
	Text string
	At   time.Time // when it was told
	Live bool      // told as it happened, not as something missed
}

// Said is a message of a client's own that was acknowledged.
type Said struct {
	ID   string
	Text string
	At   time.Time     // when it was said first
	Took time.Duration // until the acknowledgement
}

// Record is what a client remembers.
type Record struct {
	Name      string
	Speaks    bool          // has said anything
	Lines     []Line        // in the order told, each once
	Said      []Said        // in the order acknowledged
	Doubled   []Line        // told again
	Resets    int           // times the server could not tell what was missed
	Returns   int           // times it came back after its connection was lost
	Away      time.Duration // the longest that took
	Instances []string      // by which it was served, in order
	Troubles  []string      // what else should not have happened
}

// record is a Record being written. Its client's mutex guards it.
type record struct {
	Record
	seen  map[string]bool // ids of Lines
	heard int             // messages of others among Lines
	since time.Time       // when it went away; zero: it is there, or never was
}

// away takes down that the client has lost its connection.
func (r *record) away(now time.Time) {
	if r.since.IsZero() {
		r.since = now
	}
}

// back takes down that it has its name again.
func (r *record) back(now time.Time) {
	r.Returns++
	if !r.since.IsZero() {
		r.Away = max(r.Away, now.Sub(r.since))
		r.since = time.Time{}
	}
}

// maxTroubles bounds what is remembered of a client that has nothing but troubles.
const maxTroubles = 20

func (r *record) trouble(format string, args ...any) {
	if len(r.Troubles) < maxTroubles {
		r.Troubles = append(r.Troubles, fmt.Sprintf(format, args...))
	}
}

func (r *record) line(l Line, again bool) {
	if r.seen[l.ID] {
		if again {
			r.Doubled = append(r.Doubled, l)
		}
		return
	}
	if r.seen == nil {
		r.seen = make(map[string]bool)
	}
	r.seen[l.ID] = true
	r.Lines = append(r.Lines, l)
	if l.Kind == "message" && l.From != r.Name {
		r.heard++
	}
}

// event takes down one event of the lobby. live is false as long as the server tells what was missed.
func (r *record) event(m received, live bool) error {
	switch m.event {
	case "user message":
		l := Line{Kind: "message", At: time.Now(), Live: live}
		if err := arguments(m.args, &l.From, &l.Text, nil, &l.ID); err != nil {
			return fmt.Errorf("user message: %w", err)
		}
		if l.From == r.Name {
			r.trouble("own message %q came back", l.Text)
		}
		r.line(l, true)
	case "announcement":
		return r.announcement(m.args, live)
	case "history":
		var history struct {
			Messages []struct{ Kind, ID, From, Text string }
			Reset    bool
		}
		if err := arguments(m.args, nil, &history); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if history.Reset {
			r.Resets++
		}
		for _, l := range history.Messages {
			r.line(Line{Kind: l.Kind, ID: l.ID, From: l.From, Text: l.Text, At: time.Now()}, false)
		}
	}
	return nil
}

// announcement takes down that somebody has come or gone or is called otherwise, or each of several who came or went together.
func (r *record) announcement(args []json.RawMessage, live bool) error {
	var meta struct {
		Kind, Name, ID string
		Names, IDs     []string
	}
	l := Line{At: time.Now(), Live: live}
	if err := arguments(args, &l.Text, &meta); err != nil {
		return fmt.Errorf("announcement: %w", err)
	}
	switch {
	case meta.ID == "": // it is for this client alone
		return nil
	case len(meta.Names) != len(meta.IDs):
		return fmt.Errorf("announcement: %d names, %d ids", len(meta.Names), len(meta.IDs))
	case len(meta.Names) == 0:
		meta.Names, meta.IDs = []string{meta.Name}, []string{meta.ID}
	}
	l.Kind = meta.Kind
	for i, name := range meta.Names {
		if len(meta.Names) > 1 && name == r.Name {
			continue // who came with others is told of himself, too
		}
		l.From, l.ID = name, meta.IDs[i]
		r.line(l, true)
	}
	return nil
}

// arguments decodes as many arguments as there are values; one that is nil is not looked at.
func arguments(args []json.RawMessage, values ...any) error {
	if len(args) < len(values) {
		return fmt.Errorf("%d arguments, want %d", len(args), len(values))
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		if err := json.Unmarshal(args[i], v); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	return nil
}

// offset is the place in the log that an event ends with, if it does: a string as last argument.
func offset(args []json.RawMessage) string {
	var id string
	if len(args) == 0 || json.Unmarshal(args[len(args)-1], &id) != nil {
		return ""
	}
	return id
}

func (r *record) copy() Record {
	c := r.Record
	c.Lines, c.Said, c.Doubled = slices.Clone(r.Lines), slices.Clone(r.Said), slices.Clone(r.Doubled)
	c.Instances, c.Troubles = slices.Clone(r.Instances), slices.Clone(r.Troubles)
	return c
}
