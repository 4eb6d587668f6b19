package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chatapp/internal/leaktest"
	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestContract(t *testing.T) {
	for name, size := range map[string]int64{"small files": 700, "large files": 0} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Subject {
				folder := t.TempDir()
				return storetest.Subject{
					Open: func() (store.Store, error) {
						return Open(folder, Options{SegmentBytes: size, NoSync: true})
					},
					Raw: func() []byte { return contents(t, folder) },
				}
			})
		})
	}
}

// contents returns all bytes of all files, as they are at a moment when no file comes or goes.
func contents(t *testing.T, folder string) []byte {
	names := func() []string {
		names, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	for before := names(); ; before = names() {
		var all []byte
		for _, name := range before {
			b, err := os.ReadFile(name)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if slices.Equal(before, names()) {
			return all
		}
	}
}
