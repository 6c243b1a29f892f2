//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
