//go:build !plan9

package retry

import "syscall"

// isLostConnection reports whether err is a system error for a connection that was refused or lost.
func isLostConnection(err error) bool {
	switch err {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
		return true
	}
	return false
}
