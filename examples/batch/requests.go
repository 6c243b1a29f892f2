package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"example.com/fairlead/scheduler/terminal"
)

// input is the file of requests. It is read more than once, so a pipe is copied first.
type input struct {
	path string
	file *os.File
	copy string // the path of a pipe's copy, if it has one
	part part   // that the run has

	total, last int // the number of lines in the part that are not blank, and the number of the input's last one
}

// openInput opens the file of requests. It does not open a pipe, which load copies.
func openInput(path string) (*input, error) {
	fault := func(err error) (*input, error) { return nil, &fileError{"-in", path, withoutPath(err)} }
	info, err := os.Stat(path)
	switch {
	case err != nil && path == "-":
		return fault(errors.New("there is no such file: for standard input use /dev/stdin"))
	case err != nil:
		return fault(err)
	case isPipe(info):
		return &input{path: path}, nil
	case !info.Mode().IsRegular():
		return fault(fmt.Errorf("it is %s: name a file or a pipe", kind(info)))
	}
	file, err := os.Open(path)
	if err != nil {
		return fault(err)
	}
	return &input{path: path, file: file}, nil
}

func isPipe(info os.FileInfo) bool { return info.Mode()&os.ModeNamedPipe != 0 }

// load copies a pipe, and counts the lines, until ctx is done.
func (in *input) load(ctx context.Context, log io.Writer) error {
	if in.file == nil {
		fmt.Fprintf(log, "batch: -in %s is a pipe: it is read to its end before anything is sent\n", terminal.Visible(in.path))
		if err := in.copyPipe(ctx); err != nil {
			return err
		}
	}
	if err := in.checkEncoding(); err != nil {
		return &fileError{"-in", in.path, err}
	}
	var err error
	if in.total, in.last, err = in.count(ctx); err != nil && ctx.Err() == nil {
		return &fileError{"-in", in.path, withoutPath(err)}
	}
	return err
}

// copyPipe copies a pipe to a temporary file. When ctx is done it returns at once, although opening a FIFO
// without a writer, or reading it, may block for good. The goroutine that does so ends with the program.
func (in *input) copyPipe(ctx context.Context) error {
	to, err := os.CreateTemp("", "batch-in-*")
	if err != nil {
		return &fileError{"-in", in.path, fmt.Errorf("it is a pipe, and can't be copied to a file: %w", err)}
	}
	in.file = to
	if os.Remove(to.Name()) != nil { // if this succeeds, the copy has no name and goes when the program ends
		in.copy = to.Name()
	}
	done := make(chan error, 1)
	go func() {
		from, err := os.Open(in.path)
		if err == nil {
			_, err = io.Copy(to, from)
			_ = from.Close() // only read
		}
		done <- err
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		if err != nil {
			return &fileError{"-in", in.path, fmt.Errorf("copying it to a file: %w", err)}
		}
		return nil
	}
}

// checkEncoding fails if the file is in UTF-16. Such a file begins with a byte order mark, or has a zero byte
// beside its first character, which JSON never has.
func (in *input) checkEncoding() error {
	var start [2]byte
	if n, err := in.file.ReadAt(start[:], 0); n < len(start) {
		if errors.Is(err, io.EOF) { // too short to tell
			return nil
		}
		return withoutPath(err)
	}
	mark := string(start[:])
	if mark == "\xff\xfe" || mark == "\xfe\xff" || (start[0] == 0) != (start[1] == 0) {
		return errors.New("it is in UTF-16, and has to be in UTF-8: convert it, as in iconv -f UTF-16 -t UTF-8")
	}
	return nil
}

// reader returns a reader of the whole file.
func (in *input) reader() io.Reader { return wholeFile(in.file) }

// wholeFile returns a reader of the whole file, independent of the file's offset.
func wholeFile(f *os.File) io.Reader { return io.NewSectionReader(f, 0, math.MaxInt64) }

// each calls f for every line of the part that is not blank. It stops when ctx is done, since a file may be long.
func (in *input) each(ctx context.Context, f func(*line) error) error {
	return in.all(ctx, func(l *line) error {
		if !in.part.has(l.number) {
			return nil
		}
		return f(l)
	})
}

// all calls f as each does, for the lines of all parts.
func (in *input) all(ctx context.Context, f func(*line) error) error {
	var readErr error
	for l := range readLines(in.reader(), &readErr) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(l); err != nil {
			return err
		}
	}
	return readErr
}

// count returns how many lines of the part are not blank, and the number of the last such line of all parts.
func (in *input) count(ctx context.Context) (n, last int, err error) {
	err = in.all(ctx, func(l *line) error {
		if last = l.number; in.part.has(last) {
			n++
		}
		return nil
	})
	return n, last, err
}

func (in *input) close() {
	if in.file != nil {
		_ = in.file.Close() // only read
	}
	if in.copy != "" {
		_ = os.Remove(in.copy) // the copy is only a temporary file
	}
}
