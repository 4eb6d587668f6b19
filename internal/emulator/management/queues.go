package management

import (
	"net/http"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

func (r *request) queue(name string, status int) (answer, error) {
	info, err := r.broker().Queue(name)
	if err != nil {
		return answer{}, err
	}
	return r.one(status, r.queueEntry(info)), nil
}

func (r *request) listQueues() (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	queues := r.broker().Queues()
	from, to, next, err := r.page(len(queues))
	if err != nil {
		return answer{}, err
	}
	var entries []entry
	for _, info := range queues[from:to] {
		entries = append(entries, r.queueEntry(info))
	}
	return r.feed("Queues", "$Resources/Queues", entries, next), nil
}

func (r *request) putQueue(x *queueXML) (answer, error) {
	d, err := x.description(r.place.entity)
	if err != nil {
		return answer{}, err
	}
	if r.updates() {
		if err := r.broker().UpdateQueue(d); err != nil {
			return answer{}, err
		}
		return r.queue(d.Name, http.StatusOK)
	}
	if err := r.broker().CreateQueue(d); err != nil {
		return answer{}, err
	}
	return r.queue(d.Name, http.StatusCreated)
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
		w.number("MaxMessageSizeInKilobytes", int64(q.MaxMessageSizeInKilobytes))
	})}
}

func (w *writer) times(t broker.Times) {
	w.time("CreatedAt", t.CreatedAt)
	w.time("UpdatedAt", t.UpdatedAt)
	w.time("AccessedAt", t.AccessedAt)
}

// describeNamespace answers what the namespace is.
func (r *request) describeNamespace() (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	b := r.broker()
	return r.one(http.StatusOK, entry{"$namespaceinfo", b.Namespace(), time.Time{}, b.CreatedAt(), describe("NamespaceInfo", func(w *writer) {
		w.time("CreatedTime", b.CreatedAt())
		w.text("MessagingSKU", b.Tier().String())
		if b.Tier() == broker.Premium {
			w.number("MessagingUnits", 1)
		}
		w.time("ModifiedTime", b.CreatedAt())
		w.text("Name", b.Namespace())
		w.text("NamespaceType", "Messaging")
	})}), nil
}
