package backplane

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Replay takes what a Recorder has kept, and has the node's state machine apply it. It is valid during the call of
// Recorder.Load. After an error it is of no use any more: what is kept can't be read.
//
// What was kept passes through the same code as what the bus delivers, on a protocol of its own that sends nothing. So
// log state and state machine come out as they were.
type Replay struct {
	node     *Node
	protocol *protocol
	now      time.Time
	early    []*envelope // of messages: entries before theirs are missing
	held     []*envelope // likewise: behind the index at which the next log begins
	gaps     int         // bridged
}

func (n *Node) newReplay() *Replay {
	config := n.protocol.config
	config.instance, config.observesOwn, config.recording = "", false, false
	return &Replay{node: n, protocol: newProtocol(config), now: time.Now()}
}

// Checkpoint restores the state from a checkpoint.
func (r *Replay) Checkpoint(body []byte) error {
	s, err := unpackSnapshot([][]byte{body}, r.node.options.MaxState)
	if err != nil {
		return err
	}
	if err := r.known(s.Rules); err != nil {
		return err
	}
	r.node.mu.Lock()
	r.node.protocol.loses()
	r.node.mu.Unlock()
	if err := r.node.state.Restore(s.State); err != nil {
		return fmt.Errorf("restore state from checkpoint: %w", err)
	}
	r.protocol.log = restoreLogState(s)
	return nil
}

// known returns an error for rules that this build does not know.
func (r *Replay) known(rules uint64) error {
	if rules <= r.node.options.Rules {
		return nil
	}
	return fmt.Errorf("the log that is kept follows version %d of the rules, this build knows version %d: "+
		"run the newer build: %w", rules, r.node.options.Rules, ErrVersion)
}

// Entry applies the next entry behind the checkpoint, or behind the entry before.
func (r *Replay) Entry(index uint64, body []byte) error {
	s, err := decodeStored(body)
	if err != nil {
		return err
	}
	p := r.protocol
	if p.log == nil {
		return fmt.Errorf("kept entry %d: there is no checkpoint before it", index)
	}
	e := &envelope{Kind: kindLog, From: s.From, Epoch: s.Epoch, First: s.Number,
		Items: []item{{Kind: s.Kind, Seq: s.Seq, Time: s.Time, Body: s.Body}}}
	if s.Begins {
		request, err := decodeControl(s.Body)
		if err == nil && !p.begin(e, request, s.Time) {
			err = errors.New("its instance is not admitted")
		}
		if err != nil {
			return fmt.Errorf("kept entry %d begins a log: %w", index, err)
		}
	} else {
		p.follow(r.now, e)
	}
	if p.log.index != index {
		return fmt.Errorf("kept entry %d: it leads to log index %d", index, p.log.index)
	}
	r.perform()
	return nil
}

// Messages follows messages that the bus has kept beside the entries, in the order in which they were published. It
// applies what of them was not applied, and has the Recorder record that. It returns how many bodies are of no use,
// which is no reason to stop. It is called once, behind the entries, and Bridge behind it.
func (r *Replay) Messages(bodies [][]byte) (useless int, err error) {
	if r.protocol.log == nil {
		return 0, errors.New("backplane: messages without a checkpoint before them")
	}
	var batches []*envelope
	for _, body := range bodies {
		e, err := decodeEnvelope(body)
		switch {
		case errors.Is(err, ErrVersion):
			return useless, err
		case err != nil:
			useless++
		case e.Kind == kindLog:
			batches = append(batches, e)
		case e.Kind == kindCombined:
			batches = append(batches, e.parts...)
		}
	}
	begins := beginnings(batches)
	for n, e := range batches {
		if len(begins) > 0 && begins[0].at == n {
			begins = begins[1:]
			if r.begin(e) {
				r.held = nil // no part of the log that begins here
				continue
			}
			held := r.held
			r.held = nil
			for _, e := range held {
				r.follow(e, r.limit(begins))
			}
		}
		r.follow(e, r.limit(begins))
	}
	return useless, nil
}

// beginning is a request to bootstrap that has led to a log which somebody has followed.
type beginning struct {
	at      int       // index of its batch
	cluster clusterID // log of the state that the log begins with; see index
	index   uint64    // log index of that state
}

func beginnings(batches []*envelope) (all []beginning) {
	begun := make(map[clusterID]bool)
	for _, e := range batches {
		begun[e.Cluster] = begun[e.Cluster] || e.Index > 0
	}
	for n, e := range batches {
		id, it := clusterID{Stamp: e.Epoch, Founder: e.From}, &e.Items[0]
		if e.First == 1 && it.Kind == entryBootstrap && begun[id] {
			if request, err := decodeControl(it.Body); err == nil {
				all = append(all, beginning{n, request.Cluster, request.Index})
			}
		}
	}
	return all
}

// limit is the log index up to which the present log is to be followed, if the next one that begins does so with a
// state of this one. The instance that begins it has read the archive before that had what comes in between.
func (r *Replay) limit(begins []beginning) uint64 {
	if len(begins) > 0 {
		if next, log := &begins[0], r.protocol.log; next.cluster == log.cluster && next.index >= log.index {
			return next.index
		}
	}
	return math.MaxUint64
}

// begin begins a log at a request that has led to one. It reports false if the log state does not admit it.
func (r *Replay) begin(e *envelope) bool {
	p, it := r.protocol, &e.Items[0]
	id := clusterID{Stamp: e.Epoch, Founder: e.From}
	if p.log.lineage().follows(id) {
		return false
	}
	if known := p.log.records[e.From]; known != nil && known.Epoch >= e.Epoch {
		return false
	}
	request, err := decodeControl(it.Body)
	if err != nil || request.Rules < p.log.rules {
		return false
	}
	if request.Cluster == p.log.cluster && p.log.index < request.Index {
		r.bridge() // as the instance that begins the log has done
	}
	p.recording = true
	p.begin(e, request, it.Time)
	p.recording = false
	r.node.record(p.effects)
	r.perform()
	return true
}

// maxEarly bounds the messages kept in case that entries before theirs never come.
const maxEarly = 1 << 14

// follow follows a batch up to a log index, and holds the rest.
func (r *Replay) follow(e *envelope, limit uint64) {
	p := r.protocol
	quiet := *e
	quiet.Index, quiet.Hash, quiet.Traces = 0, 0, nil // nobody is there to compare with
	for p.log.index < limit && uint64(len(quiet.Items)) > limit-p.log.index {
		one, rest := quiet, quiet
		one.Items = quiet.Items[:1]
		rest.First, rest.Items = quiet.First+1, quiet.Items[1:]
		r.followAll(&one)
		quiet = rest
	}
	if p.log.index >= limit {
		r.held = append(r.held, &quiet)
		return
	}
	r.followAll(&quiet)
}

func (r *Replay) followAll(e *envelope) {
	p := r.protocol
	p.recording = true
	p.follow(r.now, e)
	p.recording = false
	if from := p.log.records[e.From]; from != nil && !from.Gone && from.Epoch == e.Epoch &&
		from.Next < e.First+uint64(len(e.Items)) && len(r.early) < maxEarly {
		r.early = append(r.early, e)
	}
	r.node.record(p.effects)
	r.perform()
}

// Bridge ends the messages. Where entries are missing that none of them had, it goes on behind the gap. It returns how
// many gaps it has bridged: what was missing there is lost.
func (r *Replay) Bridge() (gaps int) {
	r.bridge()
	if r.gaps > 0 {
		r.node.options.Recorder.Jump(r.protocol.log.position()) // the entries alone don't lead there
	}
	return r.gaps
}

// bridge goes on behind the gaps of the messages up to now.
func (r *Replay) bridge() {
	p := r.protocol
	early := r.early
	r.early = nil
	for _, e := range early {
		rec := p.log.records[e.From]
		if rec == nil || rec.Gone || rec.Epoch != e.Epoch {
			continue
		}
		if rec.Next < e.First {
			rec.Next = e.First
			r.gaps++
		}
		r.followAll(e)
	}
}

// Position returns how far the replay has come.
func (r *Replay) Position() Lineage {
	if r.protocol.log == nil {
		return nil
	}
	return r.protocol.log.position()
}

// perform has the state machine apply what was followed, up to where the log follows rules that this build does not
// know. All other effects concern an instance in the cluster.
func (r *Replay) perform() {
	p := r.protocol
	for i := range p.effects {
		if r.known(p.log.rules) != nil {
			break // load returns the error
		}
		switch e := &p.effects[i]; e.kind {
		case effectApply, effectGone, effectBegin, effectRaise:
			if err := r.node.apply(e); err != nil {
				r.node.skipped(e, err)
			}
		}
	}
	clear(p.effects)
	p.effects, p.records = p.effects[:0], nil
	p.outbox = newOutbox(p.MaxKept)
	p.consistency.rejoinReason = ""
	clear(p.membership.suspects)
}

// load has the Recorder give back what it has kept.
func (n *Node) load(ctx context.Context) {
	r := n.newReplay()
	err := n.options.Recorder.Load(ctx, r)
	if err == nil && r.protocol.log != nil {
		err = r.known(r.protocol.log.rules) // an entry or a message has raised them
	}
	n.mu.Lock()
	defer n.unlock()
	n.protocol.loaded(time.Now(), r.protocol.log, err)
}
