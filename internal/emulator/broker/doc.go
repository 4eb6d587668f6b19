// Package broker is the inside of an Azure Service Bus namespace: queues, topics and subscriptions, and what becomes of
// their messages. It knows no AMQP and no HTTP; the packages that serve those translate.
//
// A [Broker] is a namespace. A [Target] is what one sends to (a queue or topic), a [Source] what one receives from (a
// queue, a subscription, or a dead-letter queue of either). [Sender] and [Receiver] are the claims of single links on them, and
// end when the entity is changed or deleted. A [Message] is shared by all who get it; what it encodes is its sender's affair.
//
// # Implemented
//
//   - Receiving: credit served in order of arrival, locks with expiry and renewal, complete, abandon, defer, dead-letter and
//     release, ReceiveAndDelete, deferred messages by their numbers, peeking, deleting in batches.
//   - Dead-letter queues, by receivers, by MaxDeliveryCount, by expiry, by rules that fail; transfer dead-letter queues.
//   - Time to live of messages, queues, topics and subscriptions; scheduled messages; duplicate detection; AutoDeleteOnIdle.
//   - Sessions: next or by id, locks, renewal, state, listing.
//   - Rules: true, false, SQL and correlation filters, SQL actions.
//   - ForwardTo and ForwardDeadLetteredMessagesTo, over at most four hops.
//   - Statuses; limits of messages, entities, names and numbers as the Standard and Premium tiers have them.
//   - Shared access signatures of the namespace's keys and of an entity's own; JSON web tokens read, not verified.
//   - The Standard tier's throttling, off unless asked for, and a meter of what clients did.
//   - Microsoft's emulator's Config.json.
//   - Faults: deliver twice, lose locks, stall, be busy.
//
// # Not implemented
//
//   - Transactions and send-via, whose transfer dead letters therefore come from forwarding alone.
//   - Partitions: an entity may ask for them and reports them, but has one order and one range of numbers.
//   - Express entities, batched operations and FilteringMessagesBeforePublishing: kept and reported, without effect.
//   - JMS selectors and unknown kinds of filters: kept for management, they take no message.
//   - Dead-lettering by HeaderSizeExceeded.
//   - Rules over system properties that a message gets only in its subscription, such as SequenceNumber and ExpiresAtUtc:
//     a rule that names one fails as over a property that does not exist.
//   - The limits by which Microsoft's emulator is below the service, as 50 entities or a time to live of one hour.
//
// # Where the service is not documented
//
// A release does not count as a failed delivery. A message keeps its sequence number in the dead-letter queue. Credit left
// standing on a quiet link does not keep an entity alive, only giving it does. A topic's sequence numbers start
// at 1,048,577, so that they cannot be mistaken for a subscription's, which start at 1. Expiry happens in time, whether
// anyone listens or not. Every copy of a message counts at least 256 bytes against its entity's size.
// Duplicate detection remembers at most a million ids, and windows from 5 seconds on are taken.
//
// # Concurrency
//
// Everything may be called from any goroutine. The broker's own goroutines are timers' functions, and one per source for as
// long as it has messages to forward; [Broker.Close] ends them. Callbacks run under locks; see [ReceiverOptions]. Time is that of
// package time, so that a testing/synctest bubble around a Broker controls it.
package broker
