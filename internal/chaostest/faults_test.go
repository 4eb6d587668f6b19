package chaostest

import (
	"testing"
	"time"

	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/emulatortest"
)

// Whatever happens to Service Bus and the way to it, the chat loses nothing, doubles nothing, and has one order.
func TestFaults(t *testing.T) {
	e := emulatortest.Start(t)
	s := &site{emulator: e}
	for _, name := range []string{"a", "b", "c"}[:instances] {
		s.instances = append(s.instances, startHere(t, e, name))
		s.instances[0].ready(t)
	}
	for _, i := range s.instances {
		i.ready(t)
	}
	s.populate(t, s.urls())
	subscription := func(i int) string { return "chat/Subscriptions/" + s.instances[i].name }
	repeat := func(t *testing.T, every time.Duration, do func()) {
		for lasts := scaled(10*time.Second, 3*time.Second); lasts > 0; lasts -= every {
			do()
			pause(t, every)
		}
	}
	set := func(t *testing.T, status broker.Status) {
		if err := e.SetStatus("chat", status); err != nil {
			t.Fatal(err)
		}
	}
	for _, fault := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"nothing", func(*testing.T) {}},
		{"connections dropped every second", func(t *testing.T) {
			repeat(t, time.Second, func() { e.DropConnections() })
		}},
		{"connections dropped in mid-transfer", func(t *testing.T) {
			repeat(t, time.Second, func() { e.DropMidTransfer(3) })
		}},
		{"links detached", func(t *testing.T) {
			repeat(t, time.Second, func() { e.DetachLinks("", "amqp:link:detach-forced", "chaos") })
		}},
		{"delivered twice", func(t *testing.T) {
			repeat(t, time.Second, func() {
				for i := range s.instances {
					if err := e.DeliverTwice(subscription(i), 20); err != nil {
						t.Error(err)
					}
				}
			})
		}},
		{"locks lost", func(t *testing.T) {
			repeat(t, time.Second, func() {
				for i := range s.instances {
					if _, err := e.LoseLocks(subscription(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}},
		{"server busy", func(t *testing.T) {
			e.ServerBusy(scaled(10*time.Second, 2*time.Second))
			pause(t, scaled(10*time.Second, 2*time.Second))
		}},
		{"silence", func(t *testing.T) {
			e.GoSilent(scaled(5*time.Second, 2*time.Second))
			pause(t, scaled(5*time.Second, 2*time.Second))
		}},
		{"tokens refused", func(t *testing.T) {
			e.RefuseTokens(scaled(10*time.Second, 2*time.Second))
			e.DropConnections()
			pause(t, scaled(10*time.Second, 2*time.Second))
		}},
		{"subscription deleted", func(t *testing.T) {
			if err := e.Delete(subscription(1)); err != nil {
				t.Error(err)
			}
		}},
		{"topic disabled and enabled", func(t *testing.T) {
			set(t, broker.StatusDisabled)
			pause(t, scaled(10*time.Second, 2*time.Second))
			set(t, broker.StatusActive)
		}},
		{"emulator restarted", func(t *testing.T) {
			if err := e.Restart(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			s.round(t, func() { fault.do(t) })
		})
	}
}
