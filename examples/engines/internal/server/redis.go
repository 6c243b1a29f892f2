//go:build unix

package server

import (
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket/storetest/loopback"
)

// Redis starts a Redis server, which saves nothing and ends with the test, and returns its address.
func Redis(t testing.TB) string {
	redis, dir := program(t, "redis-server"), folder(t)
	address, free, err := loopback.Hold()
	require.NoError(t, err)
	t.Cleanup(free)
	_, port, _ := net.SplitHostPort(address)
	run(t, exec.Command(redis, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", ""), dir)
	return address
}
