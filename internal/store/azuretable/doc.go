// Package azuretable is a store in one table of an Azure storage account. Any number of processes may have it open; one
// of them writes.
//
// # Rows
//
// All rows have a binary value, split into properties of 64 KiB (D0, D1, ...), because strings hold only half as much.
// Keys must not contain / \ # ? and control characters, so that names of rooms are encoded in them.
//
//	partition  row                          value
//	log        h, version                   the head: what the store has, and which rows count
//	log        e, first index, turn         entries of one batch
//	log        l, first line number, turn   lines of one batch, until they are in pages
//	c          id, chunk                    a part of a checkpoint
//	r + room   reversed number, turn        a page: up to 60 KiB of lines of one room, the newest first
//
// The head is what alone makes other rows count. Each change of it removes the row of one version and inserts that of
// the next, in one transaction, together with the rows of the batch: a reader has all or nothing, and a writer whose
// turn is over changes nothing, because the row that it would remove is no more. What does not fit into one transaction
// (4 MiB, 100 rows, one partition) is written first: chunks of checkpoints, pages, the first rows of a large batch. The
// head comes next, and then go the rows that it has replaced.
//
// A turn begins with each Claim, and with each batch that goes behind an index below the head. The head has for each
// turn where its entries, lines and pages begin. A row counts only for what lies within its turn; so what a late writer
// writes, or a crash leaves, never counts. Rewrite removes such rows.
//
// # Cost
//
// A batch is one transaction, whatever its number of entries. Some 500 lines later the lines become pages, with one
// write for each room that they are in.
//
// # Concurrency
//
//	goroutine  started by                        owns          ends; who waits
//	paging     an Append behind many lines       Store.upkeep  the lines are in pages; Close
package azuretable
