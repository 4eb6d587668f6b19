package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"chatapp/internal/stopsignal"
)

// exitSignal is the exit status of shells for Ctrl-C, for systems on which a process can't end
// itself by a signal.
const exitSignal = 130

// closeOnDeath closes the console even when a signal ends the process at once: a second Ctrl-C, or
// SIGQUIT (Ctrl-\), which prints all goroutines. The returned function stops that and waits.
func closeOnDeath(s *console) (end func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(stopsignal.All(), syscall.SIGQUIT)...)
	over := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for first := true; ; first = false {
			select {
			case death := <-signals:
				if first && death != syscall.SIGQUIT {
					continue // it ends the command in order
				}
				s.close()
				signal.Reset(death)
				self, err := os.FindProcess(os.Getpid())
				if err == nil && !signal.Ignored(death) && self.Signal(death) == nil {
					<-over // the process ends first
				}
				os.Exit(exitSignal)
			case <-over:
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(over)
		waiting.Wait()
	}
}
