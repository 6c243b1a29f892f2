package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func init() { children["limited"] = produceLimited }

// produceLimited is produce in a process that can't write files of more than a MB.
func produceLimited() {
	const mega = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: mega, Max: mega}); err != nil {
		panic(err)
	}
	produce()
}

// fillUp lets a process put calls until there is no room, and checks that with room it goes on.
func fillUp(t *testing.T, name, path, reason string, makeRoom func()) {
	known := map[uint64]bool{}
	f, _ := open(t, path, fileOptions{})
	require.NoError(t, f.close(false))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := child(ctx, name, path).Output()
	require.NoError(t, err)
	var p produced
	p.read(strings.NewReader(string(out)))
	require.Greater(t, len(p.acknowledged), 20)
	require.NotEmpty(t, p.inDoubt)
	require.Contains(t, string(out), reason)
	p.check(t, path, known) // it opens without room
	makeRoom()
	f, found := open(t, path, fileOptions{})
	require.NoError(t, f.commit(batch{changes: []change{{record: call(found.lastNumber + 1), payload: make([]byte, 1<<20)}}}))
	require.NoError(t, f.close(true))
	_, found = open(t, path, fileOptions{})
	require.Len(t, all(t, found), len(known)+1)
}

func TestFileThatMayNotGrow(t *testing.T) {
	fillUp(t, "limited", filepath.Join(inMemory(t), "calls.db"), "file too large", func() {})
}

// smallDisk mounts a disk of a size until the test ends. It returns its folder, and a function that gives it more room.
func smallDisk(t *testing.T, size string) (folder string, makeRoom func()) {
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("this process may not mount a small disk: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, 0)) })
	return folder, func() { require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, "size=16m")) }
}

func TestFullDisk(t *testing.T) {
	folder, makeRoom := smallDisk(t, "2m")
	fillUp(t, "produce", filepath.Join(folder, "calls.db"), "no space left on device", makeRoom)
}

// TestRepairWithoutRoom checks that a damaged file stays as it is if there is no room for another, and is repaired when there is.
func TestRepairWithoutRoom(t *testing.T) {
	folder, makeRoom := smallDisk(t, "400k")
	path := filepath.Join(folder, "calls.db")
	f, _ := open(t, path, fileOptions{})
	require.NoError(t, f.commit(batch{changes: []change{{record: call(1), payload: make([]byte, 200_000)}}}))
	require.NoError(t, f.close(false))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[30] ^= 1 // in a meta page
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, _, err = openFile(path, fileOptions{clock: f.options.clock})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "meta page is damaged")

	makeRoom()
	_, found := open(t, path, fileOptions{})
	require.Len(t, found.setAside, 1)
	require.Contains(t, found.setAside[0].Reason, "all calls were saved")
	require.Len(t, all(t, found), 1)
}
