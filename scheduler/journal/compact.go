package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// bbolt's files do not shrink. After a million calls have ended, each Open would still read and each backup copy their
// pages. So a large file that is mostly empty is written anew when it is opened.
const largeFile, mostlyEmpty = 8 << 20, 4 // in bytes, and as a multiple of the used pages

// mostlyEmpty reports whether compact should shrink the file.
func (s *survey) mostlyEmpty() bool {
	return s.count*pageSize > largeFile && s.used*mostlyEmpty < s.count
}

// compact replaces the file by one without unused pages. The summary is that of the last commit.
func compact(path string, last summary) error {
	return replace(path, func(to *bbolt.DB) error {
		from, err := openDB(path)
		if err != nil {
			return err
		}
		const transaction = 16 << 20
		err = errors.Join(bbolt.Compact(to, from, transaction), from.Close())
		if err != nil {
			return err
		}
		return to.Update(func(tx *bbolt.Tx) error { return writeTotals(tx, &last, nil) })
	})
}

// newName returns the name of a file that is written to replace that of the journal.
func newName(path string) string { return path + ".new" }

// replace puts a new file at the path. It is written beside it and renamed, so that a crash leaves the old one or the
// new one, whole.
func replace(path string, write func(*bbolt.DB) error) error {
	if err := removeNew(path); err != nil {
		return err
	}
	db, err := openDB(newName(path))
	if err != nil {
		return err
	}
	db.NoSync = true // until all is written
	err = write(db)
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(err, removeNew(path))
	}
	if err := os.Rename(newName(path), path); err != nil {
		return errors.Join(err, removeNew(path))
	}
	return syncFolder(filepath.Dir(path))
}

// removeNew removes what a crash has left of a replacement.
func removeNew(path string) error {
	err := os.Remove(newName(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
