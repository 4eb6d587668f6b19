// Package internal is the project's architecture in one place: it has no code, only the test of the table that says
// which package may import which. This comment is for people who change the project: the words it uses, and how to do
// the usual jobs. README.md has the data path and the packages; each package comment has the package's goroutines.
//
// # Glossary
//
// Protocol words (packet, session, namespace, ack, link, settle, ...) mean what their documents say. Beyond those:
//
//	instance      one worker process; a member of the cluster while the others count it in
//	cluster       all instances that follow one log
//	bus           what carries messages between instances: a Service Bus topic, or memory
//	envelope      the body of one message on the bus: a batch of entries, or a part of a snapshot
//	entry         one numbered record of the log; its body is a command of the chat or of the cluster itself
//	log           all entries, in the one order in which the bus delivers them to every instance
//	log index     how many entries an instance has accepted; equal on all instances that are in sync
//	lineage       the logs that a state has followed, one branched from the other, and how far
//	rules         what apply does with entries; the log says which version of them holds
//	epoch         one stay of an instance in the cluster; the instance's entries are numbered within it
//	in sync       an instance is in sync while it applies the log without a gap; only then is it ready
//	join request  the entry by which an instance that is not in sync asks for a snapshot
//	donor         the member that answers a join request with a snapshot
//	snapshot      the encoded state at one log index
//	bootstrap     to begin a log, because no member answers
//	state         what every instance computes from the log: users, rooms, history
//	position      the id of a line of history, and so the offset from which a client resumes
//	claim         the command by which a client takes, or takes back, a nickname
//	resume token  the secret by which a user takes a nickname back, on any instance
//	disconnected  a user whose connection was lost, and whose nickname is reserved until it expires
//	roster        the list of the people in a room, as clients receive it
//	coalesce      to send many changes as one
//
// # Adding an event
//
// Write its row in chat/VOCABULARY.md first, with arguments, answer and error codes. Write the handler beside the part
// of the chat that it concerns (chat/chat.go lists them), and register it in chat/events.go. A handler decodes and
// checks its arguments before it takes the lock. What only reads answers at once (chat/queries.go). What changes
// anything that others can see becomes a command: the handler appends it to the log, chat/reply.go answers the client
// when the command comes back, and chat/broadcast.go tells the others. Nothing is encoded or sent under the lock: the
// methods of the outbox only queue. Test it as a client sees it, over
// both endpoints, in chat/events_test.go.
//
// # Changing what log entries do
//
// Instances of two builds share a log during a deployment, and must decide every entry alike. So the state carries a
// version of the rules, and follows that, never the build. A change of what an existing command does, or of a limit
// that a command is held against, raises state.Rules, and applies only if State.Rules says so; the old way stays in the
// code. A new command takes the next kind in chat/state/command.go, which is never used again, a struct with its
// fields, their limits in valid, and apply, which depends on nothing but the state and the entry; since names the rules
// that it comes with. It is appended only once the state follows those. Add it to the tables of command_test.go and to
// the random commands of reachable_test.go. The cluster raises the rules by an entry a minute after its last instance
// of an older build has gone. From then on older builds end with a sentence that says so: to go back to one, end the
// whole cluster first.
//
// An entry that apply can't deal with is skipped, alike on every instance. The log has "entry can't be applied,
// skipped" with its index, and each instance saves the first 32 in its directory for temporary files, as
// chatapp-skipped-INSTANCE-INDEX.cbor.
//
// # Finding out why an instance is out of sync
//
// GET /readyz, asked on METRICS_PORT or from the same machine, answers 503 with the reason. The log has it too: "out of
// sync" with the reason when it happens, "not in sync yet" with what the instance waits for while it lasts, and "in
// sync" at the end. The metric chat.instance.state has one series for each state; chat.log.gaps and chat.log.repeats
// show what the bus did. With PPROF_PORT=6060 the worker serves net/http/pprof on 127.0.0.1:6060 alone:
//
//	go tool pprof http://127.0.0.1:6060/debug/pprof/profile
//	curl 'http://127.0.0.1:6060/debug/pprof/goroutine?debug=2'
//
// # Simulating the cluster
//
// Package simulation lives two minutes of a cluster's life, with faults, from one seed, in a fraction of a second. Run
// some more seeds than the suite does before and after a change of the log, the chat or its state. A seed that fails is
// told by its number and with its story, and fails again alone:
//
//	go test ./internal/simulation -run TestSeeds -from 1000 -seeds 500
//	go test ./internal/simulation -run TestSeeds -seed 1017 -v
//
// A run that takes hours notes every hundred seeds where it is, and goes on from there when it is started again:
//
//	go test ./internal/simulation -run TestSeeds -seeds 1000000 -progress /tmp/seeds -timeout 0
//
// # Running the fuzz targets and the long runs
//
// Every decoder of foreign bytes has a fuzz target. One target at a time runs for as long as -fuzztime says; a failing
// input is written to the package's testdata/fuzz, and is committed with its fix:
//
//	git grep -n 'func Fuzz'
//	go test -run '^$' -fuzz '^FuzzPacket$' -fuzztime 10m ./internal/socketio
//
// Some tests of the chat run longer where the environment says so: CHAT_TEST_SEEDS is the number of random schedules,
// CHAT_TEST_USERS that of the users on each of three instances who must all receive one sequence.
//
//	CHAT_TEST_SEEDS=1000 CHAT_TEST_USERS=100 go test -run 'RandomSchedules|OneSequence' -timeout 2h ./internal/chat
//
// The chaos tests kill, pause and cut off processes under load, on the emulator. The long form has 300 users and faults
// of full length:
//
//	go test ./internal/chaostest -chaos.full -timeout 2h
//
// # Cutting a release
//
// On a clean clone of main, .ci/run passes. Measure again what the change may have moved, with cmd/loadtest beside the
// previous release, and correct README.md where it says something else now. Raise the version constants of the formats
// that changed: the envelope in backplane, command and snapshot in chat/state. Then tag the commit and build the image,
// whose VERSION the worker logs at its start:
//
//	git tag -s v1.2.3 && git push origin v1.2.3
//	docker build --tag chatapp:1.2.3 --build-arg VERSION=v1.2.3 .
//
// azd up deploys a checkout, with its commit as the version.
package internal
