package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// line is one line of the input file.
type line struct {
	number int
	hash   uint32 // of the text, never 0
	size   int64  // of the text
	text   []byte // nil if it is longer than maxLine

	customID string
	method   string
	url      string
	body     []byte
	priority int
	tokens   int64 // that an attempt at it pays, if they are counted
	attempts int   // made so far
	sent     int64 // the number of its latest request, in the order in which they go out
	held     int64 // bytes of the line in memory, until it has a result
	answer   int64 // bytes of the answer, until it is written
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

// parse makes a request of a line. What is wrong with it goes into err, with the place.
func (l *line) parse(file string, base *url.URL) {
	if err := l.request(base); err != nil {
		l.err = fmt.Errorf("%s:%d: %w", file, l.number, err)
	}
}

func (l *line) request(base *url.URL) error {
	if l.size > maxLine {
		return fmt.Errorf("it has %d bytes: %d are the most that a line may have", l.size, maxLine)
	}
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
		return fmt.Errorf("url %q is not valid: %w", hidden(target), cause(err))
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
