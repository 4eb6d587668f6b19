package main

import "syscall"

// childAttr puts the child into a process group of its own, so that Ctrl-C in the terminal does not
// reach it, and has the kernel kill it when this process ends in any way. The kernel watches the
// thread that started the child. Go ends a thread only with a goroutine locked to it, and this
// program locks none.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// browserAttr keeps Ctrl-C in the terminal from the browser.
func browserAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
