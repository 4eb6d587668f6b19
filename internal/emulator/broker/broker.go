package broker

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Tier selects the limits of a namespace.
type Tier int

// The tiers of Service Bus with messaging features. The zero value is Standard.
const (
	Standard Tier = iota
	Premium
)

func (t Tier) String() string {
	if t == Premium {
		return "Premium"
	}
	return "Standard"
}

// maxMessageSize is the limit of one message in bytes ("Service Bus quotas").
func (t Tier) maxMessageSize() int {
	if t == Premium {
		return 100 << 20
	}
	return 256 << 10
}

func (t Tier) maxBatchSize() int {
	if t == Premium {
		return 1 << 20
	}
	return 256 << 10
}

// Options configure a [Broker]. The zero value is a Standard namespace like that of Microsoft's emulator.
type Options struct {
	Namespace        string // name of the namespace; "sbemulatorns" if empty
	Tier             Tier
	MaxEntities      int                 // queues and topics; 0 means 10,000, the service's limit
	MaxSubscriptions int                 // per topic; 0 means 2,000
	MaxReceivers     int                 // per source; 0 means 5,000
	Keys             []AuthorizationRule // of the namespace; nil means RootManageSharedAccessKey with SAS_KEY_VALUE
	RefuseJWT        bool                // refuse every JWT, as if Entra ID had not issued it

	// Now is the clock by which messages and locks expire; nil means time.Now. Timers run by the system's clock: if Now
	// jumps, what is due meanwhile is noticed at the next use of the entity.
	Now func() time.Time
}

// Broker is one namespace. Its methods may be called from any goroutine.
//
// Lock order, outermost first: changeLog.mu, Broker.mu, Target.mu, Source.mu of an entity, Source.mu of its subqueues.
type Broker struct {
	// immutable
	options Options
	created time.Time
	meter   meter

	background background
	changes    *changeLog // nil without Storage

	mu sync.Mutex
	// mu guards
	queues map[string]*queue // by lower-case name
	topics map[string]*topic
	closed bool
}

type queue struct {
	description QueueDescription // broker.mu guards
	target      *Target
	main        *Source
	activity    *activity
}

type topic struct {
	description TopicDescription // broker.mu guards
	target      *Target
	activity    *activity

	// broker.mu guards
	subs               map[string]*subscription // by lower-case name
	sqlFilters         int
	correlationFilters int
}

// New returns an empty namespace. The caller must Close it, which ends its timers and goroutines.
func New(options Options) *Broker {
	if options.Namespace == "" {
		options.Namespace = "sbemulatorns"
	}
	if options.MaxEntities == 0 {
		options.MaxEntities = 10000
	}
	if options.MaxSubscriptions == 0 {
		options.MaxSubscriptions = 2000
	}
	if options.MaxReceivers == 0 {
		options.MaxReceivers = 5000
	}
	if options.Keys == nil {
		options.Keys = []AuthorizationRule{{KeyName: "RootManageSharedAccessKey", PrimaryKey: "SAS_KEY_VALUE",
			Claims: Manage}}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	b := &Broker{options: options, created: time.Now(), queues: make(map[string]*queue),
		topics: make(map[string]*topic)}
	b.meter.now = b.now
	return b
}

func (b *Broker) now() int64 { return b.options.Now().UnixNano() }

// background counts the goroutines that forward messages and write snapshots, so that Close can wait for them.
type background struct {
	sync.WaitGroup

	mu     sync.Mutex // innermost lock of all
	closed bool
}

// begin registers a goroutine, which must call Done. It reports false if the broker is closed.
func (r *background) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.Add(1)
	}
	return !r.closed
}

func (r *background) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// Namespace returns the name in Options, or its default.
func (b *Broker) Namespace() string { return b.options.Namespace }

// Tier returns the tier in Options.
func (b *Broker) Tier() Tier { return b.options.Tier }

// CreatedAt returns when New was called.
func (b *Broker) CreatedAt() time.Time { return b.created }

// Close deletes every entity, which detaches all senders and receivers, and waits for the broker's goroutines.
//
// The folder of a [Storage] keeps them.
func (b *Broker) Close() {
	b.background.close()
	b.changes.silence()
	b.mu.Lock()
	b.closed = true
	for _, q := range b.queues {
		q.closeLocked()
	}
	for _, t := range b.topics {
		t.closeLocked()
	}
	clear(b.queues)
	clear(b.topics)
	b.mu.Unlock()
	b.background.Wait()
	b.changes.close()
}

// Target returns the queue or topic of the given name, in any letter case, or an error of code [CodeNotFound].
func (b *Broker) Target(name string) (*Target, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := entityKey(name)
	if q := b.queues[key]; q != nil {
		return q.target, nil
	}
	if t := b.topics[key]; t != nil {
		return t.target, nil
	}
	return nil, errNotFound(name)
}

// Source returns the source at an address, in any letter case: "queue" or
// "topic/Subscriptions/name", or either followed by "/$DeadLetterQueue" or
// "/$Transfer/$DeadLetterQueue". A topic itself is not a source: the code is [CodeNotAllowed].
func (b *Broker) Source(address string) (*Source, error) {
	entity, subqueue := splitSubqueue(strings.Trim(address, "/"))
	b.mu.Lock()
	defer b.mu.Unlock()
	var main *Source
	if topicName, subName, ok := splitSubscription(entity); ok {
		if t := b.topics[entityKey(topicName)]; t != nil {
			if sub := t.subs[entityKey(subName)]; sub != nil {
				main = sub.main
			}
		}
	} else if q := b.queues[entityKey(entity)]; q != nil {
		main = q.main
	}
	switch {
	case main == nil && b.topics[entityKey(entity)] != nil:
		return nil, errorf(CodeNotAllowed,
			"The entity '%s' is a topic: messages are received from its subscriptions.", entity)
	case main == nil:
		return nil, errNotFound(address)
	case subqueue == deadLetterQueue:
		return main.deadLetters, nil
	case subqueue == transferDeadLetterQueue:
		return main.transferDeadLetters, nil
	}
	return main, nil
}

// Exists reports whether an address names a queue, topic, subscription or subqueue.
func (b *Broker) Exists(address string) bool {
	if _, err := b.Target(address); err == nil {
		return true
	}
	_, err := b.Source(address)
	return err == nil
}

const (
	deadLetterQueue         = "/$DeadLetterQueue"
	transferDeadLetterQueue = "/$Transfer/$DeadLetterQueue"
	subscriptionsSegment    = "/Subscriptions/"
)

func splitSubqueue(address string) (entity, subqueue string) {
	for _, suffix := range []string{transferDeadLetterQueue, deadLetterQueue} {
		if n := len(address) - len(suffix); n > 0 && strings.EqualFold(address[n:], suffix) {
			return address[:n], suffix
		}
	}
	return address, ""
}

func splitSubscription(entity string) (topic, subscription string, ok bool) {
	i := strings.LastIndex(strings.ToLower(entity), strings.ToLower(subscriptionsSegment))
	if i < 0 || len(strings.ToLower(entity)) != len(entity) {
		return "", "", false
	}
	return entity[:i], entity[i+len(subscriptionsSegment):], true
}

func entityKey(name string) string { return strings.ToLower(strings.Trim(name, "/")) }

// sortedKeys returns the keys of m in ascending order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func errDisabled(path string, status Status) *Error {
	return errorf(CodeEntityDisabled, "Messaging entity '%s' is currently disabled: its status is %s.", path, status)
}
