//go:build unix

package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errAddressInUse is the error of listening on a port in use.
const errAddressInUse = syscall.EADDRINUSE

// terminate ends a process as platforms do, by SIGTERM.
func terminate(p *os.Process, _ io.Closer) error {
	// A suspended process receives the signal only once it is resumed.
	_ = p.Signal(syscall.SIGCONT)
	return p.Signal(syscall.SIGTERM)
}

// pauseProcess suspends a process: it is silent, and its connections stay open.
func pauseProcess(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resumeProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// readInBackground makes reads from the terminal fail for a program started with &. By default they
// would stop it.
func readInBackground() { signal.Ignore(syscall.SIGTTIN) }
