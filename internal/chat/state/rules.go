package state

// Rules is the newest version of the rules that this build knows. The rules are everything that decides what an entry
// does to a State: the kinds of commands, their limits, and what apply does. Builds of different versions run in one
// cluster, so a State follows the version that it carries, never that of the build: until the log raises it, a newer
// build applies entries by the older rules.
//
// A change of the rules takes the next version. What it changes asks State.Rules, and a kind of command that it adds is
// a laterAction. The older rules stay in the code as long as a cluster may follow them.
//
// Version 2 tells rooms apart as nicknames are: it adds Enter, and the keys of rooms to the snapshot.
//
// Version 3 lets users have themselves forgotten, and old lines be dropped: it adds Forget, ConfirmErased and Retain,
// and to the snapshot what of the history is gone.
//
// Version 4 lets settings change while the log goes on: it adds Adjust, and to the snapshot how long lines are kept.
//
// Version 5 refuses a claim that was under way while its client became another user.
//
// Version 6 does so also when that user has lost its connection meanwhile.
//
// Version 7 finds the user of a client whose instance does not know it: it adds Move. A user that is known is given a
// variant of a nickname that is taken, where its claim accepts one.
const Rules = 7

// EnterSince is the first version that knows Enter, and in which rooms have keys.
const EnterSince = 2

// HistorySince is the first version that knows Forget, ConfirmErased and Retain.
const HistorySince = 3

// SettingsSince is the first version that knows Adjust.
const SettingsSince = 4

// lateClaimSince is the first version that refuses the claim of a client that is another user meanwhile.
const lateClaimSince = 5

// laterUserSince is the first version in which that user need not be connected.
const laterUserSince = 6

// MoveSince is the first version that knows Move, and in which no claim that accepts a variant is refused because its
// nickname is taken, be its user known or not.
const MoveSince = 7

// Rules returns the version of the rules that the State follows.
func (s *State) Rules() uint64 { return s.log.rules }

// Raise has the State follow a version of the rules from the entry at on. All members of the cluster know it.
func (s *State) Raise(at Entry, version uint64) {
	s.begin(at)
	if s.log.rules < HistorySince && version >= HistorySince {
		s.guessPast()
	}
	s.log.rules = max(s.log.rules, version)
}

// laterAction is an action that was added after version 1 of the rules. Instances skip it until the State follows the
// version that added it.
type laterAction interface {
	Action
	since() uint64
}
