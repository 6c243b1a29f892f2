package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPublish checks that publish replaces the URL's file, and no socket, device, log or other file.
func TestPublish(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"url", "url.tmp", "log"} {
		require.NoError(t, os.WriteFile(name, []byte("what was there\n"), 0o600))
	}
	require.NoError(t, publish("url", "http://127.0.0.1:1", "log"))
	for name, want := range map[string]string{"url": "http://127.0.0.1:1\n", "url.tmp": "what was there\n"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}

	require.EqualError(t, publish("./log", "http://127.0.0.1:1", "log"), "-addr-file ./log: it is the file of -log, too")
	socket, err := net.Listen("unix", "socket")
	require.NoError(t, err)
	defer socket.Close()
	require.ErrorContains(t, publish("socket", "http://127.0.0.1:1", ""), "it is not a regular file")
	require.Error(t, publish(filepath.Join("nowhere", "url"), "http://127.0.0.1:1", ""))

	left, err := filepath.Glob("*")
	require.NoError(t, err)
	require.Equal(t, []string{"log", "socket", "url", "url.tmp"}, left)
}
