package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// emptied makes a file with room for many calls, in which one waits.
func emptied(t *testing.T) (path string) {
	path = filepath.Join(inMemory(t), "calls.db")
	f, _ := open(t, path, fileOptions{})
	f.db.NoSync = true
	var put, forget batch
	for n := uint64(1); n <= 2000; n++ {
		r := call(n)
		put.changes = append(put.changes, change{record: r, payload: make([]byte, 8000)})
		forget.changes = append(forget.changes, change{record: r, forget: n != 1000})
	}
	require.NoError(t, f.commit(put))
	forget.levels = []byte("levels")
	require.NoError(t, f.commit(forget))
	require.NoError(t, f.commit(batch{}))
	require.NoError(t, f.close(false))
	require.Greater(t, sizeOf(t, path), int64(16_000_000))
	return path
}

func sizeOf(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// checkEmptied checks that a file made by emptied has what it should, and can be written.
func checkEmptied(t *testing.T, path string) {
	f, found := open(t, path, fileOptions{})
	require.Empty(t, found.setAside)
	require.Equal(t, "levels", string(found.levels))
	require.EqualValues(t, 2000, found.lastNumber)
	records := all(t, found)
	require.Len(t, records, 1)
	require.Equal(t, "order-1000", records[1000].id)
	payload, err := f.payload(1000)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 8000), payload)
	require.NoError(t, f.commit(batch{changes: []change{{record: records[1000]}}}))
	require.NoError(t, f.close(true))
}

func TestEmptyFileIsCompacted(t *testing.T) {
	path := emptied(t)
	checkEmptied(t, path)
	require.Less(t, sizeOf(t, path), int64(100_000))
	checkEmptied(t, path)
}

// TestHalfFileIsRemoved checks that what a crash has left of a compaction, or of a new file, is removed.
func TestHalfFileIsRemoved(t *testing.T) {
	path := emptied(t)
	require.NoError(t, os.WriteFile(newName(path), []byte("half"), 0o600))
	checkEmptied(t, path)
	require.NoFileExists(t, newName(path))

	path = inFolder(t)
	require.NoError(t, os.WriteFile(newName(path), []byte("half"), 0o600))
	open(t, path, fileOptions{})
	require.NoFileExists(t, newName(path))
}
