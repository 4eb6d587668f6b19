package azuretable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"chatapp/internal/store"
)

// Options say which table, and how to reach it.
type Options struct {
	// Exactly one of ConnectionString and Endpoint is set. Endpoint is a URL such as
	// https://account.table.core.windows.net, and is reached with Credential. A nil Credential is azidentity's default
	// one, which includes the platform's managed identity.
	ConnectionString string
	Endpoint         string
	Credential       azcore.TokenCredential

	// Table is the table's name, 3 to 63 letters and digits; "chat". Claim makes it if there is none.
	Table string

	// PageLines is the number of lines from which they become pages; 0: 500.
	PageLines int

	// Logger gets what goes wrong in the background; nil discards it.
	Logger *slog.Logger

	transport policy.Transporter // nil: the SDK's; tests set it
	retries   int32              // as in policy.RetryOptions; tests set it
}

// Store is a table. It implements store.Store.
type Store struct {
	table     *table
	pageLines int
	logger    *slog.Logger

	// Locks, outermost first: upkeep, writing, mu.
	upkeep     sync.Mutex // held while pages are written
	background sync.WaitGroup
	busy       atomic.Bool // lines become pages in the background

	writing sync.Mutex   // held while the head is changed; guards what follows
	unsure  *store.Batch // whether it has arrived is unknown
	seed    uint64       // Append of the head that it would have made
	orphans bool         // rows of this turn are left that must not count

	mu     sync.Mutex // guards what follows
	closed bool
	term   uint64       // 0: it has not claimed
	head   *head        // of a writer
	lines  []store.Line // of a writer: those that are not in pages
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("the store is closed")

var tableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{2,62}$`)

// Open checks the options. It doesn't reach for the account.
func Open(o Options) (*Store, error) {
	if o.Table == "" {
		o.Table = "chat"
	}
	if !tableName.MatchString(o.Table) {
		return nil, fmt.Errorf("open the store: %q is not the name of a table: 3 to 63 letters and digits", o.Table)
	}
	if o.PageLines == 0 {
		o.PageLines = 500
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	service, err := o.service()
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return &Store{table: &table{client: service.NewClient(o.Table), name: o.Table}, pageLines: o.PageLines,
		logger: o.Logger}, nil
}

func (o *Options) service() (*aztables.ServiceClient, error) {
	options := &aztables.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: o.transport,
		Retry:     policy.RetryOptions{TryTimeout: 30 * time.Second, MaxRetries: o.retries},
	}}
	switch {
	case (o.ConnectionString == "") == (o.Endpoint == ""):
		return nil, errors.New("exactly one of connection string and endpoint has to be set")
	case o.ConnectionString != "":
		return aztables.NewServiceClientFromConnectionString(o.ConnectionString, options)
	}
	credential := o.Credential
	if credential == nil {
		var err error
		if credential, err = azidentity.NewDefaultAzureCredential(nil); err != nil {
			return nil, err
		}
	}
	return aztables.NewServiceClient(o.Endpoint, credential, options)
}

func (s *Store) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s table %s: %w", what, s.table.name, err)
}

// Claim implements store.Store.
func (s *Store) Claim(ctx context.Context) (store.Head, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosed() {
		return store.Head{}, errClosed
	}
	if err := s.table.create(ctx); err != nil {
		return store.Head{}, s.wrap("create", err)
	}
	for try := 0; ; try++ {
		h, rows, err := s.table.readLog(ctx, true)
		if err != nil {
			return store.Head{}, s.wrap("claim", err)
		}
		next := h.clone()
		next.Term++
		next.Append = rand.Uint64()
		next.begin(h.Index, h.Seq)
		won, err := s.swap(ctx, h, next, nil)
		switch {
		case err != nil && (errors.Is(err, ctx.Err()) || try >= 5):
			return store.Head{}, s.wrap("claim", err)
		case !won:
			continue // another process claims it too
		}
		lines, err := unpaged(h, rows)
		if err != nil {
			return store.Head{}, s.wrap("claim", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.head, s.term, s.lines = next, next.Term, lines
		s.unsure, s.orphans = nil, false
		return next.kept().Head, nil
	}
}

// unpaged returns the lines that are not in pages.
func unpaged(h *head, rows []*row) ([]store.Line, error) {
	var all []store.Line
	for _, r := range rows {
		lines, err := r.lines()
		if err != nil {
			return nil, err
		}
		after, through := h.unpaged(r.span.Turn)
		all = append(all, between(lines, after, through)...)
	}
	slices.SortFunc(all, func(a, b store.Line) int {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	})
	return all, nil
}

// swap makes next the head in place of h, with rows that it makes count, and reports whether it did. It returns an
// error if it is unknown whether it did, or why it did not; a head of another writer is none.
func (s *Store) swap(ctx context.Context, h, next *head, rows []*row) (bool, error) {
	next.Version = h.Version + 1
	var actions []action
	if h.Version > 0 {
		actions = append(actions, action{aztables.TransactionTypeDelete, h.row()})
	}
	actions = append(actions, action{aztables.TransactionTypeAdd, next.row()})
	for _, r := range rows {
		actions = append(actions, action{aztables.TransactionTypeInsertReplace, r})
	}
	err := s.table.submit(ctx, actions)
	if err == nil {
		return true, nil
	}
	// The answer of a transaction may be lost, and does not tell a condition from other errors.
	now, _, readErr := s.table.readLog(context.WithoutCancel(ctx), false)
	switch {
	case readErr != nil:
		return false, errors.Join(err, readErr)
	case now.Version == next.Version && now.Append == next.Append && now.Term == next.Term:
		return true, nil
	case now.Version != h.Version:
		return false, nil
	}
	return false, err
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// writable returns the head of a writer.
func (s *Store) writable() (*head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.term == 0:
		return nil, store.ErrFenced
	}
	return s.head, nil
}

// stillWriterLocked returns an error that wraps store.ErrFenced if another process has claimed the table. It needs
// writing held.
func (s *Store) stillWriterLocked(ctx context.Context) error {
	h, _, err := s.table.readLog(ctx, false)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Term == s.term {
		return nil
	}
	s.term = 0
	return store.ErrFenced
}

// changeLocked changes the head. It needs writing held. What it does with the head's copy must not depend on anything
// else, because a lost answer makes it do so again.
func (s *Store) changeLocked(ctx context.Context, change func(*head), rows []*row) error {
	h, err := s.writable()
	if err != nil {
		return err
	}
	next := h.clone()
	next.Append = rand.Uint64()
	change(next)
	won, err := s.swap(ctx, h, next, rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case won:
		s.head = next
		return nil
	case err != nil:
		return err
	}
	s.term = 0
	return store.ErrFenced
}

// Close waits for what goes on in the background.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.background.Wait()
	return nil
}
