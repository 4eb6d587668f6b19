package backplane

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// errLarge is a snapshot whose state is above Limits.MaxState.
var errLarge = errors.New("the state is too large")

// newCompressor returns what pack needs.
func newCompressor() *flate.Writer {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // only a wrong level is an error
	}
	return w
}

// pack compresses a snapshot: the length of its encoding without the state, in four bytes, that encoding,
// and the state. The state passes through the compressor w, which is reset, without another copy.
func (s *snapshot) pack(w *flate.Writer) ([]byte, error) {
	head := *s
	head.State = nil
	encoded, err := head.encode()
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w.Reset(&packed)
	for _, part := range [][]byte{binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded, s.State} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("compress snapshot: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress snapshot: %w", err)
	}
	return packed.Bytes(), nil
}

// unpackHead reads a packed snapshot without its state.
func unpackHead(packed []byte) (*snapshot, error) {
	d := newDecompressor(bytes.NewReader(packed))
	defer d.free()
	return readHead(d, math.MaxInt32)
}

// unpackSnapshot reads a packed snapshot in parts. A state above the limit in bytes is refused before more
// than that is decompressed.
func unpackSnapshot(parts [][]byte, limit int) (*snapshot, error) {
	readers := make([]io.Reader, len(parts))
	for i, part := range parts {
		readers[i] = bytes.NewReader(part)
	}
	d := newDecompressor(io.MultiReader(readers...))
	defer d.free()
	s, err := readHead(d, limit)
	if err != nil {
		return nil, err
	}
	s.State, err = readAtMost(d, limit)
	return s, err
}

// readHead reads the part of a snapshot that is before the state.
func readHead(r io.Reader, limit int) (*snapshot, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, fmt.Errorf("%w: snapshot: %w", errMalformed, err)
	}
	head, err := readAtMost(io.LimitReader(r, int64(binary.BigEndian.Uint32(length[:]))), limit)
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(head)
}

func readAtMost(r io.Reader, limit int) ([]byte, error) {
	all, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: snapshot: %w", errMalformed, err)
	case len(all) > limit:
		return nil, fmt.Errorf("%w: more than %d bytes", errLarge, limit)
	}
	return all, nil
}
