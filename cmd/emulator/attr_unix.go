//go:build unix && !linux

package main

import "syscall"

// childAttr keeps Ctrl-C in the terminal from the child, which is told to end in its turn.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func browserAttr() *syscall.SysProcAttr { return childAttr() }
