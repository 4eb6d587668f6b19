package backplane

import "fmt"

// storedVersion is the version of storedEntry that this program writes, and the newest that it reads.
const storedVersion = 1

// storedEntry is an accepted entry as it is kept: what following it again needs.
type storedEntry struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	From    string
	Epoch   uint64
	Number  uint64
	Kind    uint8
	Seq     uint64
	Time    int64
	Body    []byte
	Begins  bool // it begins a log
}

// acceptedEntry is an entry for the Recorder.
type acceptedEntry struct {
	storedEntry
	log   LogID
	index uint64
}

func (a *acceptedEntry) recorded() Recorded {
	body, err := encoder.Marshal(&a.storedEntry)
	if err != nil {
		panic(err) // integers, strings and bytes encode always
	}
	return Recorded{Log: a.log, Index: a.index, Begins: a.Begins, Body: body}
}

func decodeStored(body []byte) (s *storedEntry, err error) {
	defer contain("kept entry", &err)
	var version []any
	s = new(storedEntry)
	if err := envelopeDecoder.Unmarshal(body, s); err != nil {
		if envelopeDecoder.Unmarshal(body, &version) == nil && len(version) > 0 {
			if v, ok := version[0].(uint64); ok && v > storedVersion {
				return nil, fmt.Errorf("kept entry of version %d, this build reads version %d: %w", v, storedVersion,
					ErrVersion)
			}
		}
		return nil, fmt.Errorf("%w: kept entry: %w", errMalformed, err)
	}
	switch {
	case s.Version > storedVersion:
		return nil, fmt.Errorf("kept entry of version %d, this build reads version %d: %w", s.Version, storedVersion,
			ErrVersion)
	case s.From == "" || s.Epoch == 0 || s.Number == 0:
		return nil, fmt.Errorf("%w: kept entry: without instance, epoch or number", errMalformed)
	}
	return s, nil
}

// CheckpointLineage returns the position of the state in a checkpoint.
func CheckpointLineage(body []byte) (Lineage, error) {
	head, err := unpackHead(body)
	if err != nil {
		return nil, err
	}
	l := newLogState(head.Cluster, head.Rules)
	l.parents, l.index = head.Parents, head.Index
	return l.position(), nil
}

// BeginsLog returns the log that a kept entry begins. It reports false for any other entry.
func BeginsLog(body []byte) (LogID, bool) {
	s, err := decodeStored(body)
	if err != nil || !s.Begins {
		return LogID{}, false
	}
	return LogID{Stamp: s.Epoch, Founder: s.From}, true
}
