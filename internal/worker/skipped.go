package worker

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"chatapp/internal/backplane"
)

// maxSkippedSaved bounds the files with skipped entries that a worker writes. A file is at most as long as an entry.
const maxSkippedSaved = 32

// skippedEntries keeps the entries of the log that could not be applied, for people to look at. Only the node's loop
// calls it.
type skippedEntries struct {
	dir      string
	instance string
	log      *slog.Logger
	saved    int
}

// save writes an entry's body to a file of its own: chatapp-skipped-INSTANCE-INDEX.cbor in the directory for temporary
// files. It may hold the text of a message, so only the owner of the process may read it.
func (s *skippedEntries) save(e backplane.Entry, reason error) {
	if s.saved == maxSkippedSaved || len(e.Body) == 0 {
		return
	}
	s.saved++
	instance := strings.ReplaceAll(s.instance, string(filepath.Separator), "-")
	path := filepath.Join(s.dir, fmt.Sprintf("chatapp-skipped-%s-%d.cbor", instance, e.Index))
	if err := os.WriteFile(path, e.Body, 0o600); err != nil {
		s.log.Warn("skipped entry not saved", "index", e.Index, "err", err)
		return
	}
	s.log.Error("skipped entry saved", "index", e.Index, "from", e.Instance, "path", path, "reason", reason)
}
