package embedded

import (
	"encoding/binary"
	"fmt"
	"slices"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// manifest says which files make up the store, but for the logs behind its first. kept is what the store has at the
// beginning of that log.
type manifest struct {
	number      uint64 // of its file; 0: there is none
	firstLog    uint64
	kept        store.Kept
	checkpoints []checkpointFile // ascending
	lines       []listed
	entries     []listed
}

// checkpointFile is a checkpoint, whose body is in a file.
type checkpointFile struct {
	number uint64
	log    store.LogID
	index  uint64
}

// listed is a file with pages. What it has above the index cut is dropped.
type listed struct{ number, cut uint64 }

func (m *manifest) clone() *manifest {
	c := *m
	c.checkpoints = slices.Clone(m.checkpoints)
	c.lines = slices.Clone(m.lines)
	c.entries = slices.Clone(m.entries)
	return &c
}

func appendManifest(b []byte, m *manifest) []byte {
	b = appendHeader(b, kindManifest)
	b = binary.AppendUvarint(b, m.firstLog)
	b = appendLog(b, m.kept.Head.Log)
	for _, v := range []uint64{m.kept.Head.Index, m.kept.Head.Seq, m.kept.Head.Term, m.kept.Floor, m.kept.Checkpoint} {
		b = binary.AppendUvarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(m.checkpoints)))
	for _, c := range m.checkpoints {
		b = binary.AppendUvarint(b, c.number)
		b = appendLog(b, c.log)
		b = binary.AppendUvarint(b, c.index)
	}
	for _, files := range [][]listed{m.lines, m.entries} {
		b = binary.AppendUvarint(b, uint64(len(files)))
		for _, f := range files {
			b = binary.AppendUvarint(b, f.number)
			b = binary.AppendUvarint(b, f.cut)
		}
	}
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b))
}

func decodeManifest(b []byte) (*manifest, error) {
	b, err := checkSum(b, kindManifest)
	if err != nil {
		return nil, err
	}
	in := reader{all: b}
	m := &manifest{firstLog: in.uvarint()}
	m.kept.Head.Log = in.log()
	head := &m.kept.Head
	for _, v := range []*uint64{&head.Index, &head.Seq, &head.Term, &m.kept.Floor, &m.kept.Checkpoint} {
		*v = in.uvarint()
	}
	for range in.count(4) {
		c := checkpointFile{number: in.uvarint(), log: in.log()}
		c.index = in.uvarint()
		m.checkpoints = append(m.checkpoints, c)
	}
	for _, files := range []*[]listed{&m.lines, &m.entries} {
		for range in.count(2) {
			*files = append(*files, listed{in.uvarint(), in.uvarint()})
		}
	}
	return m, in.end("a manifest")
}

// checkSum checks header and checksum of a file, and returns what is between.
func checkSum(b []byte, kind byte) ([]byte, error) {
	body, err := checkHeader(b, kind)
	if err != nil {
		return nil, err
	}
	n := len(b) - 4
	if len(body) < 4 || binary.BigEndian.Uint32(b[n:]) != folder.Checksum(b[:n]) {
		return nil, fmt.Errorf("its checksum is wrong: %w", store.ErrCorrupt)
	}
	return body[:len(body)-4], nil
}

func appendCheckpoint(b []byte, c *store.Checkpoint) []byte {
	b = appendHeader(b, kindCheckpoint)
	b = appendLog(b, c.Log)
	b = binary.AppendUvarint(b, c.Index)
	b = appendBytes(b, c.Body)
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b))
}

func decodeCheckpoint(b []byte) (*store.Checkpoint, error) {
	b, err := checkSum(b, kindCheckpoint)
	if err != nil {
		return nil, err
	}
	in := reader{all: b}
	c := &store.Checkpoint{Log: in.log(), Index: in.uvarint()}
	c.Body = in.bytes()
	return c, in.end("a checkpoint")
}

// logHead is the size of what begins a log: the header, where the log before ends, the salt, and a checksum.
const logHead int64 = int64(headerSize) + 8 + 4 + 4

func appendLogHead(b []byte, previousEnd int64, salt uint32) []byte {
	b = appendHeader(b, kindLog)
	b = binary.BigEndian.AppendUint64(b, uint64(previousEnd))
	b = binary.BigEndian.AppendUint32(b, salt)
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b))
}

func decodeLogHead(b []byte) (previousEnd int64, salt uint32, err error) {
	if len(b) < int(logHead) {
		return 0, 0, fmt.Errorf("it has no beginning: %w", store.ErrCorrupt)
	}
	b, err = checkSum(b[:logHead], kindLog)
	if err != nil {
		return 0, 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:]), nil
}
