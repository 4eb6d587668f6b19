// Package servicebus is a bus on an Azure Service Bus topic: every instance publishes to the topic
// and reads it through a subscription of its own.
//
// The topic must keep order (SupportOrdering, no partitions). Open creates it if it is missing, and
// refuses one that does not. The subscription has the instance's name; Open creates it and Close
// removes it. Its rule admits messages to all and to this instance, alone or among several. The others remove the
// subscription of an instance that was killed: the instance that evicts it, or the sweep of the
// oldest instance.
//
// Receiving uses peek-lock mode, because a link that breaks in receive-and-delete mode loses the
// messages on their way. Messages are delivered by their sequence number, which counts from 1
// without gaps in each subscription. A gap is filled by peeking, which also returns messages that
// another link holds locked. Completion happens in the background, and messages delivered again are
// dropped.
//
// With Options.Archive a subscription that no instance owns keeps what is published to all until the archivist
// completes it. Its messages do not expire, and so the topic must not let them: the time-to-live of the topic
// bounds that of its subscriptions. A start peeks at what is left there, because the archivist before may still
// hold the locks. The archive counts as no instance when orphaned subscriptions are looked for, or others at all.
//
// In a large cluster the instances put their batches into a queue that requires sessions. All messages
// are of one session, so that one instance reads them, in order: the one that holds the session's lock.
//
// # Concurrency
//
//	goroutine           started by             ends when
//	fetcher             Receive                Receive returns, which waits for it
//	completers, a few   Receive                Receive returns, which waits for them
//	the same two        Drain                  Drain returns, which waits for them
//	the same two        Combine                Combine returns, which waits for them
//	renewal of a lock   Combine                Combine returns, which waits for it
//	closing of clients  a new client or Close  the client is closed, after 5 s at most; Close waits for it
//
// There is a client for sending, one for fetching, and one for peeking and settling. A fatal error
// of the SDK closes a client's whole connection, and must not affect another direction; see
// reception for why fetching has a receiver of its own. Every call to Service Bus has a deadline,
// except the one that waits for messages. A receiver can go silent without an error, so the caller
// of Receive cancels it when its own messages stop coming back.
package servicebus
