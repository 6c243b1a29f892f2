package main

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks an open file, and reports false if another process holds the lock. The system releases the lock
// when the file is closed, however the program ends.
func lockFile(f *os.File) (bool, error) {
	// Other programs can't read a locked byte, so the lock is on a byte far beyond the end.
	far := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &far)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}
