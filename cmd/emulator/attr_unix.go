//go:build unix && !linux

package main

import "syscall"

// childAttr puts the child into a process group of its own, so that Ctrl-C in the terminal does not
// reach it.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func browserAttr() *syscall.SysProcAttr { return childAttr() }
