//go:build !race

package attacktest

// raceDetector reports whether the race detector is on, which takes several times the memory.
const raceDetector = false
