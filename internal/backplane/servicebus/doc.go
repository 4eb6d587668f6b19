// Package servicebus is a bus on an Azure Service Bus topic: every instance publishes to the topic and reads it through a subscription of
// its own.
//
// The topic must keep order (SupportOrdering, no partitions); it is created so where it is missing, and refused where it is not. The
// subscription is named as the instance is, is made when the bus is opened and removed when it is closed; its rule lets through what is
// addressed to all or to this instance. What an instance leaves behind when it is killed, the others remove: the one that evicts it, or
// the sweep of whichever instance is the oldest.
//
// Reading is in peek-lock mode, because a link that breaks in receive-and-delete mode takes with it what was on its way. Messages are
// delivered by their sequence number, which counts from 1 without holes in each subscription; a hole is filled by peeking, which shows
// what another link still holds locked; completing happens in the background, and what is delivered again is dropped.
//
// # Concurrency
//
//	goroutine           started by          ends when
//	fetcher             Receive             Receive returns, which waits for it
//	completers, a few   Receive             Receive returns, which waits for them
//	closing of clients  rebuild or Close    the client is closed, 5 s at most; Close waits for it
//
// A client for sending, one for fetching, one for peeking and settling: a fatal error of the SDK closes a client's whole connection, and
// must not take another direction with it; and see reading for why fetching has a receiver of its own. Every call
// to Service Bus has a deadline, but for the one that waits for messages: a receiver can go silent without an error, and whoever calls
// Receive cancels it when its own messages stop coming back.
package servicebus
