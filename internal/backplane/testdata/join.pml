/*
 * Joining and bootstrapping, as the model checker spin sees them. It explores every order in which the steps of the
 * instances and the faults below can follow each other. There is no time: an instance may rest as long as it likes
 * between any two steps, which is a pause, a slow link and silence in one, and every timeout may be over at any moment.
 *
 * An instance is silent as long as it rests. It is prompt otherwise: that nobody answers within ten seconds means that
 * everybody else is silent, or not in sync either.
 *
 * What is modelled: one topic with an order of messages; a subscription for each instance, which others may delete;
 * join requests, snapshots, bootstraps and entries; the fence, by which an instance that bootstraps first deletes the
 * subscriptions of the members that have not read its request. What is not: an instance that may not delete
 * subscriptions, for which waiting takes the place of the fence, and the repair of gaps.
 *
 * The claim: one order. If an instance has bootstrapped at a place in the topic, then no entry behind that place is
 * acknowledged by a member of another cluster.
 *
 *	-DCOLD     begin with nothing, instead of a cluster of all instances
 *	-DNOFENCE  leave out the fence: the claim does not hold
 *	-DREACH    claim that nobody bootstraps beside living members: that must be wrong, or else the model shows nothing
 */

#ifndef N
#define N 3
#endif
#ifndef LENGTH
#define LENGTH 8	/* messages that the topic takes, and one */
#endif
#define DELETIONS 1	/* of subscriptions, as faults */
#define CRASHES 1
#define ENTRIES 2
#define NOBODY 255

mtype = { request, bootstrap, entry, snapshot };

typedef message {
	mtype kind;
	byte from;
	byte to;	/* of a snapshot; others go to everybody */
	byte cluster;	/* of the sender; 0: none */
	byte about	/* of a snapshot: where in the topic the request is that it answers */
}
message topic[LENGTH];
byte length = 1;	/* place 0 stays empty */

typedef member {
	bool subscribed;
	byte next;	/* the place in the topic that it reads next */
	byte taken;	/* how far the subscription has been read; next goes back to what it has buffered */
	bool inSync;
	byte cluster;	/* where its cluster was bootstrapped; 0: it has no state */
	bool asking;	/* its request is on its way back */
	byte asked;	/* where its request is, once that has come back */
	bool heard;	/* since then, of somebody who may answer */
	bool fencing;	/* it is about to bootstrap */
	bool bootstrapping;	/* its bootstrap is on its way back */
	byte answered	/* the place of its last request that a donor has answered: one donor suffices */
}
member m[N];

byte deletions, crashes, entries;	/* so far */
byte lastBootstrap, lastAcknowledged;	/* where in the topic */

#define ask_anew(i) m[i].asking = false; m[i].asked = 0; m[i].heard = false; \
	m[i].fencing = false; m[i].bootstrapping = false

inline publish(what, sender, receiver, its, place) {
	topic[length].kind = what; topic[length].from = sender; topic[length].to = receiver;
	topic[length].cluster = its; topic[length].about = place;
	length++
}

/* acknowledge is what happens to an own entry that comes back to an instance in sync. */
inline acknowledge(i, at) {
	assert(lastBootstrap == m[i].cluster || lastBootstrap > at);
	if
	:: at > lastAcknowledged -> lastAcknowledged = at
	:: else
	fi
}

/* begin is what happens when an instance is in sync by its own bootstrap. */
inline begin(i, at) {
#ifdef REACH
	assert(lastBootstrap == 0);
#endif
	assert(lastAcknowledged < at);
	lastBootstrap = at;
	m[i].inSync = true; m[i].cluster = at;
	ask_anew(i)
}

/* read has an instance take the next message of its subscription. */
inline read(i) {
	at = m[i].next;
	m[i].next++;
	if
	:: m[i].next > m[i].taken -> m[i].taken = m[i].next
	:: else
	fi;
	if
	:: topic[at].kind == request && topic[at].from == i && m[i].asking ->
		m[i].asking = false; m[i].asked = at
	:: topic[at].kind == request && topic[at].from != i && m[i].inSync && length < LENGTH &&
			m[topic[at].from].answered < at ->
		m[topic[at].from].answered = at;
		publish(snapshot, i, topic[at].from, m[i].cluster, at)
	:: topic[at].kind == bootstrap && topic[at].from == i && m[i].bootstrapping ->
		if
		:: m[i].heard -> m[i].bootstrapping = false; m[i].asked = at	/* a request like any other */
		:: else -> begin(i, at)
		fi
	:: topic[at].kind == bootstrap && topic[at].from != i && m[i].inSync && length < LENGTH &&
			m[topic[at].from].answered < at ->
		m[topic[at].from].answered = at;
		publish(snapshot, i, topic[at].from, m[i].cluster, at)
	:: topic[at].kind == bootstrap && topic[at].from != i && !m[i].inSync ->
		m[i].heard = true; m[i].fencing = false
	:: topic[at].kind == snapshot && topic[at].to == i && !m[i].inSync ->
		if
		:: topic[at].about == m[i].asked && m[i].asked > 0 ->
			m[i].inSync = true; m[i].cluster = topic[at].cluster;
			m[i].next = m[i].asked + 1;	/* it has buffered the log from there on */
			ask_anew(i)
		:: else -> m[i].heard = true; m[i].fencing = false
		fi
	:: topic[at].kind == entry && !m[i].inSync ->
		m[i].heard = true; m[i].fencing = false
	:: topic[at].kind == entry && m[i].inSync && topic[at].cluster == m[i].cluster && topic[at].from == i ->
		acknowledge(i, at)
	:: topic[at].kind == entry && m[i].inSync && topic[at].cluster < m[i].cluster ->
		m[i].inSync = false; ask_anew(i)	/* the other cluster is older */
	:: else
	fi;
	at = 0
}

/* silent reports whether j has not read the request of i: the topic's counts of messages say so. */
#define silent(i, j) (m[j].subscribed && m[j].taken <= m[i].asked)

/* quiet reports whether j does not keep i from bootstrapping: it is silent, or it has read all there is and can't
 * answer, because it is not in sync either. One that is in sync and has read the request would have answered by now,
 * and i waits. */
#define quiet(i, j) (i == j || !m[j].subscribed || silent(i, j) || m[j].next == length && !m[j].inSync)

#define mayBegin(i) (!m[i].inSync && m[i].asked > 0 && !m[i].heard && m[i].subscribed && !m[i].bootstrapping && \
	quiet(i, 0) && quiet(i, 1) && quiet(i, 2))

#ifdef NOFENCE
#define fenced(i) true
#else
#define fenced(i) ((i == 0 || !silent(i, 0)) && (i == 1 || !silent(i, 1)) && (i == 2 || !silent(i, 2)))
#endif

proctype instance(byte i) {
	byte at;
end:	do
	:: d_step { m[i].subscribed && m[i].next < length -> read(i) }

	/* It learns that its subscription is gone, and makes another. */
	:: d_step { !m[i].subscribed ->
		m[i].subscribed = true; m[i].next = length; m[i].taken = length;
		m[i].inSync = false; ask_anew(i) }

	:: d_step { !m[i].inSync && !m[i].asking && m[i].asked == 0 && m[i].subscribed && length < LENGTH ->
		m[i].asking = true;
		publish(request, i, NOBODY, m[i].cluster, 0) }

	/* Nobody has answered: it asks again, */
	:: d_step { !m[i].inSync && m[i].asked > 0 && m[i].heard && !m[i].bootstrapping -> ask_anew(i) }
	/* or wants to bootstrap. */
	:: d_step { mayBegin(i) && !m[i].fencing -> m[i].fencing = true }
#ifndef NOFENCE
	:: d_step { m[i].fencing && i != 0 && silent(i, 0) -> m[0].subscribed = false }
	:: d_step { m[i].fencing && i != 1 && silent(i, 1) -> m[1].subscribed = false }
	:: d_step { m[i].fencing && i != 2 && silent(i, 2) -> m[2].subscribed = false }
#endif
	:: d_step { m[i].fencing && mayBegin(i) && fenced(i) && length < LENGTH ->
		m[i].fencing = false; m[i].bootstrapping = true;
		publish(bootstrap, i, NOBODY, m[i].cluster, 0) }

	:: d_step { m[i].inSync && entries < ENTRIES && length < LENGTH ->
		entries++;
		publish(entry, i, NOBODY, m[i].cluster, 0) }

	/* It crashes, and starts again under its name with the subscription that it had. Instances differ by nothing but
	 * their numbers, so the faults of one or two stand for those of all. */
	:: d_step { crashes < CRASHES && i > 0 ->
		crashes++;
		m[i].inSync = false; m[i].cluster = 0; ask_anew(i) }

	/* Somebody deletes its subscription. */
	:: d_step { deletions < DELETIONS && i == N-1 && m[i].subscribed ->
		deletions++;
		m[i].subscribed = false }
	od
}

init {
	byte i;
	atomic {
		for (i : 0 .. N-1) {
			m[i].subscribed = true;
			m[i].next = length;
			m[i].taken = length;
		}
#ifndef COLD
		publish(bootstrap, 0, NOBODY, 0, 0);
		lastBootstrap = 1;
		for (i : 0 .. N-1) {
			m[i].next = length;
			m[i].taken = length;
			m[i].inSync = true;
			m[i].cluster = 1;
		}
#endif
		for (i : 0 .. N-1) {
			run instance(i);
		}
	}
}
