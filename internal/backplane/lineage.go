package backplane

import (
	"cmp"
	"slices"
)

// clusterID names one log, of the cluster that follows it. Every bootstrap makes another one, even with a state that
// another log has led to.
type clusterID struct {
	_       struct{} `cbor:",toarray"`
	Stamp   uint64   // epoch of the instance that bootstrapped it
	Founder string   // name of that instance
}

func (c clusterID) olderThan(other clusterID) bool {
	if c.Stamp != other.Stamp {
		return c.Stamp < other.Stamp
	}
	return c.Founder < other.Founder
}

// branch is a part of the history of a state: it followed a log up to an index. There another log began, with that
// state, or the state ends.
type branch struct {
	_       struct{} `cbor:",toarray"`
	Cluster clusterID
	Index   uint64
}

// maxBranches bounds what is known of a state's history. The oldest branch is forgotten first.
const maxBranches = 64

// lineage is the history of a state: the logs that it followed one after the other, and how far. The empty one is that
// of an instance without state.
type lineage []branch

// compare orders lineages. Of two states the greater one has more of the log that both have followed last, or if they
// left that log at the same index, went on where the other ended. If they have no log in common, or two began at one
// index, the one that follows the older log is the greater one. If one state contains the other, it is not less.
//
// The order is total, so that any number of clusters that meet agree on the one to go on with.
func (l lineage) compare(other lineage) int {
	a, b := align(l, other)
	for i := range a {
		switch {
		case i == len(b):
			return 1
		case a[i].Cluster != b[i].Cluster:
			if a[i].Cluster.olderThan(b[i].Cluster) {
				return 1
			}
			return -1
		case a[i].Index != b[i].Index:
			return cmp.Compare(a[i].Index, b[i].Index)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// align cuts off the oldest logs that only one of two lineages still knows.
func align(a, b lineage) (lineage, lineage) {
	if len(a) == 0 || len(b) == 0 {
		return a, b
	}
	for i := range a {
		if a[i].Cluster == b[0].Cluster {
			return a[i:], b
		}
	}
	for i := range b {
		if b[i].Cluster == a[0].Cluster {
			return a, b[i:]
		}
	}
	return a, b
}

// follows reports whether the state has followed a log.
func (l lineage) follows(log clusterID) bool {
	return slices.ContainsFunc(l, func(b branch) bool { return b.Cluster == log })
}

// lineage is the history of the log state; empty for nil.
func (l *logState) lineage() lineage {
	if l == nil {
		return nil
	}
	return append(l.parents[:len(l.parents):len(l.parents)], branch{Cluster: l.cluster, Index: l.index})
}

// begin begins a log with the log state as it is. loaded says that this was loaded.
func (l *logState) begin(cluster clusterID, loaded bool) {
	if l.index > 0 {
		l.parents = l.lineage()
		l.parents = l.parents[max(0, len(l.parents)-maxBranches):]
	}
	l.cluster, l.loaded = cluster, loaded
}
