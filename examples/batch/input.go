package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// line is one line of the input file.
type line struct {
	number int
	hash   uint32 // of the text, never 0
	text   []byte

	customID string
	method   string
	url      string
	body     []byte
	priority int
	tokens   int64 // that an attempt at it pays, if they are counted
	err      error // the line is bad
	last     error // what its latest attempt failed with, if one did
}

// name names the line to people. It begins with the number: a custom_id need not be unique.
func (l *line) name() string {
	if l.customID == "" {
		return fmt.Sprintf("line %d", l.number)
	}
	return fmt.Sprintf("line %d %.60q", l.number, l.customID)
}

// id names the line in the output, so that a later run can tell that it is done, and
// that the input has not changed under it.
func (l *line) id() string { return fmt.Sprintf("%d-%08x", l.number, l.hash) }

// parseID is the reverse of id.
func parseID(id string) (number int, hash uint32, err error) {
	_, err = fmt.Sscanf(id, "%d-%08x", &number, &hash)
	if l := (line{number: number, hash: hash}); err != nil || number < 1 || hash == 0 || l.id() != id {
		return 0, 0, fmt.Errorf("id %q is none that batch would write", id)
	}
	return number, hash, nil
}

// readLines yields the lines of a file that are not blank, numbered from 1. A failure to
// read ends them and is left in failed.
func readLines(r io.Reader, failed *error) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		for number := 1; ; number++ {
			text, err := in.ReadBytes('\n')
			if text = bytes.TrimSpace(text); len(text) > 0 && !yield(newLine(number, text)) {
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

func newLine(number int, text []byte) *line {
	sum := sha256.Sum256(text)
	return &line{number: number, hash: max(1, binary.BigEndian.Uint32(sum[:])), text: text}
}

// eachLine calls f for every line of a file that is not blank, until ctx is done: a file
// may be long.
func eachLine(ctx context.Context, path string, f func(*line) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var failed error
	for l := range readLines(file, &failed) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(l); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return failed
}

// countLines is how many lines of a file are not blank, and the number of the last.
func countLines(ctx context.Context, path string) (n, last int, err error) {
	err = eachLine(ctx, path, func(l *line) error {
		n, last = n+1, l.number
		return nil
	})
	return n, last, err
}

// parse makes a request of a line. What is wrong with it goes into err, with the place.
func (l *line) parse(file string, base *url.URL) {
	if err := l.request(base); err != nil {
		l.err = fmt.Errorf("%s:%d: %w", file, l.number, err)
	}
}

func (l *line) request(base *url.URL) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(l.text, &fields); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if fields == nil {
		return errors.New("not a JSON object: null")
	}
	l.method, l.body = http.MethodPost, l.text
	target := ""
	if fields["custom_id"] != nil || fields["url"] != nil && (fields["body"] != nil || fields["method"] != nil) { // the batch form
		l.body = fields["body"]
		for name, field := range map[string]*string{"custom_id": &l.customID, "method": &l.method, "url": &target} {
			if raw := fields[name]; raw != nil && json.Unmarshal(raw, field) != nil {
				return fmt.Errorf("%s is %s: it must be a string", name, raw)
			}
		}
		if raw := fields["priority"]; raw != nil && json.Unmarshal(raw, &l.priority) != nil {
			return fmt.Errorf("priority is %s: it must be a whole number, such as 2 or -1", raw)
		}
	}
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("url %q is not one: %w", hidden(target), cause(err))
	}
	u = join(base, u)
	if !absolute(u) && u.Scheme == "" && base == nil {
		return fmt.Errorf("url %q is not absolute, %w", hidden(target), errNoBase)
	}
	if !absolute(u) {
		return fmt.Errorf("url %q is not absolute: it must be like https://api.example.com/v1/things", hidden(target))
	}
	if base != nil && (u.Host != base.Host || u.Scheme != base.Scheme) { // the headers have keys in them
		return fmt.Errorf("url %q is not at %s://%s, where -url is: leave out -url to allow any place", hidden(target), base.Scheme, base.Host)
	}
	l.url = u.String()
	if _, err := http.NewRequest(l.method, l.url, nil); err != nil {
		return fmt.Errorf("method %q, url %q: %w", l.method, hidden(target), cause(err))
	}
	return nil
}

// absolute reports whether a request can be sent to a URL. A colon without a port is no
// host: net/http leaves it out.
func absolute(u *url.URL) bool {
	return strings.TrimSuffix(u.Host, ":") != "" && (u.Scheme == "http" || u.Scheme == "https")
}
