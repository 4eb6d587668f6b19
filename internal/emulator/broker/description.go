package broker

import (
	"math"
	"time"
)

// Unlimited is the duration that means "never": the default of DefaultMessageTimeToLive and AutoDeleteOnIdle. The
// service writes it P10675199DT2H48M5.4775807S.
const Unlimited = time.Duration(math.MaxInt64)

// Status says what an entity admits.
type Status int

// The statuses an entity can be given.
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

// ParseStatus returns the status of the given name, letter case included.
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

// AuthorizationRule is a key of an entity or of the namespace.
type AuthorizationRule struct {
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
	Claims       Claims
}

// QueueDescription is what can be chosen about a queue. Start from [DefaultQueue].
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
	ForwardTo                           string // a queue or topic by its name or address ("sb://host/name"); empty means none
	UserMetadata                        string // at most 1024 characters
	AutoDeleteOnIdle                    time.Duration
	EnablePartitioning                  bool   // fixed at creation; kept, without effect on order or numbers
	ForwardDeadLetteredMessagesTo       string // like ForwardTo
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int // 0 means the tier's: 256, or 1024 in Premium
}

// DefaultQueue returns a queue's description with the service's defaults.
func DefaultQueue(name string) QueueDescription {
	return QueueDescription{
		Name: name, LockDuration: time.Minute, MaxSizeInMegabytes: 1024, DefaultMessageTimeToLive: Unlimited,
		DuplicateDetectionHistoryTimeWindow: 10 * time.Minute, MaxDeliveryCount: 10, EnableBatchedOperations: true,
		AutoDeleteOnIdle: Unlimited,
	}
}

// TopicDescription is what can be chosen about a topic. Start from [DefaultTopic].
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
	SupportOrdering                     bool // kept; this broker keeps the order in any case
	AutoDeleteOnIdle                    time.Duration
	EnablePartitioning                  bool // fixed at creation; kept, without effect on order or numbers
	EnableSubscriptionPartitioning      bool
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int // 0 means the tier's: 256, or 1024 in Premium
}

// DefaultTopic returns a topic's description with the service's defaults.
func DefaultTopic(name string) TopicDescription {
	return TopicDescription{
		Name: name, DefaultMessageTimeToLive: Unlimited, MaxSizeInMegabytes: 1024,
		DuplicateDetectionHistoryTimeWindow: 10 * time.Minute, EnableBatchedOperations: true,
		SupportOrdering: true, AutoDeleteOnIdle: Unlimited,
	}
}

// SubscriptionDescription is what can be chosen about a subscription. Start from [DefaultSubscription].
type SubscriptionDescription struct {
	Topic                                     string
	Name                                      string
	LockDuration                              time.Duration // PT5S to PT5M
	RequiresSession                           bool          // fixed at creation
	DefaultMessageTimeToLive                  time.Duration
	DeadLetteringOnMessageExpiration          bool
	DeadLetteringOnFilterEvaluationExceptions bool
	DefaultRule                               *RuleDescription // looked at on creation only; nil means $Default, true
	MaxDeliveryCount                          int
	EnableBatchedOperations                   bool
	Status                                    Status
	ForwardTo                                 string
	UserMetadata                              string
	ForwardDeadLetteredMessagesTo             string
	AutoDeleteOnIdle                          time.Duration
}

// DefaultSubscription returns a subscription's description with the service's defaults.
func DefaultSubscription(topic, name string) SubscriptionDescription {
	return SubscriptionDescription{
		Topic: topic, Name: name, LockDuration: time.Minute, DefaultMessageTimeToLive: Unlimited,
		DeadLetteringOnFilterEvaluationExceptions: true, MaxDeliveryCount: 10, EnableBatchedOperations: true,
		AutoDeleteOnIdle: Unlimited,
	}
}

// Counts are the numbers of messages of an entity by state, taken at one moment.
type Counts struct {
	Active, DeadLetter, Scheduled, Transfer, TransferDeadLetter int64
	// Total is every message of the main queue in any state plus the dead letters, as the service's MessageCount.
	Total int64
	Bytes int64
}

// Times are when an entity was made, last changed by management and last used by a sender or receiver. AccessedAt is
// zero if it never was.
type Times struct {
	CreatedAt, UpdatedAt, AccessedAt time.Time
}

// QueueInfo is a queue with its state.
type QueueInfo struct {
	QueueDescription
	Counts
	Times
}

// TopicInfo is a topic with its state.
type TopicInfo struct {
	TopicDescription
	Counts // of messages held by the topic itself: scheduled ones, and the bytes of all subscriptions, counted once
	Times
	Subscriptions      int
	SQLFilters         int
	CorrelationFilters int
}

// SubscriptionInfo is a subscription with its state.
type SubscriptionInfo struct {
	SubscriptionDescription
	Counts
	Times
}
