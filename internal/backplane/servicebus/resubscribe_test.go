package servicebus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// lossyTransport loses responses of the management API: the request has been executed.
type lossyTransport struct {
	next policy.Transporter
	lose atomic.Int32 // answers to requests that create
}

var errAnswerLost = errors.New("answer lost")

func (f *lossyTransport) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil { // the SDK reads it again, while the transport may still be at it
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	answer, err := f.next.Do(r)
	if err == nil && r.Method == http.MethodPut && f.lose.Add(-1) >= 0 {
		answer.Body.Close()
		return nil, errAnswerLost
	}
	return answer, err
}

// loseAnswers makes a bus use a lossyTransport. The SDK makes as many tries.
func loseAnswers(t *testing.T, b *Bus, tries int32) *lossyTransport {
	t.Helper()
	f := &lossyTransport{next: httpTransport{&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}}
	client, err := admin.NewClientFromConnectionString(b.endpoint.administering, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			Transport: f, Retry: policy.RetryOptions{MaxRetries: tries - 1, RetryDelay: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	b.admin = client
	return f
}

func sawGap(r *receiver) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.errs, func(err error) bool { return errors.Is(err, backplane.ErrGap) })
}

// Whether the SDK or Receive repeats the creation of a subscription whose response was lost:
// Receive returns ErrGap, and later messages arrive, though their numbers are those of messages
// delivered before.
func TestAnswerLostOnSubscribingAgain(t *testing.T) {
	t.Parallel()
	for name, tries := range map[string]int32{"the SDK asks again": 3, "Receive asks again": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := emulatortest.Start(t)
			b := open(t, options(t, e, "b"))
			f := loseAnswers(t, b, tries)
			r := receive(t, b)
			for i := range 20 {
				publish(t, b, strconv.Itoa(i))
			}
			r.want("before", 20)
			f.lose.Store(1)
			if err := e.Delete("chat/Subscriptions/" + b.Instance()); err != nil {
				t.Fatal(err)
			}
			waittest.Until(t, "Receive returns ErrGap", func() bool { return sawGap(r) })
			publish(t, b, "after")
			if got := r.want("after", 21); got[20] != "after" {
				t.Errorf("got %q, want what was published after", got[20])
			}
		})
	}
}

// The SDK has a code for a missing subscription where Service Bus grants no token for it, and returns go-amqp's error
// where the subscription is deleted between the token and the link. Either one tells Receive of the gap.
func TestMissingSubscriptionIsKnownByEitherError(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	for _, err := range []error{
		&azservicebus.Error{Code: azservicebus.CodeNotFound},
		&amqp.Error{Condition: amqp.ErrCondNotFound},
	} {
		// It fails unless the round before has created the subscription again.
		if err := e.Delete("chat/Subscriptions/" + b.Instance()); err != nil {
			t.Fatal(err)
		}
		if got := b.afterFailure(t.Context(), err); !errors.Is(got, backplane.ErrGap) {
			t.Errorf("afterFailure(%#v) = %v, want ErrGap", err, got)
		}
	}
}

// An existing subscription that is deleted and created again by its owner is followed again.
func TestExistingSubscriptionIsFollowedAgain(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat", "given")
	o := options(t, e, "b")
	o.Subscription = "given"
	b := open(t, o)
	r := receive(t, b)
	for i := range 20 {
		publish(t, b, strconv.Itoa(i))
	}
	r.want("before", 20)
	if err := e.Delete("chat/Subscriptions/given"); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "Receive returns ErrGap", func() bool { return sawGap(r) })
	e.Subscription("chat", "given")
	publish(t, b, "after")
	if got := r.want("after", 21); got[20] != "after" {
		t.Errorf("got %q, want what was published after", got[20])
	}
}

// A topic deleted under live instances is created again by them.
func TestDeletedTopicIsCreatedAgain(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	a, b := open(t, options(t, e, "a")), open(t, options(t, e, "b"))
	ra, rb := receive(t, a), receive(t, b)
	publish(t, a, "before")
	ra.want("before", 1)
	rb.want("before", 1)
	if err := e.Delete("chat"); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "both instances know of the gap", func() bool { return sawGap(ra) && sawGap(rb) })
	publish(t, a, "after")
	for _, r := range []*receiver{ra, rb} {
		if got := r.want("after", 2); got[1] != "after" {
			t.Errorf("got %q, want what was published after", got)
		}
	}
}

// A bus closed before it knows that its subscription exists removes it all the same.
func TestCloseRemovesSubscriptionThatMayExist(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	other := open(t, options(t, e, "other"))
	b, err := New(options(t, e, "b"))
	if err != nil {
		t.Fatal(err)
	}
	loseAnswers(t, b, -1).lose.Store(1)
	if err := b.subscribe(t.Context()); !errors.Is(err, errAnswerLost) {
		t.Fatalf("subscribe = %v, want %v", err, errAnswerLost)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names, err := other.subscriptions(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("subscriptions left: %v, %v, want the other's", names, err)
	}
}

// refusing is a transport without the right to create. It counts other requests.
type refusing struct{ others *atomic.Int32 }

func (f refusing) Do(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut {
		f.others.Add(1)
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody, Request: r,
	}, nil
}

// A bus closed while it waits for a role has nothing to remove, and no right to.
func TestCloseWhileWaitingForARole(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b, err := New(options(t, e, "b"))
	if err != nil {
		t.Fatal(err)
	}
	var others atomic.Int32
	if b.admin, err = admin.NewClientFromConnectionString(b.endpoint.administering, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: refusing{&others}}}); err != nil {
		t.Fatal(err)
	}
	if err := b.subscribe(t.Context()); status(err) != http.StatusUnauthorized {
		t.Fatalf("subscribe = %v, want that it is refused", err)
	}
	if err := b.Close(t.Context()); err != nil || others.Load() != 0 {
		t.Errorf("Close = %v, having asked %d times, want nil and 0", err, others.Load())
	}
}

// Close may be called during Publish, and more than once: no call hangs, and no connection remains.
func TestCloseWhilePublishing(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	var publishers sync.WaitGroup
	begun := make(chan struct{}, 100)
	for range 8 {
		publishers.Go(func() {
			for {
				err := b.Publish(context.Background(), backplane.Message{Body: []byte("x")})
				if errors.Is(err, errBusClosed) {
					return
				}
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	e.DropConnections() // so that connections are dropped and made while the bus closes
	for range 2 {
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	publishers.Wait()
}

// Close waits for connections only as long as its context lasts.
func TestCloseHonoursItsContext(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	b := open(t, options(t, e, "b"))
	release := make(chan struct{})
	b.closing.Go(func() { <-release })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v, want %v", err, context.Canceled)
	}
	close(release)
}

// An instance with an existing subscription makes no management calls: it may have no right to.
func TestExistingSubscriptionNeedsNoManagement(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	e.Topic("chat", "given")
	other := open(t, options(t, e, "other"))
	o := options(t, e, "b")
	o.Subscription = "given"
	b := open(t, o)
	if alone, err := b.Alone(t.Context()); alone || err != nil {
		t.Errorf("Alone = %v, %v, want false", alone, err)
	}
	if err := b.Evict(t.Context(), other.Instance()); err != nil {
		t.Errorf("Evict = %v", err)
	}
	j := b.Janitor()
	for range 2 {
		if n, err := j.Sweep(t.Context(), nil); n != 0 || err != nil {
			t.Errorf("Sweep = %d, %v, want 0", n, err)
		}
	}
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
	if n := b.Counters().Manages; n != 0 {
		t.Errorf("%d calls of management, want none", n)
	}
}
