package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileError is a fault of a file that a flag names, found before anything is sent.
type fileError struct {
	flag, path string
	err        error
}

func (e *fileError) Error() string { return fmt.Sprintf("%s %s: %v", e.flag, e.path, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// openFiles opens the files that the flags name and finds the lines that are left to do, before anything is
// sent. It fails if two flags name one file.
func (b *batch) openFiles(ctx context.Context, log io.Writer) (err error) {
	if err := b.cfg.part.checkWhole(b.cfg.whole); err != nil {
		return err
	}
	if b.in, err = openInput(b.cfg.in); err != nil {
		return err
	}
	b.in.part = b.cfg.part
	if b.out, err = openOutput(b.cfg.out); err != nil {
		return err
	}
	if b.out.created {
		b.created = append(b.created, b.cfg.out)
	}
	if b.report, err = b.openTimeline("-report", b.cfg.report); err != nil {
		return err
	}
	if b.trace, err = b.openTimeline("-trace", b.cfg.trace); err != nil {
		return err
	}
	if err := b.allDifferent(); err != nil {
		return err
	}
	if err := errors.Join(lockTimeline("-report", b.cfg.report, b.report), lockTimeline("-trace", b.cfg.trace, b.trace)); err != nil {
		return err
	}
	if err := b.in.load(ctx, log); err != nil {
		return err
	}
	b.out.part = b.cfg.part
	if err := b.out.resume(b.in.last, b.cfg.again); err != nil {
		return err
	}
	return b.out.checkInput(ctx, b.in)
}

// allDifferent fails if two flags name one file, since each would overwrite what the other needs. It compares
// opened files, since a file can have many names.
func (b *batch) allDifferent() error {
	type named struct {
		flag, path string
		file       *os.File
	}
	var files []named
	for _, f := range []named{{"-in", b.cfg.in, b.in.file}, {"-out", b.cfg.out, b.out.file}, {"-report", b.cfg.report, b.report}, {"-trace", b.cfg.trace, b.trace}} {
		if f.file == nil { // without a value, or a pipe
			continue
		}
		for _, other := range files {
			if sameFile(f.file, other.file) {
				return &fileError{f.flag, f.path, fmt.Errorf("%s %s is the same file: each flag needs a file of its own", other.flag, other.path)}
			}
		}
		files = append(files, f)
	}
	return nil
}

// sameFile reports whether two open files are the same.
func sameFile(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// openTimeline opens the file of -report or -trace, if the flag is set. The file keeps its content until the run
// ends.
func (b *batch) openTimeline(flag, path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	file, created, err := openForWriting(flag, path, os.O_RDWR)
	if created {
		b.created = append(b.created, path)
	}
	return file, err
}

// lockTimeline locks the file of -report or -trace, if there is one. It refuses a file of results, which would
// be overwritten.
func lockTimeline(flag, path string, f *os.File) error {
	if f == nil {
		return nil
	}
	if locked, err := lockFile(f); err != nil {
		return &fileError{flag, path, fmt.Errorf("it can't be locked: %w", err)}
	} else if !locked {
		return &fileError{flag, path, errors.New("another batch is writing to it: name another file")}
	}
	start := make([]byte, len(resultStart))
	if n, _ := f.ReadAt(start, 0); string(start[:n]) == resultStart { // a shorter file has no result
		return &fileError{flag, path, errors.New("it has results of a batch, which would be overwritten: name another file")}
	}
	return nil
}

// openForWriting opens a file for writing, and creates it if needed. A new file is readable by its owner only,
// since answers may be confidential.
func openForWriting(flag, path string, mode int) (file *os.File, created bool, err error) {
	fault := func(err error) (*os.File, bool, error) { return nil, false, &fileError{flag, path, withoutPath(err)} }
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a FIFO would block
		return fault(fmt.Errorf("it is %s: name a regular file, or one that is to be made", kind(info)))
	}
	file, err = os.OpenFile(path, mode|os.O_CREATE|os.O_EXCL, 0o600)
	if created = err == nil; errors.Is(err, fs.ErrExist) {
		file, err = os.OpenFile(path, mode|os.O_CREATE, 0o600) // also creates the target of a dangling symbolic link
	}
	if errors.Is(err, fs.ErrNotExist) {
		folder := filepath.Dir(path)
		if _, missing := os.Stat(folder); errors.Is(missing, fs.ErrNotExist) {
			err = fmt.Errorf("there is no folder %s: make it first", folder)
		}
	}
	if err != nil {
		return fault(err)
	}
	return file, created, nil
}

// withoutPath returns an error without the path, which the message already has.
func withoutPath(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// kind names the type of a file that is not regular.
func kind(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// removeCreated removes the empty files that this run has created. It is called while the output is locked, when
// a run fails before it begins.
func (b *batch) removeCreated() {
	for _, path := range b.created {
		if info, err := os.Stat(path); err == nil && info.Size() == 0 {
			_ = os.Remove(path) // a file that stays is harmless
		}
	}
}

// closeFiles closes the files that openFiles has opened.
func (b *batch) closeFiles() {
	if b.in != nil {
		b.in.close()
	}
	if b.out != nil {
		_ = b.out.file.Close() // every result is on disk, or the failure was reported
	}
	for _, drawing := range []*os.File{b.report, b.trace} {
		if drawing != nil {
			_ = drawing.Close() // already closed if it was written to
		}
	}
}
