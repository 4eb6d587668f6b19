package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// If an instance is paused, cut off or killed, the others go on, all agree afterwards, and lost users leave once.
func TestInstanceInTroubleLosesNothing(t *testing.T) {
	for _, test := range []struct {
		name    string
		trouble func(*system, *instance)
		evicted bool
		// left and back say whether it is announced that the instance's users have left, and have joined again.
		left, back bool
	}{
		{"paused for a moment", func(s *system, i *instance) {
			i.bus.Stall(true)
			time.Sleep(3 * time.Second)
			i.bus.Stall(false)
		}, false, false, false},
		{"paused until evicted", func(s *system, i *instance) {
			i.bus.Stall(true)
			time.Sleep(10 * time.Second) // an instance that was just heard is not probed
			s.instances[0].node.Suspect(i.name)
			time.Sleep(15 * time.Second)
			i.bus.Stall(false)
		}, true, false, false},
		{"cut off for a moment", func(s *system, i *instance) {
			i.bus.Cut(true)
			time.Sleep(4 * time.Second)
			i.bus.Cut(false)
		}, false, false, false},
		{"cut off until evicted", func(s *system, i *instance) {
			i.bus.Cut(true)
			time.Sleep(10 * time.Second)
			s.instances[0].node.Suspect(i.name)
			time.Sleep(20 * time.Second)
			i.bus.Cut(false)
		}, true, false, false},
		{"killed", func(s *system, i *instance) {
			s.kill(i)
			s.instances[0].node.Suspect(i.name)
		}, true, true, false},
		{"cut off for longer than the hold time", func(s *system, i *instance) {
			i.bus.Cut(true)
			time.Sleep(10 * time.Second)
			s.instances[0].node.Suspect(i.name)
			time.Sleep(60 * time.Second)
			i.bus.Cut(false)
		}, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSystem(t, Options{}, "a", "b", "c")
				observer := s.instances[0].join("Observer")
				var theirs []*testUser
				for n := range 5 {
					theirs = append(theirs, s.instances[1].join(fmt.Sprint("User ", n)))
				}
				third := s.instances[2].join("Third")
				synctest.Wait()
				observer.announcements()

				trouble := make(chan struct{})
				go func() {
					defer close(trouble)
					test.trouble(s, s.instances[1])
				}()
				said := 0
				for n := range 30 {
					if (test.back || !test.left) && n < 10 {
						theirs[n%5].Send(fmt.Sprintf(`2["user message","theirs %d"]`, n))
						said++
					}
					third.Send(fmt.Sprintf(`2["user message","third %d"]`, n))
					said++
					time.Sleep(500 * time.Millisecond)
				}
				<-trouble
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				s.wantAlike()
				if evicted := s.instances[0].node.Counters().Evictions > 0; evicted != test.evicted {
					t.Errorf("instance was evicted: %v, want %v", evicted, test.evicted)
				}

				observer.Send(`28["history",{"limit":200}]`)
				var left, messages []string
				for {
					text := observer.Next("events")
					if strings.HasPrefix(text, "38[") {
						break
					}
					if rest, ok := strings.CutPrefix(text, `2["user message","`); ok {
						messages = append(messages, rest[:strings.Index(rest, `{`)])
					}
					if rest, ok := strings.CutPrefix(text, `2["announcement","`); ok {
						left = append(left, rest[:strings.Index(rest, `"`)])
					}
				}
				slices.Sort(left)
				var want []string
				for n := range theirs {
					if test.back {
						want = append(want, fmt.Sprintf("User %d connected", n))
					}
					if test.left {
						want = append(want, fmt.Sprintf("User %d disconnected", n))
					}
				}
				if !slices.Equal(left, want) {
					t.Errorf("announced was %q, want %q", left, want)
				}
				unique := slices.Compact(slices.Sorted(slices.Values(messages)))
				if len(messages) != said || len(unique) != said {
					t.Errorf("the observer received %d messages, %d different ones, want %d",
						len(messages), len(unique), said)
				}
				if test.back || !test.left {
					theirs[0].drain()
					theirs[0].sent("and we go on")
				}
			})
		})
	}
}
