//go:build unix

package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errAddressInUse is what listening on a taken port gives.
const errAddressInUse = syscall.EADDRINUSE

// askToEnd tells a process to end as platforms do.
func askToEnd(p *os.Process, _ io.Closer) error {
	// One that is paused would hear of it only when it is resumed.
	_ = p.Signal(syscall.SIGCONT)
	return p.Signal(syscall.SIGTERM)
}

// pauseProcess stops a process where it is: it says nothing any more, and its connections stay open.
func pauseProcess(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resumeProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// readInBackground makes reading the terminal fail for a program started with &, which would else be stopped by it.
func readInBackground() { signal.Ignore(syscall.SIGTTIN) }
