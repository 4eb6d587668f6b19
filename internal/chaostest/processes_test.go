package chaostest

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
)

// startProcesses starts a cluster of worker processes.
func startProcesses(t *testing.T, names ...string) *site {
	t.Helper()
	s := &site{emulator: emulatortest.Start(t)}
	for _, name := range names {
		s.instances = append(s.instances, startProcess(t, s.emulator, name, 0))
		s.instances[0].ready(t)
	}
	for _, i := range s.instances {
		i.ready(t)
	}
	return s
}

// lose has some users of an instance vanish for ever, and returns how many: those who only listen.
func (s *site) lose(at *instance, n int) {
	for _, c := range s.users[writers:] {
		if n > 0 && !s.lost[c.Name()] && c.State().Instance == at.name {
			c.Vanish()
			s.lost[c.Name()] = true
			n--
		}
	}
}

// restart has another instance take the place and the address of one that has ended, as users know no other. It ends with t.
func (s *site) restart(t *testing.T, old *instance, name string) {
	t.Helper()
	i := startProcess(t, s.emulator, name, old.port)
	i.ready(t)
	s.instances = append(s.instances, i)
}

// Whatever happens to an instance, its users go on at the others, and those of them who don't come back leave once.
func TestInstances(t *testing.T) {
	whole := t
	s := startProcesses(t, "a", "b", "c")
	s.populate(t, s.urls())
	t.Run("paused", func(t *testing.T) {
		frozen := s.instances[1]
		s.round(t, func() {
			frozen.signal(t, syscall.SIGSTOP)
			s.lose(frozen, 2)
			pause(t, scaled(20*time.Second, 14*time.Second))
			frozen.signal(t, syscall.SIGCONT)
			frozen.ready(t)
		})
	})
	t.Run("killed", func(t *testing.T) {
		dead := s.instances[2]
		s.round(t, func() {
			dead.signal(t, syscall.SIGSTOP) // so that it cannot tell of the users it loses
			s.lose(dead, 2)
			dead.signal(t, syscall.SIGKILL)
			dead.end()
			s.instances = slices.Delete(s.instances, 2, 3)
		})
		s.restart(whole, dead, "d")
	})
	t.Run("drained", func(t *testing.T) {
		old := s.instances[0]
		s.round(t, func() {
			old.end() // by SIGTERM
			s.instances = slices.Delete(s.instances, 0, 1)
		})
	})
}
