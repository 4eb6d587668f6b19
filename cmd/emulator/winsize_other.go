//go:build !unix

package main

// terminalSize is not known here, so that output is as to a file.
func terminalSize(any) (rows, columns int, ok bool) { return 0, 0, false }
