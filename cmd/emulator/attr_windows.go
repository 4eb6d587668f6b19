package main

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// errAddressInUse is the error of listening on a port in use. On Windows syscall.EADDRINUSE is an
// invented number.
const errAddressInUse = windows.WSAEADDRINUSE

// childAttr puts the child into a process group of its own, so that Ctrl-C in the terminal does not
// reach it.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func browserAttr() *syscall.SysProcAttr { return childAttr() }
