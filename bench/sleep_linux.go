package main

import (
	"syscall"
	"time"
)

// kernelSleep blocks a thread for d. It is as late as the kernel and the machine are.
func kernelSleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // a signal may end it early
}
