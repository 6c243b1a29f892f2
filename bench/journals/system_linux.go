package main

import (
	"os"
	"syscall"
	"time"
)

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fileSystem returns the kernel's number for the kind of file system of a folder.
func fileSystem(folder string) float64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		panic(err)
	}
	return float64(s.Type)
}

// syncData waits until what was written is on the disk.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
