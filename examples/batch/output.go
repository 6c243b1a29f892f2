package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// result is one line of the output file.
type result struct {
	ID       string    `json:"id"`
	CustomID string    `json:"custom_id"`
	Response *response `json:"response"`
	Error    *failure  `json:"error"`
}

type response struct {
	StatusCode int             `json:"status_code"`
	Body       json.RawMessage `json:"body"`
}

type failure struct {
	Message string `json:"message"`
}

// output is the file of results. It is only ever appended to, a whole line in one write,
// so that whatever ends the program leaves at most one line torn, at the end.
type output struct {
	path string
	file *os.File
	lock *flock.Flock
	done []uint32 // by line number: the hash of an answered line, or 0
	any  bool     // some line is answered
	last time.Time
}

// errLocked is for a second run on the same file.
var errLocked = errors.New("another batch is writing to it: let that finish, or use another -out")

// openOutput opens the results of an input of so many lines for appending, cuts off a torn
// last line, and learns from the others what is done.
func openOutput(path string, lines int) (*output, error) {
	out := &output{path: path, lock: flock.New(path + ".lock"), done: make([]uint32, lines+1)}
	if err := out.acquire(); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil {
		out.last = info.ModTime()
	}
	var err error
	if out.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); err == nil {
		err = out.resume()
	}
	if err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// acquire takes the lock, which the system gives up for us however we end. A run that
// ends removes the file: whoever opened it just before holds a lock on nothing.
func (out *output) acquire() error {
	ok, err := out.lock.TryLock()
	if err != nil {
		return err
	}
	if ok {
		held, err := out.lock.Stat()
		named, gone := os.Stat(out.lock.Path())
		if err == nil && gone == nil && os.SameFile(held, named) {
			return nil
		}
		_ = out.lock.Unlock()
	}
	return fmt.Errorf("%s: %w", out.path, errLocked)
}

func (out *output) resume() error {
	whole, missing := int64(0), 0
	tail, err := readResults(out.file, out.path, func(e *entry) {
		whole += int64(len(e.text))
		if e.number >= len(out.done) {
			missing = e.number
			return
		}
		out.done[e.number], out.any = e.hash, true
	})
	switch {
	case err != nil:
		return err
	case missing > 0:
		return fmt.Errorf("%s has an answer to line %d, but the input ends at line %d: use another -out for a changed input, or put the lines back", out.path, missing, len(out.done)-1)
	case len(tail) == 0:
		return nil
	case !torn(tail):
		return fmt.Errorf("%s: it does not end in a result, but in %.40q: use another -out", out.path, tail)
	}
	return out.file.Truncate(whole)
}

// torn reports whether a line without an end is the beginning of a result: anything else
// is somebody's data, and not ours to cut off.
func torn(tail []byte) bool {
	const start = `{"id":"`
	n := min(len(tail), len(start))
	return string(tail[:n]) == start[:n]
}

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
		return false, fmt.Errorf("line %d has changed since it was answered: use another -out for a changed input, or put the line back", l.number)
	}
	return true, nil
}

// check fails if the input has changed under the answers, before anything is sent.
func (out *output) check(ctx context.Context, in string) error {
	if !out.any {
		return nil
	}
	return eachLine(ctx, in, func(l *line) error {
		_, err := out.has(l)
		return err
	})
}

func (out *output) write(r *result) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // an answer is written as it came
	if err := enc.Encode(r); err != nil {
		return err
	}
	_, err := out.file.Write(text.Bytes())
	return err
}

func (out *output) close() error {
	var err error
	if out.file != nil {
		err = out.file.Close()
	}
	_ = os.Remove(out.lock.Path()) // while we hold it, so it can't be another's
	return errors.Join(err, out.lock.Unlock())
}

// entry is what a later run needs to know of a result. It has none of the answer's body, of
// which there may be more than memory holds.
type entry struct {
	ID    string   `json:"id"`
	Error *failure `json:"error"`

	text   []byte // the line itself; the next one overwrites it
	number int    // of the line of the input, by the id
	hash   uint32
}

// parseEntry reads a line of results.
func parseEntry(text []byte) (*entry, error) {
	e := &entry{text: text}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("not a result: %w", err)
	}
	var err error
	e.number, e.hash, err = parseID(e.ID)
	return e, err
}

// readResults calls f for every whole line of results, and returns what comes after the
// last of them.
func readResults(r io.Reader, path string, f func(e *entry)) (tail []byte, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	for at := 1; ; at++ {
		text, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF): // what is left has no end
			return text, nil
		case err != nil:
			return nil, err
		}
		e, err := parseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w: use another -out, or mend that line", path, at, err)
		}
		f(e)
	}
}
