//go:build !unix

package main

import (
	"errors"
	"io"
	"os"
)

// terminate ends a process by closing its standard input: this system has no signals for it.
func terminate(_ *os.Process, stdin io.Closer) error { return stdin.Close() }

var errNoPause = errors.New("this system can't pause a process")

func pauseProcess(*os.Process) error  { return errNoPause }
func resumeProcess(*os.Process) error { return errNoPause }

func readInBackground() {}
