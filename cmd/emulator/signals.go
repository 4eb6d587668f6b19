package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// endSignals are those that end the command in order: also that of a terminal that is closed, unless it was started to outlive that.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// exitSignal is the exit status of a program that a signal has ended, as shells have it, where it cannot end by the signal itself: that of
// Ctrl-C.
const exitSignal = 130

// closeOnDeath closes the screen also when the process is to die at once: by a second Ctrl-C, and by the signal (Ctrl-\) that has a program
// tell what its goroutines do. The function returned ends that.
func closeOnDeath(s *screen) (end func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(endSignals(), syscall.SIGQUIT)...)
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
					<-over // or rather, the end of all
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
