// Package chatcheck has chat clients that record everything they receive, and compares their
// records: whether each client got every message of the others, once, and all in one order.
//
// A client speaks either protocol of a worker, by way of chatclient. When its connection is lost it
// connects to the next of its URLs, with its resume token and the last log index it has seen, as
// the page does. It then sends again, under the same client message id, whatever was not
// acknowledged.
//
// # Concurrency
//
//	goroutine        started by  ends when
//	client's reader  Join        Close, Leave or Vanish, which wait for it
//
// All methods may be called from any goroutine.
package chatcheck
