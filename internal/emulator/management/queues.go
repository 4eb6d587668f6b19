package management

import (
	"strings"

	"chatapp/internal/emulator/broker"
)

func (r *request) queues() *collection[broker.QueueDescription, broker.QueueInfo] {
	b := r.broker()
	return &collection[broker.QueueDescription, broker.QueueInfo]{
		title: "Queues", path: "$Resources/Queues",
		describe: func(c content) (broker.QueueDescription, string, error) {
			d, err := c.Queue.description(r.resource.entity)
			return d, d.Name, err
		},
		create: b.CreateQueue, update: b.UpdateQueue, remove: b.DeleteQueue, find: b.Queue,
		all:   func() ([]broker.QueueInfo, error) { return b.Queues(), nil },
		entry: r.queueEntry,
	}
}

func (x *queueXML) description(name string) (broker.QueueDescription, error) {
	d := broker.DefaultQueue(name)
	setDuration(&d.LockDuration, x.LockDuration)
	set(&d.MaxSizeInMegabytes, explicit(x.MaxSizeInMegabytes))
	d.RequiresDuplicateDetection = x.RequiresDuplicateDetection
	d.RequiresSession = x.RequiresSession
	setDuration(&d.DefaultMessageTimeToLive, x.DefaultMessageTimeToLive)
	d.DeadLetteringOnMessageExpiration = x.DeadLetteringOnMessageExpiration
	setDuration(&d.DuplicateDetectionHistoryTimeWindow, x.DuplicateDetectionHistoryTimeWindow)
	set(&d.MaxDeliveryCount, explicit(x.MaxDeliveryCount))
	set(&d.EnableBatchedOperations, x.EnableBatchedOperations)
	d.ForwardTo = strings.TrimSpace(x.ForwardTo)
	d.UserMetadata = x.UserMetadata
	setDuration(&d.AutoDeleteOnIdle, x.AutoDeleteOnIdle)
	d.EnablePartitioning = x.EnablePartitioning
	d.ForwardDeadLetteredMessagesTo = strings.TrimSpace(x.ForwardDeadLetteredMessagesTo)
	d.EnableExpress = x.EnableExpress
	set(&d.MaxMessageSizeInKilobytes, explicit(x.MaxMessageSizeInKilobytes))
	var err error
	if d.Status, err = parseStatus(x.Status); err != nil {
		return d, err
	}
	d.AuthorizationRules, err = parseAuthorization(x.AuthorizationRules)
	return d, err
}

func (r *request) queueEntry(q broker.QueueInfo) entry {
	return entry{q.Name, q.Name, q.CreatedAt, q.UpdatedAt, describe("QueueDescription", func(w *writer) {
		w.duration("LockDuration", q.LockDuration)
		w.number("MaxSizeInMegabytes", int64(q.MaxSizeInMegabytes))
		w.boolean("RequiresDuplicateDetection", q.RequiresDuplicateDetection)
		w.boolean("RequiresSession", q.RequiresSession)
		w.duration("DefaultMessageTimeToLive", q.DefaultMessageTimeToLive)
		w.boolean("DeadLetteringOnMessageExpiration", q.DeadLetteringOnMessageExpiration)
		w.duration("DuplicateDetectionHistoryTimeWindow", q.DuplicateDetectionHistoryTimeWindow)
		w.number("MaxDeliveryCount", int64(q.MaxDeliveryCount))
		w.boolean("EnableBatchedOperations", q.EnableBatchedOperations)
		w.number("SizeInBytes", q.Bytes)
		w.number("MessageCount", q.Counts.Total)
		w.boolean("IsAnonymousAccessible", false)
		w.authorizationRules(q.AuthorizationRules)
		w.text("Status", q.Status.String())
		r.forward(w, "ForwardTo", q.ForwardTo)
		w.optional("UserMetadata", q.UserMetadata)
		w.times(q.Times)
		w.boolean("SupportOrdering", true)
		w.counts(q.Counts)
		w.duration("AutoDeleteOnIdle", q.AutoDeleteOnIdle)
		w.boolean("EnablePartitioning", q.EnablePartitioning)
		w.text("EntityAvailabilityStatus", "Available")
		r.forward(w, "ForwardDeadLetteredMessagesTo", q.ForwardDeadLetteredMessagesTo)
		w.boolean("EnableExpress", q.EnableExpress)
		if r.version() >= messageSizeVersion {
			w.number("MaxMessageSizeInKilobytes", int64(q.MaxMessageSizeInKilobytes))
		}
	})}
}
