package main

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// errAddressInUse is what listening on a taken port gives here: syscall.EADDRINUSE is a number of Go's own on this system.
const errAddressInUse = windows.WSAEADDRINUSE

// childAttr keeps Ctrl-C in the console from the child, which is told to end in its turn.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func browserAttr() *syscall.SysProcAttr { return childAttr() }
