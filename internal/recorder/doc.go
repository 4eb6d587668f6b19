// Package recorder keeps a node's log in a store, and starts a node from it: it is a backplane.Recorder on a
// store.Store.
//
// # First or behind
//
// Where nothing else outlives the process, entries are stored first: Record returns once they are, and only then the
// state machine applies them and clients are answered. The node gives the next call all that came meanwhile, so that
// one sync of a disk serves it. The lines that an entry leads to are known when it is applied. They go with the next
// batch; after a crash, applying the entry again leads to the same lines.
//
// Where the bus keeps what is published until it is stored, the archivist, which is the oldest member in sync, stores
// behind: a goroutine writes entries with their lines in batches. The others keep the same entries in memory until the
// archivist says that they are stored, so that each of them can go on in its place. Each archivist claims the store,
// which fences the one before; so two of them for a moment harm nothing.
//
// # Where the store is down
//
// The bus then keeps what the store lacks, and the archivist catches up later, from its own memory. A bus that is full
// would refuse everything. So the archivist asks once a minute how full it is, as long as the store is behind. Beyond
// 80 percent it drops the oldest messages of the archive and says so: what is accepted from then on is lost if all
// instances end before the store has it. The other instances learn from the archivist's batches how the store does.
//
// # Checkpoints
//
// A start reads the newest checkpoint and applies the entries behind it. So a checkpoint is due whenever those have
// become many, and where entries are missing: in an empty store, behind an outage that was longer than the memory for
// it, and at a new archivist that has joined by a snapshot.
//
// A store whose log has lost against the one that the node follows is rewound to the branch. A store that has no log in
// common with the node's is left alone, and nothing is saved: it may be the only copy of somebody's chat. So is, where
// nothing joins the processes, a store that another process has written since this one read it: it has told its clients
// that all of that is saved.
//
// # Concurrency
//
// Messages of the archive are completed by a goroutine of Run, which waits for it, and received by another one for as
// long as this process writes. A message is completed once the log has passed it and is stored up to there. A third
// goroutine, which Run waits for too, drops messages where the bus is nearly full.
//
// The node's loop calls the methods of backplane.Recorder, and Lines from within StateMachine. Run's caller owns the
// goroutine that drops entries which a checkpoint contains, and that writes, if entries are stored behind. Upkeep may
// run beside it, on another one. Recorder.mu guards all fields but Upkeep's own; no call of the store is made while it
// is held. Status may be called at any time.
package recorder
