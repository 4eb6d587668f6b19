package embedded

import (
	"os"
	"path/filepath"
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

// contents returns all bytes of all files.
func contents(t *testing.T, folder string) []byte {
	var all []byte
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}
