package management

import (
	"net/http"

	"chatapp/internal/emulator/broker"
)

func (r *request) topic(name string, status int) (answer, error) {
	info, err := r.broker().Topic(name)
	if err != nil {
		return answer{}, err
	}
	return r.one(status, r.topicEntry(info)), nil
}

func (r *request) listTopics() (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	topics := r.broker().Topics()
	from, to, next, err := r.page(len(topics))
	if err != nil {
		return answer{}, err
	}
	var entries []entry
	for _, info := range topics[from:to] {
		entries = append(entries, r.topicEntry(info))
	}
	return r.feed("Topics", "$Resources/Topics", entries, next), nil
}

func (r *request) putTopic(x *topicXML) (answer, error) {
	d, err := x.description(r.place.entity)
	if err != nil {
		return answer{}, err
	}
	if r.updates() {
		if err := r.broker().UpdateTopic(d); err != nil {
			return answer{}, err
		}
		return r.topic(d.Name, http.StatusOK)
	}
	if err := r.broker().CreateTopic(d); err != nil {
		return answer{}, err
	}
	return r.topic(d.Name, http.StatusCreated)
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

// filterCountVersion is the first api-version whose answers have the numbers of filters.
const filterCountVersion = "2024-05"

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
		w.number("MaxMessageSizeInKilobytes", int64(t.MaxMessageSizeInKilobytes))
		if r.URL.Query().Get("api-version") >= filterCountVersion {
			w.number("SqlFilterCount", int64(t.SQLFilters))
			w.number("CorrelationFilterCount", int64(t.CorrelationFilters))
		}
	})}
}
