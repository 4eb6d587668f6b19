package backplane

import (
	"compress/flate"
	"io"
	"sync"
)

// decompressor reads what pack has compressed. Its 40 KiB are used again.
type decompressor struct{ io.ReadCloser }

var decompressors sync.Pool

func newDecompressor(packed io.Reader) *decompressor {
	d, ok := decompressors.Get().(*decompressor)
	if !ok {
		return &decompressor{flate.NewReader(packed)}
	}
	_ = d.ReadCloser.(flate.Resetter).Reset(packed, nil) // it returns nil always
	return d
}

func (d *decompressor) free() {
	_ = d.ReadCloser.(flate.Resetter).Reset(nil, nil) // keeps no snapshot
	decompressors.Put(d)
}
