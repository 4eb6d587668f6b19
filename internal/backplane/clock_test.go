package backplane

import (
	"testing"
	"time"
)

// busEpoch is what the bus's clock shows at someTime.
var busEpoch = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)

func TestBusClockIsBoundedByMessages(t *testing.T) {
	at := func(d time.Duration) time.Time { return someTime.Add(d) }
	bus := func(d time.Duration) time.Time { return busEpoch.Add(d) }
	for _, test := range []struct {
		name  string
		steps func(c *busClock)
		want  time.Duration // of busEpoch, at someTime
	}{
		{"a message of another is no older than shown", func(c *busClock) {
			c.received(at(0), bus(-time.Second))
		}, -time.Second},
		{"a later one is", func(c *busClock) {
			c.received(at(0), bus(-time.Second))
			c.received(at(time.Minute), bus(time.Minute-20*time.Millisecond))
		}, -20 * time.Millisecond},
		{"a backlog moves nothing", func(c *busClock) {
			c.received(at(0), bus(0))
			c.received(at(time.Minute), bus(-time.Hour))
		}, 0},
		{"an own one is no newer than when it was appended", func(c *busClock) {
			c.received(at(0), bus(time.Hour)) // the bus's clock was set back since
			c.received(at(time.Minute), bus(time.Minute))
			c.own(at(time.Minute - time.Second))
		}, time.Second},
		{"one that comes with a backlog is no older than when the bus had it", func(c *busClock) {
			c.received(at(time.Minute), bus(time.Second))
			c.own(at(9 * time.Second))
			c.sent(at(10 * time.Second))
			c.received(at(time.Minute), bus(10*time.Second))
			c.own(at(9 * time.Second))
			c.sent(at(10 * time.Second))
		}, 0},
		{"one without a time moves nothing", func(c *busClock) {
			c.received(at(0), bus(0))
			c.received(at(time.Minute), time.Time{})
			c.own(at(0))
		}, 0},
	} {
		var c busClock
		if !c.now(someTime).IsZero() {
			t.Errorf("%s: time is known before a message", test.name)
		}
		test.steps(&c)
		if got := c.now(someTime).Sub(busEpoch); got != test.want {
			t.Errorf("%s: clock shows %v, want %v", test.name, got, test.want)
		}
	}
}

// Machines whose clocks are a day ahead, a day behind or step do not move the log's time, and say that they are wrong.
func TestWrongClocksMoveNobodysTime(t *testing.T) {
	s := newSimulation(7)
	var stamps []int64
	var late []time.Duration
	s.applied = func(e *Entry) {
		stamps = append(stamps, e.Time)
		late = append(late, s.busTime().Sub(time.UnixMilli(e.Time)))
	}
	steps := 0
	wrong := map[string]func(time.Time) time.Time{
		"right":  func(now time.Time) time.Time { return now.Add(s.busTime().Sub(s.now)) },
		"ahead":  func(now time.Time) time.Time { return now.Add(s.busTime().Sub(s.now) + 24*time.Hour) },
		"behind": func(now time.Time) time.Time { return now.Add(s.busTime().Sub(s.now) - 24*time.Hour) },
		"steps": func(now time.Time) time.Time {
			steps++
			return now.Add(s.busTime().Sub(s.now) + time.Duration(steps%7-3)*time.Hour)
		},
	}
	nodes := make(map[string]*simNode)
	for _, name := range []string{"right", "ahead", "behind", "steps"} {
		nodes[name] = s.start(name)
		nodes[name].wall = wrong[name]
		s.run(5 * time.Second)
	}
	s.run(20 * time.Second)
	for i := range 100 {
		for _, n := range s.live() {
			n.say(t, n.instance+" says "+time.Duration(i).String())
		}
		s.run(300 * time.Millisecond)
	}
	s.run(5 * time.Second)
	if len(stamps) < 4*4*100 {
		t.Fatalf("%d entries were applied, want all at all", len(stamps))
	}
	for i, d := range late {
		if d < 0 || d > time.Second {
			t.Fatalf("entry %d is stamped %v before it is applied, want the time of its way", i, d)
		}
	}
	for name, n := range nodes {
		warned := n.logged["this machine's clock differs from that of the bus; entries are stamped with the bus's"]
		if (warned > 0) != (name != "right") {
			t.Errorf("%s has warned of its clock %d times", name, warned)
		}
	}
}
