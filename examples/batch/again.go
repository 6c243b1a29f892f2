package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// sayFailures reports how many lines failed in earlier runs.
func (b *batch) sayFailures() {
	what := "are not run again without -again"
	if b.cfg.again {
		what = "are run again"
	}
	switch n := b.out.failures; {
	case n == 1:
		b.say("1 line of this output failed in an earlier run and " + strings.Replace(what, "are", "is", 1))
	case n > 1:
		b.say(fmt.Sprintf("%d lines of this output failed in an earlier run and %s", n, what))
	}
}

// removeFailures removes the failures of earlier runs from the output, if -again asks for it.
func (b *batch) removeFailures() (err error) {
	if b.cfg.again && b.out.failures > 0 {
		b.out, err = b.out.withoutFailures()
	}
	return err
}

// withoutFailures replaces the file of results with one that has no errors, and opens the new file. The new file
// is complete before the rename, so a run that is killed at any moment loses no answer. The old file stays
// locked until then, and no run can open it by its path afterwards.
func (out *output) withoutFailures() (*output, error) {
	fault := func(err error) (*output, error) {
		return out, &fileError{"-out", out.path, err}
	}
	path, err := filepath.EvalSymlinks(out.path) // a symbolic link stays one
	if err != nil {
		return fault(err)
	}
	beside, err := out.copySuccesses(path)
	if err != nil {
		return fault(err)
	}
	if runtime.GOOS == "windows" { // an open file can't be replaced there
		_ = out.file.Close()
	}
	if err := os.Rename(beside, path); err != nil {
		return fault(errors.Join(err, os.Remove(beside)))
	}
	renewed, err := openOutput(out.path)
	_ = out.file.Close() // nothing was written to it
	if err != nil {
		return nil, err
	}
	renewed.done, renewed.anyAnswered, renewed.failures, renewed.lastAttempt = out.done, out.anyAnswered, out.failures, out.lastAttempt
	return renewed, nil
}

// copySuccesses writes the results without errors to a new file in the same folder, and returns
// its path.
func (out *output) copySuccesses(path string) (beside string, err error) {
	to, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".again-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, to.Close()); err != nil {
			err = errors.Join(err, os.Remove(to.Name()))
		}
	}()
	info, err := out.file.Stat()
	if err != nil {
		return "", err
	}
	text := bufio.NewWriter(to)
	_, err = readResults(wholeFile(out.file), func(e *entry) {
		if e.Error == nil {
			_, _ = text.Write(e.text) // Flush returns a failure
		}
	})
	return to.Name(), errors.Join(err, text.Flush(), to.Chmod(info.Mode().Perm()), to.Sync())
}
