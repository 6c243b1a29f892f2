package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
)

// openFile opens the journal's file, and creates it if there is none. It tells what is in it. No other process can open
// it until close.
func openFile(path string, options fileOptions) (*file, *contents, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, nil, fmt.Errorf("journal %s: %w", path, err)
	}
	locked, err := lock(path, options.clock, options.lockWait)
	if err != nil {
		return nil, nil, fmt.Errorf("journal %s: %w", path, err)
	}
	f := &file{path: path, options: options, lock: locked}
	found, err := f.open()
	if err != nil {
		if f.db != nil {
			err = errors.Join(err, f.db.Close())
		}
		return nil, nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), locked.release())
	}
	return f, found, nil
}

// resolve returns the path of the file that a symbolic link leads to, so that both names have one lock file. It fails
// for a folder, a pipe and the like.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return path, err
		}
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return path, fmt.Errorf("it is no regular file, but %v", info.Mode())
	}
	return path, nil // if there is an error, there may be no file yet
}

// checkFree returns an error if a journal has the file open under another name, a hard link. On Unix, tryLock finds the
// lock that bbolt has on an open file. Elsewhere checkFree finds nothing, and bbolt refuses to open the file later.
func checkFree(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err = tryLock(file); err == nil {
		return (&lockFile{file}).release()
	}
	if errors.Is(err, errLocked) {
		err = errors.New("another journal has it open under another name")
	}
	return errors.Join(err, file.Close())
}

// open opens a file that this process has locked.
func (f *file) open() (*contents, error) {
	if _, err := os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		if err := replace(f.path, create); err != nil {
			return nil, err
		}
	}
	if err := checkFree(f.path); err != nil {
		return nil, err
	}
	if err := removeNew(f.path); err != nil {
		return nil, err
	}
	var s *survey
	var repaired []Damage
	err := f.safely(func() (err error) {
		s, repaired, err = f.check()
		return err
	})
	if err != nil {
		return nil, err
	}
	f.sum, f.ended = *s.summary, s.ended
	f.sum.seq++ // a commit that failed may have left records with the next one
	slices.SortStableFunc(f.ended, func(a, b endedCall) int { return a.at.Compare(b.at) })
	found := &contents{
		file: f, calls: s.calls, levels: s.levels, keys: s.keys, clean: f.sum.clean,
		lastNumber: f.sum.lastNumber, setAside: s.aside, size: int64(s.end * pageSize),
	}
	if len(repaired) > 0 {
		found.setAside = repaired
	}
	return found, f.safely(func() (err error) {
		f.db, err = openDB(f.path)
		return err
	})
}

// check reads the whole file. It repairs it if it is damaged, and shrinks it if it is mostly empty. It returns what is in
// it, and what was found damaged.
func (f *file) check() (*survey, []Damage, error) {
	s, err := f.survey()
	if s == nil || err == nil && !s.mostlyEmpty() {
		return s, nil, err
	}
	var repaired []Damage
	if err == nil {
		_ = compact(f.path, *s.summary) // without room for it, the file stays large
	} else if err = withPages(f.path, func(p *pages) error {
		repaired, err = f.repair(p, err)
		return err
	}); err != nil {
		return nil, nil, err
	}
	s, err = f.survey()
	return s, repaired, err
}

// survey reads the tree of the last commit. It returns no survey if repair can't help with the error.
func (f *file) survey() (s *survey, damage error) {
	err := withPages(f.path, func(p *pages) error {
		metas, ok := p.metas()
		if !ok {
			s, damage = &survey{}, errors.New("a meta page is damaged, or the end of the file is missing")
			return nil
		}
		s = surveyOf(p, metas[0], f.options.progress, nil)
		if damage = s.whole(); s.newer != nil || damage != nil || s.summary.clean {
			return s.newer
		}
		return p.rewriteMeta(metas[0])
	})
	if err != nil {
		return nil, err
	}
	return s, damage
}

func openDB(path string) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: 1, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, PageSize: pageSize, NoStatistics: true,
	})
}

// create makes the buckets of a new file.
func create(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(makeBuckets(tx), writeTotals(tx, &summary{clean: true}, nil))
	})
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}
