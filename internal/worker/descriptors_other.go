//go:build !unix

package worker

import "math"

// openFiles returns math.MaxInt: memory alone limits how many sockets a process has here.
func openFiles() int { return math.MaxInt }
