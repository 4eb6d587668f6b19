// Package simulation runs a whole cluster of the chat in virtual time, with everything that can go wrong, from one
// seed.
//
// A run is two minutes in the life of three to five instances. Each has the real node of package backplane, the
// real chat, and the real Socket.IO server. Between them is a simulated bus, which delays, repeats and refuses
// messages, falls silent, and loses subscriptions or all of the topic. One message can reach several instances, so
// that those which join share snapshots; some instances are of a build that can't. In some runs a queue stands beside
// the topic, through which one instance gathers the batches of all. In others a store and an archive outlive all
// instances: the store fails, loses answers and does writes late, all instances crash at once, and whoever starts
// again goes on from there. One life in ten is that of a single instance with the real store in a folder. It crashes
// while it writes a batch, of which any part is then in the folder. Instances are paused, crash, and are replaced by
// others of a build with other rules. Users who write, rename themselves, lose their connection and return elsewhere
// are simulated, too, as the page behaves. For ninety seconds faults come and go; then all is well, and half a minute
// later the judge compares what every user was sent with what every instance holds.
//
// Everything follows from the seed, so a run that fails can be repeated, with a story of what happened:
//
//	go test ./internal/simulation -run TestSeeds -seed 4711
//
// # Concurrency
//
// A run is one goroutine in a bubble of testing/synctest, which steps the nodes by backplane.Driver. The chat's
// timers run on goroutines of the runtime while that one sleeps. They only append to the node, which has a lock; the
// run then looks after what the node has to send. The few goroutines on which a session ends have ended when a step
// is over. The goroutine that seals the logs of a folder changes nothing that the run sees.
package simulation
