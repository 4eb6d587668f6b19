package storetest

import (
	"fmt"
	"slices"

	"chatapp/internal/store"
)

// content is what a store has, in the simplest form: the model that others are compared with.
type content struct {
	kept        store.Kept
	entries     []store.Entry
	lines       []store.Line
	checkpoints []store.Checkpoint // ascending
}

func (c *content) append(b *store.Batch) error {
	kept, err := c.kept.Append(b)
	if err != nil {
		return err
	}
	lines := c.lines
	if b.After < c.kept.Head.Index {
		lines = slices.DeleteFunc(slices.Clone(lines), func(l store.Line) bool { return l.Index > b.After })
		var last uint64
		if n := len(lines); n > 0 {
			last = lines[n-1].Seq
		}
		if err := b.Behind(last); err != nil {
			return err
		}
		if len(b.Lines) == 0 {
			kept.Head.Seq = last
		}
	}
	c.lines = lines
	for _, line := range b.Lines {
		line.Body = slices.Clone(line.Body)
		c.lines = append(c.lines, line)
	}
	c.entries = slices.DeleteFunc(c.entries, func(e store.Entry) bool {
		return e.Index > b.After || e.Index <= kept.Floor
	})
	for _, entry := range b.Entries {
		c.entries = append(c.entries, store.Entry{Index: entry.Index, Body: slices.Clone(entry.Body)})
	}
	c.checkpoints = slices.DeleteFunc(c.checkpoints, func(old store.Checkpoint) bool {
		return old.Index > b.After || old.Index < kept.Checkpoint
	})
	if b.Checkpoint != nil {
		c.checkpoints = slices.DeleteFunc(c.checkpoints, func(old store.Checkpoint) bool {
			return old.Index == b.Checkpoint.Index
		})
		checkpoint := *b.Checkpoint
		checkpoint.Body = slices.Clone(checkpoint.Body)
		c.checkpoints = append(c.checkpoints, checkpoint)
	}
	c.kept = kept
	return nil
}

func (c *content) dropEntries(through uint64) error {
	n := len(c.checkpoints)
	if n == 0 || through > c.checkpoints[n-1].Index {
		return fmt.Errorf("drop the entries up to index %d: no checkpoint contains them", through)
	}
	c.checkpoints = c.checkpoints[n-1:]
	c.kept.Checkpoint = c.checkpoints[0].Index
	c.kept.Floor = max(c.kept.Floor, through)
	c.entries = slices.DeleteFunc(c.entries, func(e store.Entry) bool { return e.Index <= through })
	return nil
}

func (c *content) rewrite(through uint64, change func(*store.Line) store.Change) {
	var lines []store.Line
	for _, line := range c.lines {
		if line.Seq <= through {
			changed := line
			changed.Body = slices.Clone(line.Body)
			switch change(&changed) {
			case store.Drop:
				continue
			case store.Replace:
				line.Body, line.User = changed.Body, changed.User
			}
		}
		lines = append(lines, line)
	}
	c.lines = lines
}

func (c *content) page(room string, before uint64, limit int) store.Page {
	var page store.Page
	for _, line := range slices.Backward(c.lines) {
		if line.Room != room || before != 0 && line.Seq >= before {
			continue
		}
		if len(page.Lines) == limit {
			page.More = true
			break
		}
		page.Lines = append(page.Lines, line)
	}
	slices.Reverse(page.Lines)
	return page
}

func (c *content) rooms() []string {
	seen := make(map[string]bool)
	var rooms []string
	for _, line := range c.lines {
		if !seen[line.Room] {
			seen[line.Room] = true
			rooms = append(rooms, line.Room)
		}
	}
	return rooms
}
