package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// output is the file of results. It is only appended to, one line a write, so a killed program leaves at most
// one torn line, the last.
type output struct {
	path        string
	file        *os.File // locked
	info        os.FileInfo
	created     bool     // by this run
	part        part     // whose results it may have
	done        []uint32 // by line number: the hash of an answered line, or 0
	anyAnswered bool     // done is not all zero
	failures    int      // results of earlier runs that are errors
	lastAttempt time.Time
}

// errLocked is the error of a second run on the same output.
var errLocked = errors.New("another batch is writing to it: let that finish, or use another -out")

// openOutput opens the file of results and locks it. The lock is on the file itself, so it keeps out a second
// run under any name of the file.
func openOutput(path string) (*output, error) {
	for {
		file, created, err := openForWriting("-out", path, os.O_RDWR|os.O_APPEND)
		if err != nil {
			return nil, err
		}
		out := &output{path: path, file: file, created: created}
		switch locked, err := lockFile(file); {
		case err != nil:
			err = &fileError{"-out", path, fmt.Errorf("it can't be locked: %w", err)}
			return nil, errors.Join(err, file.Close())
		case !locked:
			return nil, errors.Join(fmt.Errorf("-out %s: %w", path, errLocked), file.Close())
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(&fileError{"-out", path, withoutPath(err)}, file.Close())
		}
		if out.info = info; out.inPlace() {
			if !created {
				out.lastAttempt = info.ModTime()
			}
			return out, nil
		}
		_ = file.Close() // another run has just replaced or removed it
	}
}

// inPlace reports whether the path still leads to the open file.
func (out *output) inPlace() bool {
	there, err := os.Stat(out.path)
	return err == nil && os.SameFile(out.info, there)
}

// resume cuts off a torn last line, and reads from the others which lines of the input are done. With again,
// failed lines are not done.
func (out *output) resume(lines int, again bool) error {
	out.done = make([]uint32, lines+1)
	whole, missing, foreign := int64(0), 0, 0
	note := func(e *entry) {
		whole += int64(len(e.text))
		if e.Error != nil {
			out.failures++
		}
		switch {
		case !out.part.has(e.number):
			foreign = e.number
		case e.Error != nil && again:
		case e.number > lines:
			missing = e.number
		default:
			out.done[e.number], out.anyAnswered = e.hash, true
		}
	}
	tail, err := readResults(wholeFile(out.file), note)
	if err != nil {
		return &fileError{"-out", out.path, err}
	}
	last, unreadable := parseEntry(tail)
	if unreadable == nil { // only its line end is missing
		note(last)
	}
	switch {
	case foreign > 0:
		return &fileError{"-out", out.path, fmt.Errorf("it has a result of line %d, which is not in part %v: move it away, or continue without -part", foreign, &out.part)}
	case missing > 0:
		return &fileError{"-out", out.path, fmt.Errorf("it has an answer to line %d, but the input ends at line %d: use another -out for a changed input, or put the lines back", missing, lines)}
	case len(tail) == 0:
		return nil
	case unreadable == nil:
		_, err = out.file.WriteString("\n")
	case !torn(tail):
		err = fmt.Errorf("it does not end in a result, but in %.40q: use another -out", tail)
	default:
		err = os.Truncate(out.path, whole) // on Windows a file that is open for appending can't truncate itself
	}
	if err != nil {
		return &fileError{"-out", out.path, withoutPath(err)}
	}
	return nil
}

// torn reports whether a line without an end is the beginning of a result. Anything else may be the user's data,
// and is not cut off.
func torn(tail []byte) bool {
	n := min(len(tail), len(resultStart))
	return string(tail[:n]) == resultStart[:n]
}

// resultStart is the beginning of every result.
const resultStart = `{"id":"`

// touch sets the file's time when an attempt begins. However a run ends, the next one then knows since when no
// token has been spent. An error is ignored, since the time of the last result is nearly as good.
func (out *output) touch() { _ = os.Chtimes(out.path, time.Time{}, time.Now()) }

// answered reports whether a line has a result. It fails if the result is of another line with that number.
func (out *output) answered(l *line) (bool, error) {
	if l.number >= len(out.done) || out.done[l.number] == 0 { // the input may have grown
		return false, nil
	}
	if out.done[l.number] != l.hash {
		return false, fmt.Errorf("line %d has changed since it was answered: use another -out for a changed input, or put the line back; if it failed, -again runs it as it is now", l.number)
	}
	return true, nil
}

// checkInput fails if an answered line of the input has changed.
func (out *output) checkInput(ctx context.Context, in *input) error {
	if !out.anyAnswered {
		return nil
	}
	err := in.each(ctx, func(l *line) error {
		_, err := out.answered(l)
		return err
	})
	if err != nil && ctx.Err() == nil {
		return &fileError{"-in", in.path, err}
	}
	return err
}

// write appends a result. It fails if the file was moved or removed, since the next run would then pay for all
// lines again.
func (out *output) write(r *result) error {
	if !out.inPlace() {
		return fmt.Errorf("%s was moved or removed during the run", out.path)
	}
	text, err := r.encode(maxResult)
	if err != nil {
		return err
	}
	_, err = out.file.Write(text)
	return err
}

// readResults calls f for every complete line of results, and returns the bytes after the last one.
func readResults(r io.Reader, f func(e *entry)) (tail []byte, err error) {
	lines := newLineReader(r, maxResult)
	for at := 1; ; at++ {
		err := lines.next()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, withoutPath(err)
		case lines.longHash != nil:
			return nil, fmt.Errorf("line %d is not a result: it has %d bytes: use another -out", at, lines.size)
		case err != nil: // a line without an end
			return lines.text, nil
		}
		e, err := parseEntry(lines.text)
		if err != nil {
			return nil, fmt.Errorf("line %d is not a result: %w: use another -out, or fix that line", at, err)
		}
		f(e)
	}
}
