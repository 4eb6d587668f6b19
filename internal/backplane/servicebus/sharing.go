package servicebus

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// Message properties that name the publisher and its subscription, if that was given to it. They
	// are set only then.
	publisherProperty    = "instance"
	subscriptionProperty = "subscription"

	// sharedFor is how long another reader of the subscription counts as present after it was noticed.
	sharedFor = time.Minute
	// unreturnedAfter is how long nothing published here may come back before another reader is presumed.
	unreturnedAfter = 10 * time.Second
)

// sharing notices that another instance reads the same existing subscription by mistake. Each message
// then reaches only one of the two. The service may even give all messages to one of them. That one sees
// the other's messages, and the other one sees nothing.
type sharing struct {
	// Immutable. Empty, the subscription is this instance's own, and nothing is to be noticed.
	instance, subscription string
	log                    *slog.Logger

	mu sync.Mutex
	// mu guards
	own        bool      // a message of this instance has come back
	unreturned time.Time // since when published messages have not; zero: none is missing
	other      string    // the instance that reads the subscription too
	noticedAt  time.Time
}

// properties returns the properties of a message that is published.
func (s *sharing) properties() map[string]any {
	if s.subscription == "" {
		return make(map[string]any)
	}
	return map[string]any{publisherProperty: s.instance, subscriptionProperty: s.subscription}
}

// sent notes that a message to all was published.
func (s *sharing) sent() {
	if s.subscription == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreturned.IsZero() {
		s.unreturned = time.Now()
	}
}

// received notes the properties of a message that was fetched.
func (s *sharing) received(properties map[string]any) {
	if s.subscription == "" || properties[subscriptionProperty] != s.subscription {
		return
	}
	publisher, _ := properties[publisherProperty].(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	if publisher == s.instance {
		s.own, s.unreturned = true, time.Time{}
		return
	}
	if !s.own {
		return // perhaps an earlier process's that had this subscription
	}
	if s.other != publisher || time.Since(s.noticedAt) >= sharedFor {
		s.log.Error("two instances read one subscription: give each one of its own",
			"subscription", s.subscription, "other", publisher)
	}
	s.other, s.noticedAt = publisher, time.Now()
}

// Shared returns, as a sentence for people, that another instance reads the subscription given to this
// one, or seems to; "" if nothing speaks for that.
func (b *Bus) Shared() string {
	s := &b.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.noticedAt.IsZero() && time.Since(s.noticedAt) < sharedFor:
		return fmt.Sprintf("instance %s reads subscription %q too, so each message reaches only one of the two: "+
			"give each instance a subscription of its own", s.other, s.subscription)
	case !s.unreturned.IsZero() && time.Since(s.unreturned) >= unreturnedAfter:
		return fmt.Sprintf("nothing that this instance publishes arrives on subscription %q: another instance seems "+
			"to read it too, so give each instance a subscription of its own", s.subscription)
	}
	return ""
}
