package broker

import "time"

// DefaultRuleName is the name of the rule a subscription starts with.
const DefaultRuleName = "$Default"

// RuleDescription is a rule of a subscription: which messages it takes and what it changes in its copy.
type RuleDescription struct {
	Name      string // at most 50 characters
	Filter    Filter // nil means TrueFilter
	Action    string // SQL rule action; empty means none
	CreatedAt time.Time
	// ActionParameters are the values of @names in Action.
	ActionParameters map[string]any
}

// Filter is one of [TrueFilter], [FalseFilter], [SQLFilter], [CorrelationFilter] and [UnknownFilter].
type Filter interface{ filter() }

// TrueFilter takes every message.
type TrueFilter struct{}

// FalseFilter takes no message.
type FalseFilter struct{}

// SQLFilter takes the messages for which the condition is true; unknown is not true.
type SQLFilter struct {
	Expression string // at most 1024 characters
	Parameters map[string]any
}

// CorrelationFilter takes the messages that agree with every field set. Empty strings are not set.
type CorrelationFilter struct {
	CorrelationID, MessageID, To, ReplyTo, Subject, SessionID, ReplyToSessionID, ContentType string
	Properties                                                                               map[string]any
}

// UnknownFilter is a filter of a kind this broker does not know. It is kept for round trips and takes no message.
type UnknownFilter struct {
	Type string // the name of its XML type
	XML  string // its inner XML
}

func (TrueFilter) filter()        {}
func (FalseFilter) filter()       {}
func (SQLFilter) filter()         {}
func (CorrelationFilter) filter() {}
func (UnknownFilter) filter()     {}
