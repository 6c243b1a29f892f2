//go:build !plan9

package retry

import "syscall"

// isLostConnection says whether err is the system's word for a connection that could not be made or
// did not last. An Errno is compared as a value: on every system but Plan 9 it is a number.
func isLostConnection(err error) bool {
	switch err {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
		return true
	}
	return false
}
