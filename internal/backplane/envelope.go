package backplane

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// The versions of the format in the package comment that this program writes and reads.
const (
	oldestVersion = 2
	newestVersion = 2

	// requestNeeds is what a reader of a join request must know. An instance of version 1 reads and answers it, so that
	// a newer one that starts beside it ends with ErrVersion, and not the other way round.
	requestNeeds = 1
)

// Kinds of envelope.
const (
	kindLog     = 1 // entries for the log; to all
	kindChunk   = 2 // a part of a snapshot; unicast
	kindMissing = 3 // "your entries from this number on have not come"; unicast
	kindSign    = 4 // a sign of life; to the member that watches the sender, or to all
	kindRefusal = 5 // a join request can't be granted; unicast

	kindCombined = 6 // several encoded envelopes of kindLog; to all
	kindWait     = 7 // "a snapshot for you will be taken"; unicast to several
)

// Kinds of entry. An unknown kind, from a newer version, takes its number and log index and does nothing else.
const (
	entryBody        = 0 // the state machine's; all others are control entries, the protocol's own
	entryHeartbeat   = 1 // a sign of life
	entryJoinRequest = 2 // requests a snapshot at this log index and opens an epoch, as its number 1
	entryBootstrap   = 3 // the same, by an instance that no other answered: if none is in sync, the log begins here
	entryJoined      = 4 // the instance is in sync and can donate snapshots
	entryProbe       = 5 // the named instance owes a sign of life
	entryEvict       = 6 // the named instance leaves, unless more was accepted of it than its evictor had heard
	entryLeave       = 7 // the appending instance leaves
	entryCompare     = 8 // the version vector of the appending instance
	entryConnected   = 9 // whether a client is connected to the appending instance

	entryRaise = 10 // the state machine follows newer rules from here on, if all members know them
	entryAgain = 11 // the state machine's, acknowledged as part of another log, which this one lacks
	entryMark  = 12 // the appending instance takes a snapshot here, for several that join
)

// forState reports whether an entry of a kind is the state machine's.
func forState(kind uint8) bool { return kind == entryBody || kind == entryAgain }

// Limits of decoding. A body's length bounds all the rest: CBOR is checked to be well-formed before anything is
// allocated for it.
const (
	maxItems   = 1 << 17
	maxMembers = 1 << 12
	maxChunks  = 1 << 16
	maxMap     = 64
	maxNesting = 8
)

// item is an entry as it travels. Its number in the sender's epoch follows from the envelope's first.
// Seq is its number in the life of the sender's process. An entry that is published again in a later
// epoch keeps it.
type item struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	Seq  uint64
	Time int64 // Unix milliseconds at Append
	Body []byte
}

// envelope is the body of one message on the bus.
type envelope struct {
	Version uint      `cbor:"1,keyasint"`
	Needs   uint      `cbor:"2,keyasint"` // least version that a reader must know
	Kind    uint8     `cbor:"3,keyasint"`
	From    string    `cbor:"4,keyasint"`
	Epoch   uint64    `cbor:"5,keyasint"`
	First   uint64    `cbor:"6,keyasint,omitempty"`  // number of the first item; kindMissing: first number missed
	Items   []item    `cbor:"7,keyasint,omitempty"`  // kindLog
	Cluster clusterID `cbor:"8,keyasint"`            // zero with Index
	Index   uint64    `cbor:"9,keyasint,omitempty"`  // log index of the sender when it sealed this; 0: out of sync
	Hash    uint64    `cbor:"10,keyasint,omitempty"` // over the ids of the entries up to there, in order
	Chunk   *chunk    `cbor:"11,keyasint,omitempty"`
	To      string    `cbor:"12,keyasint,omitempty"` // unicast: the receiver's name, for a bus that doesn't filter
	Refusal *refusal  `cbor:"13,keyasint,omitempty"`
	Parts   [][]byte  `cbor:"14,keyasint,omitempty"` // kindCombined; empty to say only that there is a combiner
	Kept    uint64    `cbor:"15,keyasint,omitempty"` // log index up to which the archivist says that all is stored

	Traces map[uint]string `cbor:"16,keyasint,omitempty"` // kindLog: trace contexts, by the index of their item

	Trouble Trouble `cbor:"17,keyasint,omitempty"` // of the storage, as the archivist says

	Receivers []receiver `cbor:"18,keyasint,omitempty"` // kindChunk, kindWait: several; To is the first of them

	parts []*envelope // Parts, decoded
}

// receiver is an instance that joins, and is answered together with others.
type receiver struct {
	_        struct{} `cbor:",toarray"`
	Instance string
	Epoch    uint64 // of its join request
}

// answers returns the epoch of the join request of an instance that the envelope answers. It reports false if it is not
// for that instance.
func (e *envelope) answers(instance string) (epoch uint64, ok bool) {
	for _, r := range e.Receivers {
		if r.Instance == instance {
			return r.Epoch, true
		}
	}
	if e.To != instance || len(e.Receivers) > 0 || e.Chunk == nil {
		return 0, false
	}
	return e.Chunk.Epoch, true
}

// chunk is one part of a snapshot.
type chunk struct {
	Epoch uint64 `cbor:"1,keyasint"` // the requester's: it names the join request that this answers
	Index uint   `cbor:"2,keyasint"`
	Count uint   `cbor:"3,keyasint"`
	Data  []byte `cbor:"4,keyasint"`
	Mark  uint64 `cbor:"5,keyasint,omitempty"` // number of the sender's entry with the snapshot's index; 0: the request
}

// control is the body of a control entry; each kind uses some fields.
type control struct {
	// Join request, bootstrap.
	Start    uint64 `cbor:"1,keyasint,omitempty"` // first epoch of the requesting process
	Base     uint64 `cbor:"2,keyasint,omitempty"` // epoch in which it was last in sync; 0: never
	BaseNext uint64 `cbor:"3,keyasint,omitempty"` // how far its own entries of that epoch had come back
	Attempt  uint64 `cbor:"4,keyasint,omitempty"` // from 1; chooses the donor
	Reads    uint   `cbor:"5,keyasint,omitempty"` // newest version that it reads and writes

	// Probe, evict.
	Instance string `cbor:"6,keyasint,omitempty"`
	Epoch    uint64 `cbor:"7,keyasint,omitempty"`
	Next     uint64 `cbor:"8,keyasint,omitempty"` // evict: void if more than this has been accepted of the instance

	// Compare.
	Vector []vectorEntry `cbor:"9,keyasint,omitempty"`

	// Join request, bootstrap.
	Cluster clusterID `cbor:"10,keyasint"`           // of the state that the requester has; zero with Index
	Index   uint64    `cbor:"11,keyasint,omitempty"` // log index of that state; 0: it has none

	// Connected.
	Connected bool `cbor:"12,keyasint,omitempty"`
	// Join request, bootstrap: the newest rules that the requester knows. Raise: the rules to follow.
	Rules uint64 `cbor:"13,keyasint,omitempty"`
	// Join request, bootstrap: the logs that the state followed before Cluster. Heartbeat: those of the sender.
	Parents lineage `cbor:"14,keyasint,omitempty"`
	// Join request, bootstrap: the rules that the requester's state follows.
	StateRules uint64 `cbor:"15,keyasint,omitempty"`
	// Join request, bootstrap: the requester has a store.
	Stores bool `cbor:"16,keyasint,omitempty"`
	// Join request, bootstrap: the requester takes a snapshot that is sent to others as well.
	Shares bool `cbor:"18,keyasint,omitempty"`
	// Join request, bootstrap: the requester has loaded its state, and has followed no log with it.
	Loaded bool `cbor:"17,keyasint,omitempty"`
}

// lineage is the history of the state that a join request or a heartbeat names.
func (c *control) lineage() lineage {
	if c.Index == 0 {
		return nil
	}
	return append(c.Parents[:len(c.Parents):len(c.Parents)], branch{Cluster: c.Cluster, Index: c.Index})
}

// vectorEntry says how far an instance's entries were followed.
type vectorEntry struct {
	_        struct{} `cbor:",toarray"`
	Instance string
	Epoch    uint64
	Next     uint64
}

// snapshot is what the chunks add up to: log state and state machine's bytes at one log index.
type snapshot struct {
	Cluster clusterID `cbor:"1,keyasint"`
	Index   uint64    `cbor:"2,keyasint"`
	Hash    uint64    `cbor:"3,keyasint"`
	Records []record  `cbor:"4,keyasint"`
	State   []byte    `cbor:"5,keyasint"`
	Parents lineage   `cbor:"6,keyasint,omitempty"`
	Rules   uint64    `cbor:"7,keyasint"`
	Loaded  bool      `cbor:"8,keyasint,omitempty"`
}

var (
	// ErrVersion is wrapped by the error of Run when only another version of this program can follow the log: a newer
	// one has written it in a format, or has raised it to rules, that this one does not know, or an earlier one follows
	// it. A newer version does so only once all older instances have left the cluster. A state machine's Restore
	// returns it for a snapshot of another version.
	ErrVersion   = errors.New("another version of this program is needed")
	errMalformed = errors.New("backplane: malformed envelope")
)

var encoder = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // fixed options
	}
	return mode
}()

func decoder(maxArray int) cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxArrayElements: maxArray,
		MaxMapPairs:      maxMap,
		MaxNestedLevels:  maxNesting,
	}.DecMode()
	if err != nil {
		panic(err) // fixed options
	}
	return mode
}

var (
	envelopeDecoder = decoder(maxItems)
	memberDecoder   = decoder(maxMembers)
)

// contain makes an error of a panic: no body may end the instances that read it.
func contain(what string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %s: panic: %v", errMalformed, what, r)
	}
}

func (e *envelope) encode() ([]byte, error) {
	if e.isPlain() {
		return e.encodePlain(), nil
	}
	return e.encodeAny()
}

// encodeAny is encode by package cbor.
func (e *envelope) encodeAny() ([]byte, error) {
	body, err := encoder.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return body, nil
}

// decodeEnvelope returns an error that wraps ErrVersion for an envelope that needs a newer reader, and
// one that wraps errMalformed for any other body that is no envelope. The result shares no memory with
// body.
func decodeEnvelope(body []byte) (e *envelope, err error) {
	defer contain("envelope", &err)
	if e, plain := decodePlain(body); plain && e.invalid() == "" {
		return e, nil
	}
	return decodeAny(body)
}

// decodeAny is decodeEnvelope by package cbor.
func decodeAny(body []byte) (*envelope, error) {
	e := new(envelope)
	if err := envelopeDecoder.Unmarshal(body, e); err != nil {
		// A newer version may have changed anything but the first two fields.
		var head struct {
			Version uint `cbor:"1,keyasint"`
			Needs   uint `cbor:"2,keyasint"`
		}
		if envelopeDecoder.Unmarshal(body, &head) == nil && head.Needs > newestVersion {
			return nil, fmt.Errorf("envelope of version %d: %w", head.Version, ErrVersion)
		}
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if e.Needs > newestVersion {
		return nil, fmt.Errorf("envelope of version %d: %w", e.Version, ErrVersion)
	}
	if reason := e.invalid(); reason != "" {
		return nil, fmt.Errorf("%w: %s", errMalformed, reason)
	}
	if e.Kind == kindCombined {
		return e, e.decodeParts()
	}
	return e, nil
}

func (e *envelope) decodeParts() error {
	e.parts = make([]*envelope, len(e.Parts))
	for i, body := range e.Parts {
		part, plain := decodePlain(body)
		if !plain {
			part = new(envelope)
			if err := envelopeDecoder.Unmarshal(body, part); err != nil {
				return fmt.Errorf("%w: part: %w", errMalformed, err)
			}
		}
		if part.Needs > newestVersion {
			return fmt.Errorf("part of version %d: %w", part.Version, ErrVersion)
		}
		if reason := part.invalid(); reason != "" || part.Kind != kindLog {
			return fmt.Errorf("%w: part: no batch", errMalformed)
		}
		e.parts[i] = part
	}
	return nil
}

func (e *envelope) invalid() string {
	const maxNumber = 1 << 62 // room for adding lengths
	switch {
	case e.Needs == 0 || e.Needs > e.Version:
		return "version out of range"
	case e.From == "" || len(e.From) > MaxInstanceName || len(e.Cluster.Founder) > MaxInstanceName ||
		len(e.To) > MaxInstanceName:
		return "instance name out of range"
	case e.Epoch == 0 || e.Epoch > maxNumber || e.First > maxNumber || e.Index > maxNumber:
		return "number out of range"
	}
	switch e.Kind {
	case kindLog:
		if e.First == 0 || len(e.Items) == 0 {
			return "log envelope without entries"
		}
	case kindChunk:
		if len(e.Receivers) > maxReceivers {
			return "too many receivers"
		}
		if c := e.Chunk; c == nil || c.Count == 0 || c.Count > maxChunks || c.Index >= c.Count || len(c.Data) == 0 {
			return "chunk out of range"
		}
	case kindRefusal:
		if e.Refusal == nil {
			return "refusal without a reason"
		}
	}
	return ""
}

func (c *control) encode() []byte {
	body, err := encoder.Marshal(c)
	if err != nil {
		panic(err) // integers, strings and arrays of these encode always
	}
	return body
}

func decodeControl(body []byte) (c *control, err error) {
	defer contain("entry", &err)
	c = new(control)
	if err := memberDecoder.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("%w: entry: %w", errMalformed, err)
	}
	return c, nil
}

func (s *snapshot) encode() ([]byte, error) {
	body, err := encoder.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return body, nil
}

func decodeSnapshot(body []byte) (s *snapshot, err error) {
	defer contain("snapshot", &err)
	s = new(snapshot)
	if err := memberDecoder.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", errMalformed, err)
	}
	if len(s.Parents) > maxBranches || s.Rules == 0 {
		return nil, fmt.Errorf("%w: snapshot: history or rules out of range", errMalformed)
	}
	for _, r := range s.Records {
		if r.Instance == "" || len(r.Instance) > MaxInstanceName {
			return nil, fmt.Errorf("%w: snapshot: instance name out of range", errMalformed)
		}
	}
	return s, nil
}
