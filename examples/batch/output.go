package main

import (
	"bufio"
	"bytes"
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
	file *os.File
	lock *flock.Flock
	done []uint32 // by line number: the hash of an answered line, or 0
	last time.Time
}

// errLocked is for a second run on the same file.
var errLocked = errors.New("another batch is writing to it: let that finish, or use another -out")

// openOutput opens the results for appending, cuts off a torn last line, and learns from
// the others what is done.
func openOutput(path string) (*output, error) {
	out := &output{lock: flock.New(path + ".lock")} // the system gives it up however we end
	if ok, err := out.lock.TryLock(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%s: %w", path, errLocked)
	}
	var err error
	if out.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); err == nil {
		err = out.resume(path)
	}
	if err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

func (out *output) resume(path string) error {
	info, err := out.file.Stat()
	if err != nil {
		return err
	}
	whole := int64(0)
	err = readResults(out.file, path, func(r *result, size int, number int, hash uint32) {
		whole += int64(size)
		out.mark(number, hash)
	})
	if err != nil {
		return err
	}
	if whole == info.Size() {
		if whole > 0 {
			out.last = info.ModTime()
		}
		return nil
	}
	out.last = info.ModTime()
	return out.file.Truncate(whole)
}

func (out *output) mark(number int, hash uint32) {
	for number >= len(out.done) {
		out.done = append(out.done, make([]uint32, max(1024, len(out.done)))...)
	}
	out.done[number] = hash
}

// has reports whether a line is answered. It fails if another line of that number is.
func (out *output) has(l *line) (bool, error) {
	if l.number >= len(out.done) || out.done[l.number] == 0 {
		return false, nil
	}
	if out.done[l.number] != l.hash {
		return false, fmt.Errorf("line %d has changed since it was answered: use another -out for a changed input, or put the line back", l.number)
	}
	return true, nil
}

func (out *output) write(r *result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = out.file.Write(append(text, '\n'))
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

// readResults calls f for every whole line of results, with its size and its id's parts.
func readResults(r io.Reader, path string, f func(r *result, size, number int, hash uint32)) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for at := 1; ; at++ {
		text, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF): // what is left has no end
			return nil
		case err != nil:
			return err
		}
		var res result
		if err := json.Unmarshal(bytes.TrimSpace(text), &res); err != nil {
			return fmt.Errorf("%s:%d: not a result: %w: use another -out, or mend that line", path, at, err)
		}
		number, hash, err := parseID(res.ID)
		if err != nil {
			return fmt.Errorf("%s:%d: %w: use another -out, or mend that line", path, at, err)
		}
		f(&res, len(text), number, hash)
	}
}
