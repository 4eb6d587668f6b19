// Package stopsignal holds what the commands agree on about signals.
package stopsignal

import (
	"os"
	"os/signal"
	"syscall"
)

// All returns the signals that stop a command in order: SIGTERM of a platform, Ctrl-C, and SIGHUP of
// a closed terminal, unless the command was started to ignore that (nohup).
func All() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// IgnoreBrokenPipe makes a write to a closed pipe fail instead of ending the process. By default
// SIGPIPE ends a Go program when it writes to standard output or error and the reader has gone,
// such as a log collector that restarts.
func IgnoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
