package store

import "fmt"

// Last returns the index that the log reaches with the batch.
func (b *Batch) Last() uint64 {
	switch {
	case len(b.Entries) > 0:
		return b.Entries[len(b.Entries)-1].Index
	case b.Checkpoint != nil:
		return max(b.After, b.Checkpoint.Index)
	}
	return b.After
}

// Kept is what a store has of a log.
type Kept struct {
	Head       Head
	Floor      uint64 // entries up to it are not kept
	Checkpoint uint64 // index of the oldest checkpoint; 0: there is none
}

// Append returns what is kept once a batch is appended. It returns an error, which wraps ErrGap if that is it, for a
// batch that the contract forbids. If the batch drops something, the store has to find out the number of the last line
// that is left, to call Batch.Behind with it, and to set Head.Seq to it if the batch then has no lines.
func (k Kept) Append(b *Batch) (Kept, error) {
	if err := b.valid(); err != nil {
		return k, err
	}
	first := b.After + 1 // entry
	if len(b.Entries) > 0 {
		first = b.Entries[0].Index
	} else if b.Checkpoint != nil {
		first = b.Checkpoint.Index + 1
	}
	joined := first == b.After+1 && b.After <= k.Head.Index && !(k.Floor > 0 && b.After < k.Checkpoint)
	if !joined {
		if b.Checkpoint == nil {
			return k, fmt.Errorf("append behind index %d to a log that is kept from %d to %d: %w",
				b.After, k.Checkpoint, k.Head.Index, ErrGap)
		}
		k.Floor = first - 1
	}
	if b.After >= k.Head.Index {
		if err := b.Behind(k.Head.Seq); err != nil {
			return k, err
		}
	}
	if b.Checkpoint != nil && (!joined || k.Checkpoint == 0 || k.Checkpoint > b.After) {
		k.Checkpoint = b.Checkpoint.Index
	} else if k.Checkpoint > b.After {
		k.Checkpoint = 0
	}
	k.Head.Log, k.Head.Index = b.Log, b.Last()
	if n := len(b.Lines); n > 0 {
		k.Head.Seq = b.Lines[n-1].Seq
	}
	return k, nil
}

// Behind removes late lines from the batch that a store with lines up to a number has already: the batch is appended
// again. It returns an error if any other line has a number up to that one.
func (b *Batch) Behind(seq uint64) error {
	for len(b.Lines) > 0 && b.Lines[0].Seq <= seq {
		if b.Lines[0].Index > b.After {
			return fmt.Errorf("append line %d behind line %d", b.Lines[0].Seq, seq)
		}
		b.Lines = b.Lines[1:]
	}
	return nil
}

// valid reports what the batch alone shows to be wrong.
func (b *Batch) valid() error {
	last := b.Last()
	for i, entry := range b.Entries {
		switch {
		case i > 0 && entry.Index != b.Entries[i-1].Index+1:
			return fmt.Errorf("append entry %d behind entry %d", entry.Index, b.Entries[i-1].Index)
		case entry.Index <= b.After:
			return fmt.Errorf("append entry %d behind index %d", entry.Index, b.After)
		}
	}
	if b.Checkpoint != nil && b.Checkpoint.Index != last {
		return fmt.Errorf("append a checkpoint at index %d with entries up to %d", b.Checkpoint.Index, last)
	}
	for i, line := range b.Lines {
		switch {
		case i > 0 && (line.Seq <= b.Lines[i-1].Seq || line.Index < b.Lines[i-1].Index):
			return fmt.Errorf("append line %d of index %d behind line %d of index %d",
				line.Seq, line.Index, b.Lines[i-1].Seq, b.Lines[i-1].Index)
		case line.Index > last:
			return fmt.Errorf("append a line of index %d with entries up to %d", line.Index, last)
		case line.Seq == 0:
			return fmt.Errorf("append a line of index %d without a number", line.Index)
		}
	}
	return nil
}
