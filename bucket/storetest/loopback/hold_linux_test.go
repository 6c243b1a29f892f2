package loopback_test

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket/storetest/loopback"
)

// TestHold checks that a server can always listen again at an address, and that no client gets its port, even one that
// connects to this address and may have no other port.
func TestHold(t *testing.T) {
	addr, free, err := loopback.Hold()
	require.NoError(t, err)
	defer free()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	const ipLocalPortRange = 51 // IP_LOCAL_PORT_RANGE of Linux 6.3
	narrow := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var refused error
		err := c.Control(func(fd uintptr) {
			refused = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipLocalPortRange, port|port<<16)
		})
		return errors.Join(err, refused)
	}}
	_, err = narrow.Dial("tcp", addr)
	require.Error(t, err)
	if errors.Is(err, syscall.ENOPROTOOPT) {
		narrow = new(net.Dialer) // an older kernel
	}

	var stop atomic.Bool
	var clients sync.WaitGroup
	for _, dialer := range []*net.Dialer{narrow, narrow, {}, {}} {
		clients.Go(func() {
			for !stop.Load() {
				if c, err := dialer.Dial("tcp", addr); err == nil {
					if c.LocalAddr().String() == addr {
						t.Error("a client got the port")
					}
					_ = c.Close()
				}
			}
		})
	}
	for range 5000 {
		server, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
			break
		}
		require.NoError(t, server.Close())
	}
	stop.Store(true)
	clients.Wait()
}
