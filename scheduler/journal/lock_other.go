//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package journal

import "os"

// tryLock leaves it to bbolt to lock the journal's file.
func tryLock(*os.File) error { return nil }

// unlock has nothing to release.
func unlock(*os.File) error { return nil }

// syncFolder does nothing on these systems, for which no need of it is known.
func syncFolder(string) error { return nil }
