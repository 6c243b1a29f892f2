package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// behind is the byte that is locked. It lies behind the text, which others may read.
const behind = 1 << 30

// tryLock locks the file until unlock.
func tryLock(file *os.File) error {
	at := windows.Overlapped{Offset: behind}
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// unlock releases the lock of tryLock.
func unlock(file *os.File) error {
	at := windows.Overlapped{Offset: behind}
	return windows.UnlockFileEx(windows.Handle(file.Fd()), 0, 1, 0, &at)
}

// syncFolder does nothing. Windows has no such call, and NTFS keeps a journal of its folders.
func syncFolder(string) error { return nil }
