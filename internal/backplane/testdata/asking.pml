/*
 * How instances that are all out of sync let each other know of that, as the model checker spin sees it. The model of
 * joining has no time; here nothing but time matters, in seconds.
 *
 * Instance 0 has the longest log, and is to bootstrap. It does so as soon as it has heard the join request of every
 * other instance within the last LASTS seconds: one that it has not heard for longer may be in sync again, and only
 * unable to answer. The others wait for instance 0, and request again after REQUEST seconds. Their requests come as much as LATE
 * seconds late. They may have begun at any moments.
 *
 * The claim: instance 0 bootstraps. It does not hold if the others request less often than LASTS allows.
 */

#define N 3
#ifndef REQUEST
#define REQUEST 5	/* maxJoinerTimeout */
#endif
#define LASTS 10	/* joinerLasts */
#define LATE 2
#define LOOK 8		/* lookEvery */

byte due[N];	/* until the next request of each is heard */
byte heard[N];	/* seconds since the last one was; LASTS and more are alike */
byte look = LOOK;	/* until instance 0 looks which of the others it has heard */
bool bootstrapped;

ltl instanceBootstraps { <> bootstrapped }

active proctype cluster() {
	byte i, next;
	for (i : 1 .. N-1) {
		select (next : 1 .. REQUEST);
		due[i] = next;
		heard[i] = LASTS
	}
	do
	:: !bootstrapped ->
		for (i : 1 .. N-1) {
			due[i]--;
			if
			:: due[i] == 0 ->
				heard[i] = 0;
				select (next : REQUEST .. REQUEST + LATE);
				due[i] = next
			:: due[i] > 0 && heard[i] < LASTS -> heard[i]++
			:: else
			fi
		}
		look--;
		if
		:: look == 0 ->
			look = LOOK;
			bootstrapped = heard[1] < LASTS && heard[2] < LASTS
		:: else
		fi
	:: bootstrapped -> break
	od
}
