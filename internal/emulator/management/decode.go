package management

import (
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

// content is the content of the entry in a PUT. Elements match without regard to their XML
// namespaces, which clients write in several ways. A missing element means the default.
type content struct {
	Queue        *queueXML        `xml:"QueueDescription"`
	Topic        *topicXML        `xml:"TopicDescription"`
	Subscription *subscriptionXML `xml:"SubscriptionDescription"`
	Rule         *ruleXML         `xml:"RuleDescription"`
}

type queueXML struct {
	LockDuration                        isoDuration
	MaxSizeInMegabytes                  *int
	RequiresDuplicateDetection          bool
	RequiresSession                     bool
	DefaultMessageTimeToLive            isoDuration
	DeadLetteringOnMessageExpiration    bool
	DuplicateDetectionHistoryTimeWindow isoDuration
	MaxDeliveryCount                    *int
	EnableBatchedOperations             *bool
	AuthorizationRules                  []authorizationXML `xml:"AuthorizationRules>AuthorizationRule"`
	Status                              string
	ForwardTo                           string
	UserMetadata                        string
	AutoDeleteOnIdle                    isoDuration
	EnablePartitioning                  bool
	ForwardDeadLetteredMessagesTo       string
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           *int
}

type topicXML struct {
	DefaultMessageTimeToLive            isoDuration
	MaxSizeInMegabytes                  *int
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow isoDuration
	EnableBatchedOperations             *bool
	FilteringMessagesBeforePublishing   bool
	AuthorizationRules                  []authorizationXML `xml:"AuthorizationRules>AuthorizationRule"`
	Status                              string
	UserMetadata                        string
	SupportOrdering                     *bool
	AutoDeleteOnIdle                    isoDuration
	EnablePartitioning                  bool
	EnableSubscriptionPartitioning      bool
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           *int
}

type subscriptionXML struct {
	LockDuration                              isoDuration
	RequiresSession                           bool
	DefaultMessageTimeToLive                  isoDuration
	DeadLetteringOnMessageExpiration          bool
	DeadLetteringOnFilterEvaluationExceptions *bool
	DefaultRuleDescription                    *ruleXML
	MaxDeliveryCount                          *int
	EnableBatchedOperations                   *bool
	Status                                    string
	ForwardTo                                 string
	UserMetadata                              string
	ForwardDeadLetteredMessagesTo             string
	AutoDeleteOnIdle                          isoDuration
}

type authorizationXML struct {
	Rights       []string `xml:"Rights>AccessRights"`
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
}

// isoDuration is a duration of ISO 8601. A missing element is 0, which means not set.
type isoDuration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler for encoding/xml.
func (d *isoDuration) UnmarshalText(text []byte) error {
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return nil
	}
	parsed, err := broker.ParseDuration(trimmed)
	*d = isoDuration(parsed)
	if err == nil && parsed == 0 {
		*d = -1 // an empty element, which is invalid, as opposed to a missing one
	}
	return err
}

// set sets a field of a description if the request has a value.
func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func setDuration(field *time.Duration, value isoDuration) {
	if value != 0 {
		*field = time.Duration(value)
	}
}

// explicit converts a number given as 0, which would mean not set in a description, to one that is refused.
func explicit(n *int) *int {
	if n != nil && *n == 0 {
		refused := -1
		return &refused
	}
	return n
}

func parseStatus(text string) (broker.Status, error) {
	if text == "" {
		return broker.StatusActive, nil
	}
	status, ok := broker.ParseStatus(text)
	if !ok {
		return 0, badRequest("The value '%.50s' of Status is not Active, Disabled, SendDisabled or ReceiveDisabled.",
			text)
	}
	return status, nil
}

// maxAuthorizationRules bounds the authorization rules of one entity ("Service Bus quotas").
const maxAuthorizationRules = 12

func parseAuthorization(list []authorizationXML) ([]broker.AuthorizationRule, error) {
	if len(list) > maxAuthorizationRules {
		return nil, badRequest("An entity may have at most %d authorization rules.", maxAuthorizationRules)
	}
	var rules []broker.AuthorizationRule
	for _, x := range list {
		rule := broker.AuthorizationRule{KeyName: x.KeyName, PrimaryKey: x.PrimaryKey, SecondaryKey: x.SecondaryKey}
		for _, name := range x.Rights {
			known := false
			for _, right := range rights {
				if right.name == name {
					rule.Claims |= right.claims
					known = true
				}
			}
			if !known {
				return nil, badRequest("The right '%.50s' is not Manage, Send or Listen.", name)
			}
		}
		if rule.KeyName == "" || rule.Claims == 0 {
			return nil, badRequest("An authorization rule has no KeyName or no Rights.")
		}
		rules = append(rules, rule)
	}
	return rules, nil
}
