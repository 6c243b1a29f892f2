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

	customID    string
	method      string
	url         string
	body        []byte
	priority    int
	key         string // or empty
	tokens      int64  // that each attempt pays, if tokens are counted
	attempts    int    // made so far
	sent        int64  // the number of its latest request, in sending order
	bytes       int64  // in memory until it has a result
	answerBytes int64  // in memory until the answer is written
	err         error  // why the line can't be sent
	last        error  // the error of its latest attempt, or nil
}

// name returns the line's name in messages. It begins with the number, since a custom_id need not be unique.
func (l *line) name() string {
	if l.customID == "" {
		return fmt.Sprintf("line %d", l.number)
	}
	return fmt.Sprintf("line %d %.60q", l.number, l.customID)
}

// id returns the line's id in the output. A later run uses it to find out which lines are answered, and whether
// they have changed.
func (l *line) id() string { return fmt.Sprintf("%d-%08x", l.number, l.hash) }

// parseID reverses id.
func parseID(id string) (number int, hash uint32, err error) {
	_, err = fmt.Sscanf(id, "%d-%08x", &number, &hash)
	if l := (line{number: number, hash: hash}); err != nil || number < 1 || hash == 0 || l.id() != id {
		return 0, 0, fmt.Errorf("id %q was not written by batch", id)
	}
	return number, hash, nil
}

// parse makes a request of a line. On failure it sets err, which names the file and the line.
func (l *line) parse(file string, base *url.URL) {
	if err := l.request(base); err != nil {
		l.err = fmt.Errorf("%s:%d: %w", file, l.number, err)
	}
}

func (l *line) request(base *url.URL) error {
	if l.size > maxLine {
		return fmt.Errorf("it has %d bytes, and a line may have %d at most", l.size, maxLine)
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
	if fields["custom_id"] != nil || fields["url"] != nil && (fields["body"] != nil || fields["method"] != nil) { // OpenAI's batch form
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
		return fmt.Errorf("url %q is not valid: %w", redacted(target), withoutURL(err))
	}
	u = join(base, u)
	if !absolute(u) && u.Scheme == "" && base == nil {
		return fmt.Errorf("url %q is not absolute, %w", redacted(target), errNoBase)
	}
	if !absolute(u) {
		return fmt.Errorf("url %q is not absolute: it must be like https://api.example.com/v1/things", redacted(target))
	}
	if base != nil && (u.Host != base.Host || u.Scheme != base.Scheme) { // the headers may hold keys
		return fmt.Errorf("url %q is not at %s://%s, where -url is: leave out -url to allow any place", redacted(target), base.Scheme, base.Host)
	}
	l.url = u.String()
	if _, err := http.NewRequest(l.method, l.url, nil); err != nil {
		return fmt.Errorf("method %q, url %q: %w", l.method, redacted(target), withoutURL(err))
	}
	return nil
}

// absolute reports whether a request can be sent to a URL. A colon without a port is no host, since net/http
// drops it.
func absolute(u *url.URL) bool {
	return strings.TrimSuffix(u.Host, ":") != "" && (u.Scheme == "http" || u.Scheme == "https")
}
