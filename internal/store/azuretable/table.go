package azuretable

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"chatapp/internal/store"
)

// maxTop is how many rows the service gives at most.
const maxTop = 1000

// table is the table and what is done with its rows.
type table struct {
	client *aztables.Client
	name   string
}

func status(err error) int {
	if response, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return response.StatusCode
	}
	return 0
}

// create makes the table unless there is one.
func (t *table) create(ctx context.Context) error {
	_, err := t.client.CreateTable(ctx, nil)
	if status(err) == http.StatusConflict {
		return nil
	}
	return err
}

// query calls yield with rows that match a filter, in the order of their keys, until it returns false. With spans, the
// rows have no values. top is the number of rows to ask for at first, and then four times as many each time; 0: as many
// as the service gives.
func (t *table) query(ctx context.Context, filter string, spans bool, top int32, yield func(*row) (bool, error)) error {
	options := &aztables.ListEntitiesOptions{Filter: &filter}
	if spans {
		properties := spanProperties
		options.Select = &properties
	}
	if top > 0 {
		options.Top = &top
	}
	format := aztables.MetadataFormatFull // has the ETags
	options.Format = &format
	pager := t.client.NewListEntitiesPager(options)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			if status(err) == http.StatusNotFound { // there is no table yet
				return nil
			}
			return err
		}
		for _, entity := range page.Entities {
			r, err := decodeRow(entity)
			if err != nil {
				return err
			}
			if more, err := yield(r); err != nil || !more {
				return err
			}
		}
		if top > 0 {
			options.Top = new(min(4*(*options.Top), maxTop)) // the pager reads it again
		}
	}
	return nil
}

// action is a change of a row.
type action struct {
	kind aztables.TransactionType
	row  *row
}

// submit does all actions, which are of one partition, or none.
func (t *table) submit(ctx context.Context, actions []action) error {
	all := make([]aztables.TransactionAction, 0, len(actions))
	for _, a := range actions {
		r := a.row
		if a.kind == aztables.TransactionTypeDelete {
			r = &row{partition: r.partition, key: r.key}
		}
		entity, err := r.encode()
		if err != nil {
			return err
		}
		act := aztables.TransactionAction{ActionType: a.kind, Entity: entity}
		if a.kind == aztables.TransactionTypeDelete {
			any := azcore.ETagAny
			act.IfMatch = &any
		}
		all = append(all, act)
	}
	_, err := t.client.SubmitTransaction(ctx, all, nil)
	return err
}

// upsert writes rows of one partition, a transaction's worth at a time.
func (t *table) upsert(ctx context.Context, rows []*row) error {
	var failed error
	split(rows, transactionBytes, func(r *row) int { return len(r.value) + 1024 }, func(part []*row) {
		for len(part) > 0 && failed == nil {
			n := min(len(part), transactionRows)
			var actions []action
			for _, r := range part[:n] {
				actions = append(actions, action{aztables.TransactionTypeInsertReplace, r})
			}
			failed = t.submit(ctx, actions)
			part = part[n:]
		}
	})
	return failed
}

// put writes one row.
func (t *table) put(ctx context.Context, r *row) error {
	entity, err := r.encode()
	if err != nil {
		return err
	}
	_, err = t.client.UpsertEntity(ctx, entity, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
	return err
}

// replace writes a row in place of the one that was read, if nobody has changed that since.
func (t *table) replace(ctx context.Context, r *row) error {
	entity, err := r.encode()
	if err != nil {
		return err
	}
	etag := azcore.ETag(r.etag)
	_, err = t.client.UpdateEntity(ctx, entity, &aztables.UpdateEntityOptions{IfMatch: &etag,
		UpdateMode: aztables.UpdateModeReplace})
	if status(err) == http.StatusPreconditionFailed {
		return fmt.Errorf("another process has changed row %s: %w", r.key, store.ErrFenced)
	}
	return err
}

// remove removes rows, which may be gone, of any partitions.
func (t *table) remove(ctx context.Context, rows []*row) error {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && n < transactionRows && rows[n].partition == rows[0].partition {
			n++
		}
		var actions []action
		for _, r := range rows[:n] {
			actions = append(actions, action{aztables.TransactionTypeDelete, r})
		}
		if err := t.submit(ctx, actions); err != nil { // one that is gone makes all fail
			for _, r := range rows[:n] {
				_, err := t.client.DeleteEntity(ctx, r.partition, r.key, nil)
				if err != nil && status(err) != http.StatusNotFound {
					return err
				}
			}
		}
		rows = rows[n:]
	}
	return nil
}

// readLog returns the head, and the rows with lines that are not in pages. The head is the zero one if there is none.
func (t *table) readLog(ctx context.Context, withLines bool) (*head, []*row, error) {
	filter := "PartitionKey eq 'log' and RowKey ge 'h' and RowKey lt 'i'"
	if withLines {
		filter = "PartitionKey eq 'log' and RowKey ge 'h' and RowKey lt 'm'"
	}
	h := &head{Format: formatVersion}
	var rows []*row
	err := t.query(ctx, filter, false, 0, func(r *row) (bool, error) {
		if r.key[0] == 'h' {
			var err error
			h, err = decodeHead(r)
			return true, err
		}
		rows = append(rows, r)
		return true, nil
	})
	return h, rows, err
}
