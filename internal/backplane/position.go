package backplane

// LogID names a log. Every bootstrap begins another one.
type LogID struct {
	Stamp   uint64 // epoch of the instance that began it
	Founder string // name of that instance
}

// Branch is a part of a state's history: it followed a log up to an index.
type Branch struct {
	Log   LogID
	Index uint64
}

// Lineage is the history of a state, oldest log first. The last branch is the log that it follows, and how far.
type Lineage []Branch

// Last returns the log that the state follows and how far it has; the zero Branch if there is no state.
func (l Lineage) Last() Branch {
	if len(l) == 0 {
		return Branch{}
	}
	return l[len(l)-1]
}

// Common returns up to where two states have the same history. It reports false if they have no log in common.
func (l Lineage) Common(other Lineage) (Branch, bool) {
	for i := len(l) - 1; i >= 0; i-- {
		for _, b := range other {
			if b.Log == l[i].Log {
				return Branch{Log: b.Log, Index: min(b.Index, l[i].Index)}, true
			}
		}
	}
	return Branch{}, false
}

// position exports the lineage of a log state.
func (l *logState) position() Lineage {
	var exported Lineage
	for _, b := range l.lineage() {
		exported = append(exported, Branch{Log: LogID{b.Cluster.Stamp, b.Cluster.Founder}, Index: b.Index})
	}
	return exported
}
