package simulation

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/chat"
	"chatapp/internal/engineio"
	"chatapp/internal/recorder"
	"chatapp/internal/socketio"
	"chatapp/internal/store"
)

// timing shortens what would take a large part of a run.
var timing = backplane.Timing{RaiseAfter: 5 * time.Second, BlindBootstrapAfter: 15 * time.Second}

// instance is one process of the chat, from its start to its end.
type instance struct {
	host     *host
	driver   *backplane.Driver
	chat     *chat.Chat
	sockets  *socketio.Server
	engine   *engineio.Server
	receiver receiver
	reader   reader
	saver    *saver // nil: there is no store
	calls    calls
	closing  bool
	conns    []*engineio.Local
	build    build
	rules    uint64 // that the state follows
	log      int    // see judge.logs
	tick     func() // tickOnce
}

// calls are those of the bus that an instance has under way.
type calls struct{ publishing, managing bool }

func newInstance(h *host) *instance {
	i := &instance{host: h, build: h.build, rules: h.build.rules}
	i.tick, i.receiver.deliverNext = i.tickOnce, i.receiver.deliver
	i.receiver.instance, i.reader.instance = i, i
	i.receiver.subscription = h.world.topic.subscribe(h.name)
	logger := slog.New(&logHandler{world: h.world, who: h.name})
	options := chat.Options{MessageRate: -1, NameHold: h.world.hold, Logger: logger,
		Bounds: chat.Bounds{RoomLines: 1 << 20}}
	switch {
	case h.world.storage != nil:
		i.saver = newSaver(i, recorder.Options{Logger: logger})
	case h.world.folder != nil:
		i.saver = &saver{instance: i, Recorder: recorder.New(recorder.Options{
			Logger: logger, Open: h.world.folder.use, CheckpointEntries: folderEntries,
			Since: func(seq uint64) []store.Line { return i.chat.LinesSince(seq) },
		})}
		i.saver.stepper = recorder.NewStepper(i.saver.Recorder)
	}
	if i.saver != nil {
		options.Recorded = i.saver.Lines
	}
	i.chat = chat.New(options)
	i.sockets = socketio.NewServer(socketio.Options{Recovery: i.chat.Recovery()})
	i.engine = engineio.NewServer(i.sockets, engineio.Options{})
	m := machine{i}
	nodeOptions := backplane.Options{Local: m, Logger: logger,
		Rules:     h.build.rules,
		Timing:    timing,
		Limits:    backplane.Limits{CombineFrom: h.world.gather},
		Wall:      func(now time.Time) time.Time { return now.Add(h.clock) },
		Observer:  backplane.Observer{Skipped: i.skipped},
		Connected: func() bool { return i.engine.Connected() > 0 }}
	if i.saver != nil {
		nodeOptions.Recorder, nodeOptions.Archived = i.saver, i.saver.storage != nil
	}
	i.driver = backplane.NewDriver(bus{h}, m, nodeOptions, i.receiver.receiveAgain)
	node := i.driver.Node()
	i.chat.Attach(i.sockets.Of("/"), chat.Backplane{
		Instance: h.name, Log: node, Suspect: node.Suspect, Cluster: i.cluster,
	})
	return i
}

// cluster is the view that the chat has of the cluster.
func (i *instance) cluster() chat.Cluster {
	s := i.driver.Node().Status()
	view := chat.Cluster{Ready: s.Ready, Why: s.Why, CutOff: s.CutOff, Latency: s.Latency}
	for _, m := range s.Members {
		view.Instances = append(view.Instances, chat.Instance{Name: m.Instance, Self: m.Self, Heard: m.Heard})
	}
	return view
}

func (i *instance) start() {
	i.check(i.driver.Start(context.Background()))
	i.receiver.begin()
	i.host.later(i, backplane.TickEvery, i.tick)
	switch {
	case i.host.world.storage != nil:
		i.host.later(i, saveEvery, i.saver.save)
	case i.host.world.folder != nil:
		i.host.later(i, saveEvery, i.saver.drop)
	}
}

func (i *instance) tickOnce() {
	i.check(i.driver.Tick())
	i.reader.check()
	if i.closing && i.driver.Flushed() {
		i.stopped()
		return
	}
	i.host.later(i, backplane.TickEvery, i.tick)
}

// skipped is called with an entry that can't be applied. Only those are expected that are made for it.
func (i *instance) skipped(e backplane.Entry, err error) {
	if string(e.Body) != string(poison) {
		i.host.world.judge.anomaly(Broken, "%s can't apply an entry of %s: %v", i.host.name, e.Instance, err)
	}
}

// check ends an instance whose node gives up.
func (i *instance) check(err error) {
	if err != nil && i.host.instance == i && !i.outdated(err) {
		i.host.world.judge.anomaly(Broken, "%s ends: %v", i.host.name, err)
		i.host.crash()
	}
}

// stop ends the instance in good order: its node leaves the cluster.
func (i *instance) stop() {
	i.host.world.tell(i.host.name, "shuts down")
	i.closing = true
	i.disconnect()
	i.chat.Close()
	i.check(i.driver.Close())
	i.host.later(i, 5*time.Second, i.stopped)
}

func (i *instance) stopped() {
	h := i.host
	if h.instance != i {
		return
	}
	h.world.tell(h.name, "has shut down")
	h.world.topic.unsubscribe(h.name)
	i.end()
	h.instance = nil
	if h.world.faults.over {
		h.boot()
	}
}

// end takes everything away that the instance has.
func (i *instance) end() {
	i.reader.stop()
	if i.host.world.storage != nil {
		i.saver.stop()
	}
	if f := i.host.world.folder; f != nil {
		f.close()
	}
	i.chat.Close()
	i.disconnect()
	i.sockets.Close()
}

func (i *instance) disconnect() {
	for _, c := range i.conns {
		c.Lose()
	}
	i.conns = nil
}

// ready reports what the readiness probe says.
func (i *instance) ready() bool { return !i.closing && i.driver.Node().Status().Ready }

// inSync reports whether the instance has the state of the log, and its subscription what is to follow.
func (i *instance) inSync() bool {
	return i.receiver.subscription != nil && len(i.driver.Node().Status().Members) > 0
}

// pump publishes the next message, if there is one and none is under way.
func (i *instance) pump() {
	i.evict()
	if i.calls.publishing {
		return
	}
	o, err := i.driver.Next()
	i.check(err)
	if o == nil {
		return
	}
	i.calls.publishing = true
	i.publish(o)
}

// publish sends a message to the topic, which takes a while and may fail in several ways.
func (i *instance) publish(o *backplane.Outgoing) {
	h, w := i.host, i.host.world
	weather := w.topic.weather
	arrives, err := true, error(nil)
	switch {
	case h.link.sendCut && w.chance(0.5):
		h.hang(i, func(arrives bool, err error) { i.published(o, arrives, err) })
		return
	case h.link.sendCut:
		arrives, err = false, errCut
	case w.chance(weather.busy):
		arrives, err = false, backplane.ErrBusy
	case w.chance(weather.failing):
		arrives, err = w.chance(0.5), errCut
	}
	w.after(h.delay(), func() {
		if h.link.sendCut && arrives && err == nil {
			arrives, err = false, errCut
		}
		i.published(o, arrives, err)
	})
}

// published is called when a message has got as far as the topic, or not.
func (i *instance) published(o *backplane.Outgoing, arrives bool, err error) {
	h, w := i.host, i.host.world
	switch {
	case o.Gather && w.topic.queue.missing && arrives:
		arrives, err = false, backplane.ErrNoQueue
	case w.topic.missing && arrives && !o.Gather:
		arrives, err = false, errMissing
	}
	switch {
	case arrives && o.Gather:
		w.topic.queue.put(o.Body, h.delay())
	case arrives:
		w.topic.put(o.Message)
	}
	h.later(i, h.delay(), func() {
		next := func() {
			i.calls.publishing = false
			i.pump()
		}
		if pause := i.driver.Published(o, err); pause > 0 {
			h.later(i, pause, next)
		} else {
			next()
		}
	})
}

func (i *instance) evict() {
	if i.calls.managing {
		return
	}
	if pause := i.driver.Manage(context.Background()); pause > 0 {
		i.calls.managing = true
		i.host.later(i, pause, func() {
			i.calls.managing = false
			i.evict()
		})
	}
}

// open connects a user.
func (i *instance) open() (*engineio.Local, error) {
	if i.closing {
		return nil, errors.New("shutting down")
	}
	c, err := i.engine.OpenLocal(engineio.V4)
	if err == nil {
		i.conns = append(i.conns, c)
	}
	return c, err
}
