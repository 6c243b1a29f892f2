package redistest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServer: a server that was killed and runs again has lost what it did not save.
func TestServer(t *testing.T) {
	s := Start(t)
	require.Equal(t, "OK", s.Do("SET", "a", "1"))
	s.Kill()
	_, err := s.Try("GET", "a")
	require.Error(t, err)
	s.Run()
	require.Equal(t, "0", s.Do("EXISTS", "a"))
	s.Kill()

	saves := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	saves.Do("SET", "a", "1")
	saves.Kill()
	saves.Run()
	require.Equal(t, "1", saves.Do("GET", "a"))
	saves.Signal("TERM")
}
