package management

import (
	"chatapp/internal/emulator/broker"
)

func (r *request) topics() *collection[broker.TopicDescription, broker.TopicInfo] {
	b := r.broker()
	return &collection[broker.TopicDescription, broker.TopicInfo]{
		title: "Topics", path: "$Resources/Topics",
		describe: func(c content) (broker.TopicDescription, string, error) {
			d, err := c.Topic.description(r.resource.entity)
			return d, d.Name, err
		},
		create: b.CreateTopic, update: b.UpdateTopic, remove: b.DeleteTopic, find: b.Topic,
		all:   func() ([]broker.TopicInfo, error) { return b.Topics(), nil },
		entry: r.topicEntry,
	}
}

func (x *topicXML) description(name string) (broker.TopicDescription, error) {
	d := broker.DefaultTopic(name)
	setDuration(&d.DefaultMessageTimeToLive, x.DefaultMessageTimeToLive)
	set(&d.MaxSizeInMegabytes, explicit(x.MaxSizeInMegabytes))
	d.RequiresDuplicateDetection = x.RequiresDuplicateDetection
	setDuration(&d.DuplicateDetectionHistoryTimeWindow, x.DuplicateDetectionHistoryTimeWindow)
	set(&d.EnableBatchedOperations, x.EnableBatchedOperations)
	d.FilteringMessagesBeforePublishing = x.FilteringMessagesBeforePublishing
	d.UserMetadata = x.UserMetadata
	set(&d.SupportOrdering, x.SupportOrdering)
	setDuration(&d.AutoDeleteOnIdle, x.AutoDeleteOnIdle)
	d.EnablePartitioning = x.EnablePartitioning
	d.EnableSubscriptionPartitioning = x.EnableSubscriptionPartitioning
	d.EnableExpress = x.EnableExpress
	set(&d.MaxMessageSizeInKilobytes, explicit(x.MaxMessageSizeInKilobytes))
	var err error
	if d.Status, err = parseStatus(x.Status); err != nil {
		return d, err
	}
	d.AuthorizationRules, err = parseAuthorization(x.AuthorizationRules)
	return d, err
}

// The first api-versions whose answers contain the largest message size and the numbers of filters.
const (
	messageSizeVersion = "2021-05"
	filterCountVersion = "2024-05"
)

// version returns the api-version of the request; empty if it has none.
func (r *request) version() string { return r.URL.Query().Get("api-version") }

func (r *request) topicEntry(t broker.TopicInfo) entry {
	return entry{t.Name, t.Name, t.CreatedAt, t.UpdatedAt, describe("TopicDescription", func(w *writer) {
		w.duration("DefaultMessageTimeToLive", t.DefaultMessageTimeToLive)
		w.number("MaxSizeInMegabytes", int64(t.MaxSizeInMegabytes))
		w.boolean("RequiresDuplicateDetection", t.RequiresDuplicateDetection)
		w.duration("DuplicateDetectionHistoryTimeWindow", t.DuplicateDetectionHistoryTimeWindow)
		w.boolean("EnableBatchedOperations", t.EnableBatchedOperations)
		w.number("SizeInBytes", t.Bytes)
		w.boolean("FilteringMessagesBeforePublishing", t.FilteringMessagesBeforePublishing)
		w.boolean("IsAnonymousAccessible", false)
		w.authorizationRules(t.AuthorizationRules)
		w.text("Status", t.Status.String())
		w.optional("UserMetadata", t.UserMetadata)
		w.times(t.Times)
		w.boolean("SupportOrdering", t.SupportOrdering)
		w.counts(t.Counts)
		w.number("SubscriptionCount", int64(t.Subscriptions))
		w.duration("AutoDeleteOnIdle", t.AutoDeleteOnIdle)
		w.boolean("EnablePartitioning", t.EnablePartitioning)
		w.text("EntityAvailabilityStatus", "Available")
		w.boolean("EnableSubscriptionPartitioning", t.EnableSubscriptionPartitioning)
		w.boolean("EnableExpress", t.EnableExpress)
		if r.version() >= messageSizeVersion {
			w.number("MaxMessageSizeInKilobytes", int64(t.MaxMessageSizeInKilobytes))
		}
		if r.version() >= filterCountVersion {
			w.number("SqlFilterCount", int64(t.SQLFilters))
			w.number("CorrelationFilterCount", int64(t.CorrelationFilters))
		}
	})}
}
