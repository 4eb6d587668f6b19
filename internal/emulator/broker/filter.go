package broker

import "time"

// DefaultRuleName is the name of the rule that a new subscription has.
const DefaultRuleName = "$Default"

// RuleDescription describes a rule of a subscription: which messages match, and how the action changes their copies.
type RuleDescription struct {
	Name      string // at most 50 characters
	Filter    Filter // nil means TrueFilter
	Action    string // SQL rule action; empty means none
	CreatedAt time.Time
	// ActionParameters holds the values of the @names in Action.
	ActionParameters map[string]any
}

// Filter is one of [TrueFilter], [FalseFilter], [SQLFilter] and [CorrelationFilter].
type Filter interface{ filter() }

// TrueFilter matches every message.
type TrueFilter struct{}

// FalseFilter matches no message.
type FalseFilter struct{}

// SQLFilter matches messages for which the condition is true. An unknown condition does not match.
type SQLFilter struct {
	Expression string // at most 1024 characters
	Parameters map[string]any
}

// CorrelationFilter matches messages that equal it in every field that is set. An empty string is not set.
type CorrelationFilter struct {
	CorrelationID, MessageID, To, ReplyTo, Subject, SessionID, ReplyToSessionID, ContentType string
	Properties                                                                               map[string]any
}

func (TrueFilter) filter()        {}
func (FalseFilter) filter()       {}
func (SQLFilter) filter()         {}
func (CorrelationFilter) filter() {}
