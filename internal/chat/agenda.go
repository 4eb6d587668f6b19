package chat

import (
	"container/heap"
	"time"
)

// task is something to do at a time. It is looked at again then: it may have become void.
type task struct {
	at   time.Time
	kind taskKind
	user uint64 // of expireHeld and endTyping
	gen  uint64 // of expireHeld
	room string // of endTyping and sendRoster
}

type taskKind uint8

const (
	expireHeld taskKind = iota
	endTyping
	sendRoster
	lookForCalm
	tellOfCrowd
	showPresence
	stopWaiting
	lookAtCluster
	lookOnce
	payOwed
)

const (
	maxExpired  = 1000 // users that one entry expires
	expireAgain = 10 * time.Second
)

// agenda holds what is to be done, the next first, and the one timer that wakes the chat for it.
type agenda struct {
	tasks taskHeap
	timer *time.Timer
	wake  time.Time // what the timer is set to; zero: nothing
}

type taskHeap []task

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h taskHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *taskHeap) Push(t any)        { *h = append(*h, t.(task)) }
func (h *taskHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// schedule puts a task on the agenda.
func (c *Chat) schedule(t task) {
	if c.closed {
		return
	}
	heap.Push(&c.agenda.tasks, t)
	c.setTimer()
}

func (c *Chat) setTimer() {
	a := &c.agenda
	if len(a.tasks) == 0 || !a.wake.IsZero() && !a.tasks[0].at.Before(a.wake) {
		return
	}
	a.wake = a.tasks[0].at
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(a.wake), c.tick)
	} else {
		a.timer.Reset(time.Until(a.wake))
	}
}

func (a *agenda) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.tasks = nil
}

// tick does what is due.
func (c *Chat) tick() {
	c.mu.Lock()
	defer c.unlock()
	if c.closed {
		return
	}
	now := time.Now()
	var expired []stamp
	for len(c.agenda.tasks) > 0 && !c.agenda.tasks[0].at.After(now) {
		switch t := heap.Pop(&c.agenda.tasks).(task); t.kind {
		case expireHeld:
			if u := c.state.users[t.user]; u == nil || u.status != held || u.gen != t.gen {
				break
			}
			if len(expired) < maxExpired {
				expired = append(expired, stamp{User: t.user, Gen: t.gen})
				t.at = now.Add(expireAgain) // should the entry not get through
			} else {
				t.at = now.Add(time.Millisecond)
			}
			heap.Push(&c.agenda.tasks, t)
		case endTyping:
			c.endTyping(typer{t.user, t.room}, now)
		case sendRoster:
			c.sendDueRoster(t.room, now)
		case lookForCalm:
			c.lookForCalm(now)
		case tellOfCrowd:
			if !c.gathering.due.After(now) {
				c.tellGathered()
			}
		case showPresence:
			c.tellGathered()
			c.showPresence()
		case stopWaiting:
			c.stopWaiting(now)
		case lookAtCluster:
			c.lookAtCluster()
			c.schedule(task{at: now.Add(statusEvery), kind: lookAtCluster})
		case lookOnce:
			c.lookAtCluster()
		case payOwed:
			c.pay()
		}
	}
	if len(expired) > 0 {
		command := command{Kind: expireUser, Users: expired}
		if err := c.backplane.Log.Append(command.encode()); err != nil {
			c.logger().Warn("log did not take an expiry", "err", err)
		}
	}
	c.agenda.wake = time.Time{}
	c.setTimer()
}
