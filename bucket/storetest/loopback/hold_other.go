//go:build !linux

package loopback

import "net"

// Hold returns an address of this machine whose port is free, for a server that a test or an example starts. Here, in
// contrast to Linux, another socket may get the port while no server listens.
func Hold() (addr string, free func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), func() {}, l.Close()
}
