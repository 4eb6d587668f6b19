package azuretable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
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

// settleLocked finds out what has become of a batch whose answer was lost. It needs writing held.
func (s *Store) settleLocked(ctx context.Context) error {
	if s.unsure == nil {
		return nil
	}
	h, rows, err := s.table.readLog(ctx, true)
	if err != nil {
		return err
	}
	lines, err := unpaged(h, rows)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Term != s.term {
		s.term = 0
		return store.ErrFenced
	}
	s.head, s.lines = h, lines
	if h.Append != s.seed {
		s.unsure = nil // it did not arrive
	}
	return nil
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.wrap("append to", s.appendLocked(ctx, b))
}

func (s *Store) appendLocked(ctx context.Context, b store.Batch) error {
	if err := s.settleLocked(ctx); err != nil {
		return err
	}
	h, err := s.writable()
	if err != nil {
		return err
	}
	if s.unsure != nil {
		again := reflect.DeepEqual(*s.unsure, b)
		if s.unsure = nil; again {
			return nil // it has arrived
		}
	}
	given := b
	kept, err := h.kept().Append(&b)
	if err != nil {
		return err
	}
	rewinds := b.After < h.Index
	last := h.Seq
	if rewinds {
		if last, err = s.lastLine(ctx, h, b.After); err == nil {
			err = b.Behind(last)
		}
		if err != nil {
			return err
		}
		if len(b.Lines) == 0 {
			kept.Head.Seq = last
		}
	}
	next := h.clone()
	next.Append = rand.Uint64()
	if rewinds || kept.Floor != h.Floor || s.orphans {
		next.begin(b.After, last)
	}
	next.Log, next.Index, next.Seq, next.Floor = kept.Head.Log, kept.Head.Index, kept.Head.Seq, kept.Floor
	next.Checkpoints = slices.DeleteFunc(next.Checkpoints, func(c checkpoint) bool {
		return c.Index > b.After || c.Index < kept.Checkpoint || b.Checkpoint != nil && c.Index == b.Checkpoint.Index
	})
	if b.Checkpoint != nil {
		c, err := s.putCheckpoint(ctx, next.turn(), b.Checkpoint)
		if err != nil {
			return err
		}
		next.Checkpoints = append(next.Checkpoints, c)
	}
	rows := batchRows(&b, next.turn())
	if h, rows, err = s.putFirst(ctx, h, rows); err != nil {
		s.orphans = true
		return err
	}
	won, err := s.swap(ctx, h, next, rows)
	if err != nil {
		s.unsure, s.seed = &given, next.Append
		return err
	}
	return s.appended(next, &b, rewinds, won)
}

// appended notes what a batch has led to.
func (s *Store) appended(next *head, b *store.Batch, rewinds, won bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !won {
		s.term = 0
		return store.ErrFenced
	}
	s.head, s.orphans = next, false
	if rewinds {
		s.lines = slices.DeleteFunc(slices.Clone(s.lines), func(l store.Line) bool { return l.Index > b.After })
	}
	for _, line := range b.Lines {
		line.Body = slices.Clone(line.Body)
		s.lines = append(s.lines, line)
	}
	if len(s.lines) >= s.pageLines && !s.closed && s.busy.CompareAndSwap(false, true) {
		s.background.Go(func() {
			defer s.busy.Store(false)
			if err := s.page(context.Background()); err != nil && !errors.Is(err, store.ErrFenced) {
				s.logger.Warn("can't turn lines into pages", "err", err)
			}
		})
	}
	return nil
}

// batchRows returns the rows of a batch.
func batchRows(b *store.Batch, turn uint64) []*row {
	var rows []*row
	split(b.Entries, rowBytes/2, entrySize, func(entries []store.Entry) {
		bodies := make([][]byte, len(entries))
		for i, e := range entries {
			bodies[i] = e.Body
		}
		first, last := entries[0].Index, entries[len(entries)-1].Index
		rows = append(rows, &row{partition: partitionLog, key: fmt.Sprintf("e%016x-%08x", first, turn),
			span: span{Turn: turn, First: first, Last: last}, value: encode(bodies)})
	})
	split(b.Lines, rowBytes/2, lineSize, func(lines []store.Line) {
		rows = append(rows, linesRow(partitionLog, fmt.Sprintf("l%016x-%08x", lines[0].Seq, turn), turn, lines, ""))
	})
	return rows
}

// putFirst writes those rows of a batch that don't fit into one transaction with the head, each time with a head that
// says the same as before, so that only the writer can. It returns that head and the rows that are left.
func (s *Store) putFirst(ctx context.Context, h *head, rows []*row) (*head, []*row, error) {
	for {
		n, bytes := 0, 64<<10
		for n < len(rows) && n < transactionRows-2 && bytes+len(rows[n].value) < transactionBytes {
			bytes += len(rows[n].value) + 1024
			n++
		}
		if n == len(rows) {
			return h, rows, nil
		}
		if err := s.changeLocked(ctx, func(*head) {}, rows[:n]); err != nil {
			return nil, nil, err
		}
		var err error
		if h, err = s.writable(); err != nil {
			return nil, nil, err
		}
		rows = rows[n:]
	}
}

// putCheckpoint writes the chunks of a checkpoint.
func (s *Store) putCheckpoint(ctx context.Context, turn uint64, c *store.Checkpoint) (checkpoint, error) {
	id := fmt.Sprintf("%016x-%08x-%08x", c.Index, turn, rand.Uint32())
	var rows []*row
	for rest := c.Body; len(rest) > 0; {
		n := min(len(rest), rowBytes)
		key := fmt.Sprintf("%s-%06d", id, len(rows))
		rows = append(rows, &row{partition: partitionCheckpoints, key: key, value: rest[:n]})
		rest = rest[n:]
	}
	err := s.table.upsert(ctx, rows)
	return checkpoint{ID: id, Log: c.Log, Index: c.Index, Size: len(c.Body), Parts: len(rows)}, err
}

// Close waits for what goes on in the background.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.background.Wait()
	return nil
}
