package main

import "syscall"

// childAttr keeps Ctrl-C in the terminal from the child, which is told to end in its turn, and ends the child when this process dies of
// whatever. The kernel watches the thread that started the child; Go ends a thread only when a goroutine locked to it ends, and
// this program locks none.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// browserAttr keeps Ctrl-C in the terminal from the browser.
func browserAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
