package broker

import (
	"math"
	"time"
)

// Unlimited means never. It is the default of DefaultMessageTimeToLive and AutoDeleteOnIdle. The service writes it as
// P10675199DT2H48M5.4775807S.
const Unlimited = time.Duration(math.MaxInt64)

// Status controls which operations an entity accepts.
type Status int

// The statuses of an entity. The zero value is StatusActive.
const (
	StatusActive          Status = iota
	StatusDisabled               // neither sending nor receiving
	StatusSendDisabled           // receiving only
	StatusReceiveDisabled        // sending only
)

var statusNames = [...]string{"Active", "Disabled", "SendDisabled", "ReceiveDisabled"}

func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "Unknown"
	}
	return statusNames[s]
}

// ParseStatus returns the status with that name. Letter case matters.
func ParseStatus(name string) (Status, bool) {
	for i, n := range statusNames {
		if n == name {
			return Status(i), true
		}
	}
	return 0, false
}

func (s Status) admitsSend() bool    { return s == StatusActive || s == StatusReceiveDisabled }
func (s Status) admitsReceive() bool { return s == StatusActive || s == StatusSendDisabled }

// under returns the status of a subscription with status s of a topic: a topic that is disabled for receiving disables
// its subscriptions ("EntityStatus Enumeration").
func (s Status) under(topic Status) Status {
	if topic.admitsReceive() || s == StatusDisabled {
		return s
	}
	return topic
}

// AuthorizationRule holds the keys of an entity or of the namespace and the rights that they give.
// An empty SecondaryKey is no key.
type AuthorizationRule struct {
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
	Claims       Claims
}

// QueueDescription configures a queue. Most zero fields mean the default; start from [DefaultQueue].
type QueueDescription struct {
	Name                                string
	LockDuration                        time.Duration // PT5S to PT5M
	MaxSizeInMegabytes                  int
	RequiresDuplicateDetection          bool // fixed at creation
	RequiresSession                     bool // fixed at creation
	DefaultMessageTimeToLive            time.Duration
	DeadLetteringOnMessageExpiration    bool
	DuplicateDetectionHistoryTimeWindow time.Duration
	MaxDeliveryCount                    int
	EnableBatchedOperations             bool
	AuthorizationRules                  []AuthorizationRule
	Status                              Status
	// name or address ("sb://host/name") of a queue or topic; empty means none
	ForwardTo                     string
	UserMetadata                  string // at most 1024 characters
	AutoDeleteOnIdle              time.Duration
	EnablePartitioning            bool   // fixed at creation; stored, without effect on order or numbers
	ForwardDeadLetteredMessagesTo string // like ForwardTo
	EnableExpress                 bool
	MaxMessageSizeInKilobytes     int // 0 means the tier's: 256, or 1024 in Premium
}

// DefaultQueue returns the description of a queue with the service's defaults.
func DefaultQueue(name string) QueueDescription {
	return QueueDescription{
		Name: name, LockDuration: time.Minute, MaxSizeInMegabytes: 1024, DefaultMessageTimeToLive: Unlimited,
		DuplicateDetectionHistoryTimeWindow: 10 * time.Minute, MaxDeliveryCount: 10, EnableBatchedOperations: true,
		AutoDeleteOnIdle: Unlimited,
	}
}

// TopicDescription configures a topic. Most zero fields mean the default; start from [DefaultTopic].
type TopicDescription struct {
	Name                                string
	DefaultMessageTimeToLive            time.Duration
	MaxSizeInMegabytes                  int
	RequiresDuplicateDetection          bool // fixed at creation
	DuplicateDetectionHistoryTimeWindow time.Duration
	EnableBatchedOperations             bool
	FilteringMessagesBeforePublishing   bool
	AuthorizationRules                  []AuthorizationRule
	Status                              Status
	UserMetadata                        string
	SupportOrdering                     bool // stored; this broker always keeps the order
	AutoDeleteOnIdle                    time.Duration
	EnablePartitioning                  bool // fixed at creation; stored, without effect on order or numbers
	EnableSubscriptionPartitioning      bool
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int // 0 means the tier's: 256, or 1024 in Premium
}

// DefaultTopic returns the description of a topic with the service's defaults.
func DefaultTopic(name string) TopicDescription {
	return TopicDescription{
		Name: name, DefaultMessageTimeToLive: Unlimited, MaxSizeInMegabytes: 1024,
		DuplicateDetectionHistoryTimeWindow: 10 * time.Minute, EnableBatchedOperations: true,
		SupportOrdering: true, AutoDeleteOnIdle: Unlimited,
	}
}

// SubscriptionDescription configures a subscription. Most zero fields mean the default; start from
// [DefaultSubscription].
type SubscriptionDescription struct {
	Topic                                     string
	Name                                      string
	LockDuration                              time.Duration // PT5S to PT5M
	RequiresSession                           bool          // fixed at creation
	DefaultMessageTimeToLive                  time.Duration
	DeadLetteringOnMessageExpiration          bool
	DeadLetteringOnFilterEvaluationExceptions bool
	// read at creation only; nil means $Default with a true filter
	DefaultRule                   *RuleDescription
	MaxDeliveryCount              int
	EnableBatchedOperations       bool
	Status                        Status
	ForwardTo                     string
	UserMetadata                  string
	ForwardDeadLetteredMessagesTo string
	AutoDeleteOnIdle              time.Duration
}

// DefaultSubscription returns the description of a subscription with the service's defaults.
func DefaultSubscription(topic, name string) SubscriptionDescription {
	return SubscriptionDescription{
		Topic: topic, Name: name, LockDuration: time.Minute, DefaultMessageTimeToLive: Unlimited,
		DeadLetteringOnFilterEvaluationExceptions: true, MaxDeliveryCount: 10, EnableBatchedOperations: true,
		AutoDeleteOnIdle: Unlimited,
	}
}

// Counts holds the numbers of messages of an entity by state. Each source of the entity is counted at one moment.
type Counts struct {
	Active, DeadLetter, Scheduled, Transfer, TransferDeadLetter int64
	// Total counts the messages of the main queue in every state and all dead letters, like the service's
	// MessageCount.
	Total int64
	Bytes int64
}

// Times holds when an entity was created, last updated, and last used by a sender or receiver. AccessedAt is zero if it
// was never used.
type Times struct {
	CreatedAt, UpdatedAt, AccessedAt time.Time
}

// QueueInfo is a snapshot of a queue.
type QueueInfo struct {
	QueueDescription
	Counts
	Times
}

// TopicInfo is a snapshot of a topic.
type TopicInfo struct {
	TopicDescription
	Counts // scheduled messages, and the bytes of all subscriptions, counted once per message
	Times
	Subscriptions      int
	SQLFilters         int
	CorrelationFilters int
}

// SubscriptionInfo is a snapshot of a subscription.
type SubscriptionInfo struct {
	SubscriptionDescription
	Counts
	Times
}
