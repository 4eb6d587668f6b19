package main

import "bytes"

// A text sent by this program starts with a stamp of fixed width and is filled up with letters, so
// that a receiver can tell which message it is, how old, and whether every byte has arrived. It
// consists of letters and digits only, which no server has a reason to escape or trim.
//
//	l t r r r r s s s s s q q q q q q q q t t t t t t t t t t t t a b c ...
//	    run     sender    sequence        nanoseconds             filling
const (
	stampMark   = "lt"
	runDigits   = 4
	senderDigit = 5
	seqDigits   = 8
	timeDigits  = 12 // 78 hours of nanoseconds
	stampSize   = len(stampMark) + runDigits + senderDigit + seqDigits + timeDigits
	maxSenders  = 1 << (4 * senderDigit)
)

// stamp identifies one message of one run.
type stamp struct {
	run    uint64 // tells this run's messages from others on the same server
	sender uint64
	seq    uint64
	at     uint64 // nanoseconds since the run's epoch at which the message was sent
}

// filling returns the letters after the stamp in a text of size bytes.
func filling(size int) []byte {
	letters := make([]byte, max(size-stampSize, 0))
	for i := range letters {
		letters[i] = 'a' + byte(i%26)
	}
	return letters
}

// appendText appends the text of one message: its stamp and the letters that fill it up.
func appendText(dst []byte, s stamp, letters []byte) []byte {
	dst = append(dst, stampMark...)
	dst = appendHex(dst, s.run, runDigits)
	dst = appendHex(dst, s.sender, senderDigit)
	dst = appendHex(dst, s.seq, seqDigits)
	dst = appendHex(dst, s.at, timeDigits)
	return append(dst, letters...)
}

// parseText reads a text that appendText has made with the same letters. If ok is false, the text
// is none of these, or, if ours is true, a damaged one.
func parseText(text, letters []byte) (s stamp, ours, ok bool) {
	if len(text) < stampSize || string(text[:len(stampMark)]) != stampMark {
		return stamp{}, false, false
	}
	digits := text[len(stampMark):stampSize]
	var bad byte
	s.run, bad = parseHex(digits[:runDigits], bad)
	digits = digits[runDigits:]
	s.sender, bad = parseHex(digits[:senderDigit], bad)
	digits = digits[senderDigit:]
	s.seq, bad = parseHex(digits[:seqDigits], bad)
	s.at, bad = parseHex(digits[seqDigits:], bad)
	if bad&notHex != 0 {
		return stamp{}, false, false
	}
	return s, true, bytes.Equal(text[stampSize:], letters)
}

const hexDigits = "0123456789abcdef"

// notHex is the bit that hexValues sets for a byte that is no digit.
const notHex = 0x80

var hexValues = func() (values [256]byte) {
	for i := range values {
		values[i] = notHex
	}
	for i, digit := range []byte(hexDigits) {
		values[digit] = byte(i)
	}
	return values
}()

func appendHex(dst []byte, value uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[value>>shift&0xf])
	}
	return dst
}

// parseHex adds to bad the bits of all values, so that four fields need only one check.
func parseHex(digits []byte, bad byte) (uint64, byte) {
	var value uint64
	for _, digit := range digits {
		v := hexValues[digit]
		bad |= v
		value = value<<4 | uint64(v&0xf)
	}
	return value, bad
}
