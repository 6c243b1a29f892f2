package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"iter"
)

// maxLine is the longest input line that is kept. A longer one becomes a result with an error, so that a file
// without line ends does not fill the memory.
const maxLine = 64 << 20

// byteOrderMark may stand at the beginning of a file in UTF-8. It is not part of line 1.
const byteOrderMark = "\xef\xbb\xbf"

// lineReader reads lines and keeps at most limit bytes of each.
type lineReader struct {
	in       *bufio.Reader
	limit    int64
	text     []byte    // the line with its end; empty if it is longer than limit
	size     int64     // of the line with its end
	longHash hash.Hash // of a line longer than limit, without its end; or nil
}

func newLineReader(r io.Reader, limit int64) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 1<<16), limit: limit}
}

// next reads a line. Like bufio.Reader.ReadBytes, it returns io.EOF for a line without an end.
func (r *lineReader) next() error {
	r.text, r.size, r.longHash = r.text[:0], 0, nil
	for {
		part, err := r.in.ReadSlice('\n')
		r.size += int64(len(part))
		if r.size <= r.limit {
			r.text = append(r.text, part...)
		} else {
			r.skip(part)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// skip adds a part of a line that is too long to the line's hash.
func (r *lineReader) skip(part []byte) {
	if r.longHash == nil {
		r.longHash = sha256.New()
		r.longHash.Write(r.text)
		r.text = r.text[:0]
	}
	r.longHash.Write(bytes.TrimSuffix(part, []byte("\n")))
}

// readLines yields the lines of a file that are not blank, numbered from 1. A read error ends it and is stored
// in failed.
func readLines(r io.Reader, failed *error) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		lines := newLineReader(r, maxLine)
		if start, _ := lines.in.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
			_, _ = lines.in.Discard(len(byteOrderMark))
		}
		for number := 1; ; number++ {
			err := lines.next()
			if l := lines.line(number); l != nil && !yield(l) {
				return
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					*failed = err
				}
				return
			}
		}
	}
}

// line returns the line that next has read, or nil if it is blank.
func (r *lineReader) line(number int) *line {
	if r.longHash != nil {
		return &line{number: number, hash: lineHash(r.longHash.Sum(nil)), size: r.size}
	}
	if text := bytes.TrimSpace(r.text); len(text) > 0 {
		return newLine(number, bytes.Clone(text))
	}
	return nil
}

func newLine(number int, text []byte) *line {
	sum := sha256.Sum256(text)
	return &line{number: number, hash: lineHash(sum[:]), size: int64(len(text)), text: text}
}

// lineHash returns the first 32 bits of a hash. It never returns 0.
func lineHash(sum []byte) uint32 { return max(1, binary.BigEndian.Uint32(sum)) }
