package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// output is the file of results. It is only ever appended to, a whole line in one write,
// so that whatever ends the program leaves at most one line torn, at the end.
type output struct {
	path    string
	file    *os.File // locked
	info    os.FileInfo
	created bool     // by this run
	done    []uint32 // by line number: the hash of an answered line, or 0
	any     bool     // some line is answered
	failed  int      // results of earlier runs that are errors
	last    time.Time
}

// errLocked is for a second run on the same file.
var errLocked = errors.New("another batch is writing to it: let that finish, or use another -out")

// openOutput opens the file of results and locks it. The lock is on the file itself, so it
// keeps out a second run under any name of the file.
func openOutput(path string) (*output, error) {
	for {
		file, created, err := openWritten("-out", path, os.O_RDWR|os.O_APPEND)
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
			return nil, errors.Join(&fileError{"-out", path, reason(err)}, file.Close())
		}
		if out.info = info; out.named() {
			if !created {
				out.last = info.ModTime()
			}
			return out, nil
		}
		_ = file.Close() // another run has just replaced or removed it
	}
}

// named reports whether the path still leads to the file.
func (out *output) named() bool {
	there, err := os.Stat(out.path)
	return err == nil && os.SameFile(out.info, there)
}

// resume cuts off a torn last line, and learns from the others which lines of the input are
// done. With again, failed lines are not done.
func (out *output) resume(lines int, again bool) error {
	out.done = make([]uint32, lines+1)
	whole, missing := int64(0), 0
	note := func(e *entry) {
		whole += int64(len(e.text))
		if e.Error != nil {
			out.failed++
		}
		switch {
		case e.Error != nil && again:
		case e.number > lines:
			missing = e.number
		default:
			out.done[e.number], out.any = e.hash, true
		}
	}
	tail, err := readResults(fromStart(out.file), note)
	if err != nil {
		return &fileError{"-out", out.path, err}
	}
	last, unreadable := parseEntry(tail)
	if unreadable == nil { // only its line end is missing
		note(last)
	}
	switch {
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
		return &fileError{"-out", out.path, reason(err)}
	}
	return nil
}

// torn reports whether a line without an end is the beginning of a result. Anything else is the
// user's data, and is not cut off.
func torn(tail []byte) bool {
	n := min(len(tail), len(resultStart))
	return string(tail[:n]) == resultStart[:n]
}

// resultStart is what every result begins with.
const resultStart = `{"id":"`

// touch notes in the file's time that an attempt is about to be made. So a run that goes
// on knows, whatever ended the last, since when no token has been spent. A failure is no
// reason to stop: the time of the last result is nearly as good.
func (out *output) touch() { _ = os.Chtimes(out.path, time.Time{}, time.Now()) }

// has reports whether a line is answered. It fails if another line of that number is.
func (out *output) has(l *line) (bool, error) {
	if l.number >= len(out.done) || out.done[l.number] == 0 { // the input may have grown
		return false, nil
	}
	if out.done[l.number] != l.hash {
		return false, fmt.Errorf("line %d has changed since it was answered: use another -out for a changed input, or put the line back; if it failed, -again runs it as it is now", l.number)
	}
	return true, nil
}

// check fails if the input has changed under the answers, before anything is sent.
func (out *output) check(ctx context.Context, in *input) error {
	if !out.any {
		return nil
	}
	err := in.each(ctx, func(l *line) error {
		_, err := out.has(l)
		return err
	})
	if err != nil && ctx.Err() == nil {
		return &fileError{"-in", in.path, err}
	}
	return err
}

// write appends a result. It fails if the file was moved or removed, since the next run would
// not find the results and would pay for all of them again.
func (out *output) write(r *result) error {
	if !out.named() {
		return fmt.Errorf("%s has been moved or removed while this run writes to it", out.path)
	}
	text, err := r.encode(maxResult)
	if err != nil {
		return err
	}
	_, err = out.file.Write(text)
	return err
}

// readResults calls f for every whole line of results, and returns the bytes after the last of
// them.
func readResults(r io.Reader, f func(e *entry)) (tail []byte, err error) {
	lines := newLineReader(r, maxResult)
	for at := 1; ; at++ {
		err := lines.next()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, reason(err)
		case lines.long != nil:
			return nil, fmt.Errorf("line %d is not a result: it has %d bytes: use another -out", at, lines.size)
		case err != nil: // a line without an end
			return lines.text, nil
		}
		e, err := parseEntry(lines.text)
		if err != nil {
			return nil, fmt.Errorf("line %d is not a result: %w: use another -out, or mend that line", at, err)
		}
		f(e)
	}
}
