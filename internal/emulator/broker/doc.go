// Package broker implements the entities of an Azure Service Bus namespace: queues, topics and subscriptions with their
// messages. It knows neither AMQP nor HTTP; the packages that serve those protocols translate.
//
// A [Broker] is a namespace. Clients send to a [Target], which is a queue or a topic. They receive
// from a [Source], which is a queue, a subscription, or a dead-letter queue of either. A [Sender]
// or [Receiver] belongs to one link and ends when the entity is changed or deleted. All receivers
// of a [Message] share it; the broker does not interpret its Payload.
//
// # Implemented
//
//   - Receiving: credit served in order of arrival, locks with expiry and renewal, complete,
//     abandon, defer, dead-letter and release, ReceiveAndDelete, deferred messages by sequence
//     number, peeking, deleting in batches.
//   - Dead-letter queues, by receivers, by MaxDeliveryCount, by expiry, by rules that fail;
//     transfer dead-letter queues of what can't be forwarded.
//   - Time to live of messages, queues, topics and subscriptions; scheduled messages; duplicate
//     detection; AutoDeleteOnIdle.
//   - Sessions: next or by id, locks, renewal, state, listing.
//   - Rules: true, false, SQL and correlation filters, SQL actions.
//   - ForwardTo and ForwardDeadLetteredMessagesTo, over at most four hops.
//   - Transactions over several entities, of up to 100 messages.
//   - Statuses; limits of messages, entities, names and numbers as the Standard and Premium tiers have them.
//   - Shared access signatures of the namespace's keys and of an entity's own; JSON web tokens read, not verified.
//   - The throttling of the Standard tier, off by default, and a meter of client operations.
//   - Microsoft's emulator's Config.json.
//   - A journal from which everything but locks is there again after a restart: [Open].
//   - Faults: deliver twice, lose locks, stall, be busy.
//
// # Not implemented
//
//   - Send-via: a transaction may use any entities, and transfer dead letters come from forwarding alone.
//   - Partitions: an entity may ask for them and reports them, but has one order and one range of numbers.
//   - Express entities, batched operations and FilteringMessagesBeforePublishing: stored and reported, without effect.
//   - JMS selectors: an unknown kind of filter is refused.
//   - Dead-lettering by HeaderSizeExceeded.
//   - Rules over system properties that a message gets only in its subscription, such as
//     SequenceNumber and ExpiresAtUtc: a rule that names one fails as over a property that does not
//     exist.
//   - The limits of Microsoft's emulator that are below the service's, such as 50 entities or one hour to live.
//
// # Where the service is not documented
//
// A release does not count as a failed delivery. A deferral counts, but dead-letters nothing by
// itself: the next failed delivery does, if the count has reached MaxDeliveryCount. A message keeps
// its sequence number in the dead-letter queue. Giving credit keeps an entity from
// AutoDeleteOnIdle; credit that is merely unused does not. A topic's sequence numbers start at
// 1,048,577, so that no test confuses them with a subscription's, which start at 1. Messages expire
// on time, with or without a receiver. Every copy of a message counts at least 256 bytes against
// its entity's size. Duplicate detection remembers at most a million ids.
//
// # Concurrency
//
// All methods may be called from any goroutine. Callbacks run under the broker's locks; see
// [ReceiverOptions]. The broker reads package time only, so that a testing/synctest bubble controls
// its time.
//
//	goroutine             started by             owns alone  ends when; who waits
//	timer functions       time.AfterFunc         nothing     their work is done; nobody
//	forwarder, per source a message to forward   nothing     no message is left to forward; Broker.Close
//	compaction            a Sync                 nothing     a snapshot is written; Broker.Close
package broker
