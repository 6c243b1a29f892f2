package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// part is the value of -part, which of n machines this is. The zero part is all lines.
type part struct{ number, of int }

// Set parses the value of the flag.
func (p *part) Set(s string) error {
	var parsed part
	_, err := fmt.Sscanf(s, "%d/%d", &parsed.number, &parsed.of)
	if err != nil || parsed.number < 1 || parsed.number > parsed.of || parsed.String() != s {
		return errors.New("it must be like 2/8, the second of 8 parts, from 1/8 to 8/8")
	}
	*p = parsed
	return nil
}

// String returns the flag's value, which is empty for all lines.
func (p *part) String() string {
	if p.of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.number, p.of)
}

// has reports whether a line belongs to the part. That depends on the line's number alone, so lines that are
// appended later change no part.
func (p *part) has(line int) bool { return p.of == 0 || (line-1)%p.of == p.number-1 }

// file returns the name that a file of the run has in this part, such as results.2-of-8.jsonl. So the parts may
// write to one folder, and a run with another number of parts does not go on in the files of this one.
func (p *part) file(path string) string {
	if p.of == 0 || path == "" {
		return path
	}
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s.%d-of-%d%s", strings.TrimSuffix(path, ext), p.number, p.of, ext)
}

// checkWhole fails if the file exists whose parts are to be written, since it may have answers to their lines.
func (p *part) checkWhole(path string) error {
	info, err := os.Stat(path)
	switch {
	case p.of == 0 || err != nil:
		return nil
	case !info.Mode().IsRegular():
		err = fmt.Errorf("it is %s: name a regular file, or one that is to be made", kind(info))
	default:
		err = fmt.Errorf("it exists, and may have answers to lines of part %v: continue without -part, or move it away", p)
	}
	return &fileError{"-out", path, err}
}
