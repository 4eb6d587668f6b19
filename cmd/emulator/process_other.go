//go:build !unix

package main

import (
	"errors"
	"io"
	"os"
)

// askToEnd tells a process to end by ending its standard input: there are no signals for it here.
func askToEnd(_ *os.Process, stdin io.Closer) error { return stdin.Close() }

var errNoPause = errors.New("this system can't pause a process")

func pauseProcess(*os.Process) error  { return errNoPause }
func resumeProcess(*os.Process) error { return errNoPause }

func readInBackground() {}
