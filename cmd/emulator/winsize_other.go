//go:build !unix

package main

// terminalSize is not implemented on this system, which makes every output a file.
func terminalSize(any) (rows, columns int, ok bool) { return 0, 0, false }
