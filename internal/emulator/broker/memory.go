package broker

import "runtime/debug"

// largeEntity is how many bytes have to become free at once to be returned to the operating system. The runtime would
// keep them for minutes.
const largeEntity = 64 << 20

// returnMemory returns memory to the operating system if much has become free. It takes some milliseconds for each
// gigabyte that is still in use: call it without a lock.
func returnMemory(freed int64) {
	if freed >= largeEntity {
		debug.FreeOSMemory()
	}
}
