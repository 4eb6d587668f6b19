//go:build unix

package worker

import (
	"math"
	"syscall"
)

// openFiles returns the process's limit of open files, math.MaxInt for none.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 {
		return math.MaxInt
	}
	return int(limit.Cur)
}
