//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package journal

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

// TestOtherNames opens a file that is open, under other names. Open does not touch it. When it is closed, a symbolic link
// stays one.
func TestOtherNames(t *testing.T) {
	path := pathIn(t)
	cfg := quick(Handlers{"x": func(context.Context, []byte) error { return nil }})
	j := openJournal(t, path, cfg)
	links := map[string]string{
		"soft": ": another journal has it open, process",
		"hard": ": another journal has it open under another name",
	}
	require.NoError(t, os.Symlink(path, filepath.Join(filepath.Dir(path), "soft")))
	require.NoError(t, os.Link(path, filepath.Join(filepath.Dir(path), "hard")))
	before, err := os.Stat(path)
	require.NoError(t, err)
	for name, text := range links {
		_, err := Open(filepath.Join(filepath.Dir(path), name), cfg)
		require.ErrorContains(t, err, text)
	}
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, before.ModTime(), after.ModTime())
	id, err := j.Submit(t.Context(), Call{Handler: "x"})
	require.NoError(t, err)
	_, err = j.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, j.Close(t.Context()))
	for name := range links {
		j := openJournal(t, filepath.Join(filepath.Dir(path), name), cfg)
		_, err := j.Wait(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, j.Close(t.Context()))
	}
	require.NoFileExists(t, filepath.Join(filepath.Dir(path), "soft.lock"))
	_, err = Open("", cfg)
	require.EqualError(t, err, "journal : the path is empty")
	require.NoFileExists(t, ".lock")
}

// TestNoRegularFile checks that Open refuses what is no regular file, at once, and leaves nothing beside it.
func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for link, target := range map[string]string{"to folder": "folder", "to pipe": "pipe", "dangling": "gone", "loop": "loop"} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	for name, text := range map[string]string{
		"folder": "no regular file, but d", "folder/": "no regular file, but d", "to folder": "no regular file, but d",
		"pipe": "no regular file, but p", "to pipe": "no regular file, but p",
		"dangling": "no such file", "loop": "too many links", "none/calls.db": "no such file", "a\x00b": "invalid argument",
	} {
		_, err := Open(dir+"/"+name, quick(nil))
		require.ErrorContains(t, err, text, name)
	}
	left, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	require.Len(t, left, 6, left)
}

// TestReleasedWhileAProcessStarts releases a lock while another descriptor of the same open file is there, as that of a
// process which was forked and does not run its program yet.
func TestReleasedWhileAProcessStarts(t *testing.T) {
	path := pathIn(t)
	first, err := lock(path, clock.System(), 0)
	require.NoError(t, err)
	forked, err := syscall.Dup(int(first.file.Fd()))
	require.NoError(t, err)
	defer func() { require.NoError(t, syscall.Close(forked)) }()
	require.NoError(t, first.release())
	second, err := lock(path, clock.System(), 0)
	require.NoError(t, err)
	require.NoError(t, second.release())
}
