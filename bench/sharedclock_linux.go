package main

import (
	"syscall"
	"time"
	"unsafe"
)

// sharedNow returns the time since the machine was started, which is the same for all its processes, and never
// steps.
func sharedNow() time.Duration {
	const monotonic = 1
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(ts.Nano())
}
