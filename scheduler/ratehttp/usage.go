package ratehttp

import "net/http"

// usage is what a response says that it has cost. Of what is said more than once, as in a stream, the last
// counts. -1 means unknown.
type usage struct {
	total, input, output int64
	cacheWrites          int64 // Anthropic's, which count as input but are not in it; what is read from the cache does not
	final                bool  // not merely what a stream begins with
}

func (u *usage) known() bool { return u.final && (u.total >= 0 || u.input >= 0 || u.output >= 0) }

// sums are the tokens in all, of input and of output; -1 means unknown.
func (u *usage) sums() (all, in, out int64) {
	in, out = u.input, u.output
	if in >= 0 {
		in += max(0, u.cacheWrites)
	}
	if u.total >= 0 {
		return u.total, in, out
	}
	return max(0, in) + max(0, out), in, out
}

// take takes down a number if it is one of a usage: at the top; in the response of OpenAI's stream of responses; or in the
// message with which Anthropic's stream begins, at a time when there is no output yet.
func (u *usage) take(s *scanner, n int64) {
	first := false
	switch {
	case s.depth == 2 && s.key(1) == "usage":
	case s.depth == 3 && s.key(2) == "usage" && s.key(1) == "response":
	case s.depth == 3 && s.key(2) == "usage" && s.key(1) == "message":
		first = true
	default:
		return
	}
	switch s.key(s.depth) {
	case "total_tokens":
		u.total = n
	case "input_tokens", "prompt_tokens":
		u.input = n
	case "output_tokens", "completion_tokens":
		u.output = n
	case "cache_creation_input_tokens":
		u.cacheWrites = n
	default:
		return
	}
	u.final = !first
}

// watcher looks for the usage in a body that goes by: JSON, or a stream of events (Server-Sent Events) whose data are
// JSON. It keeps no more than a few names and numbers.
type watcher struct {
	scanner
	usage  usage
	events bool // it is a stream of events

	// The line of the stream that goes by.
	field   [5]byte // its first bytes
	length  int     // how many bytes it has so far
	data    bool    // it is data, of which the bytes are JSON from here on
	carried bool    // the one before ended with a carriage return
}

// watcherFor returns nil if there is nothing to be seen in such a body.
func watcherFor(h http.Header) *watcher {
	w := &watcher{usage: usage{total: -1, input: -1, output: -1}, events: mediaType(h) == "text/event-stream"}
	if !w.events && !isJSON(h) {
		return nil
	}
	return w
}

func (w *watcher) feed(p []byte) {
	for i := 0; i < len(p); i++ {
		if i += w.skip(p[i:]); i == len(p) {
			return
		}
		if w.events {
			w.event(p[i])
		} else {
			w.json(p[i])
		}
	}
}

func (w *watcher) json(c byte) {
	if n, ok := w.ends(c); ok {
		w.usage.take(&w.scanner, n)
	}
	w.scanner.feed(c)
}

// event takes a byte of a stream of events, whose lines end with CR, LF or both.
func (w *watcher) event(c byte) {
	carried := w.carried
	w.carried = c == '\r'
	switch {
	case c == '\n' && carried: // the second half of an end
	case c == '\n' || c == '\r':
		if w.length == 0 { // the event is over
			w.scanner = scanner{}
		}
		w.length, w.data = 0, false
	case w.data:
		w.json(c)
	default:
		if w.length < len(w.field) {
			w.field[w.length] = c
		}
		w.length++
		w.data = w.length == len(w.field) && string(w.field[:]) == "data:"
	}
}
