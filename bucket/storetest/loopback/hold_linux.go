package loopback

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// Hold returns an address of this machine for a server that a test or an example starts, and maybe stops and starts
// again. While no server listens there, connections are refused. No other socket gets the port, not even that of a
// client which connects to the address, until free is called.
func Hold() (addr string, free func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	port, err := bind(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return "", nil, err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), func() { _ = syscall.Close(fd) }, nil
}

// bind binds a socket that does not listen to a free port. A port that a socket is bound to is not given to clients.
// With SO_REUSEADDR a server, which has that too, can listen at it. Set after bind, it lets no other socket be there.
func bind(fd int) (port int, err error) {
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return bound.(*syscall.SockaddrInet4).Port, nil
}
