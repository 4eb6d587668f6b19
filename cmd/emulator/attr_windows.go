package main

import "syscall"

// childAttr keeps Ctrl-C in the console from the child, which is told to end in its turn.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func browserAttr() *syscall.SysProcAttr { return childAttr() }
