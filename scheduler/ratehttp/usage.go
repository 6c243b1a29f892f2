package ratehttp

import (
	"bytes"
	"net/http"
)

// Usage is the cost of a request in tokens, as its response reports it.
type Usage struct {
	Total  int64 // from the response, or else the sum of Input and Output
	Input  int64 // -1 if the response does not say
	Output int64 // -1 if the response does not say
}

// ReadUsage finds the usage in the body of a response, which may be JSON, a stream of Server-Sent Events, or the JSON array that Gemini
// streams. It knows the forms of OpenAI, Anthropic and Gemini. If a number occurs more than once, as in a stream, the last one
// counts. A value that is not a whole number of at most 12 digits is ignored.
//
// Total is total_tokens or totalTokenCount. Without these, as with Anthropic, it is the sum of Input and Output. Input includes
// cache_creation_input_tokens but not tokens read from the cache. Output includes thinking.
//
// ReadUsage returns false, and -1 for each number, if the body does not report the cost.
func ReadUsage(body []byte) (Usage, bool) {
	w := newWatcher(!startsAsJSON(body))
	w.feed(body)
	return w.usage.sums()
}

// startsAsJSON reports whether a body is JSON rather than a stream of events.
func startsAsJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// usage collects the numbers of tokens that a response reports. -1 means unknown.
type usage struct {
	total, input, output int64
	cacheWrites          int64 // Anthropic's, reported beside the input and counted as input; tokens read from the cache don't count
	tools, thoughts      int64 // Gemini's, reported beside input and output and counted as those
	final                bool  // there is more than the usage at the beginning of a stream
}

// sums returns the tokens in total, of input and of output. If there is a total and no output, as for embeddings, the output is the
// rest.
func (u *usage) sums() (Usage, bool) {
	in, out := u.input, u.output
	if in >= 0 {
		in += u.tools
		if u.total < 0 {
			in += u.cacheWrites
		}
	}
	if out >= 0 || u.thoughts > 0 {
		out = max(0, out) + u.thoughts
	}
	switch {
	case !u.final || u.total < 0 && in < 0 && out < 0:
		return Usage{Total: -1, Input: -1, Output: -1}, false
	case u.total < 0:
		return Usage{Total: max(0, in) + max(0, out), Input: in, Output: out}, true
	case in >= 0 && out < 0:
		out = max(0, u.total-in)
	}
	return Usage{Total: u.total, Input: in, Output: out}, true
}

// take takes a number if it belongs to a usage.
func (u *usage) take(s *scanner, n int64) {
	found, first := usageAt(s)
	if !found {
		return
	}
	switch s.key(s.depth) {
	case "total_tokens", "totalTokenCount":
		u.total = n
	case "input_tokens", "prompt_tokens", "promptTokenCount":
		u.input = n
	case "output_tokens", "completion_tokens", "candidatesTokenCount":
		u.output = n
	case "cache_creation_input_tokens":
		u.cacheWrites = n
	case "toolUsePromptTokenCount":
		u.tools = n
	case "thoughtsTokenCount":
		u.thoughts = n
	default:
		return
	}
	u.final = !first
}

// usageAt reports whether the scanner is in a usage, and whether that is the first of several. A usage is at the top, in the response
// of OpenAI's stream of responses, or in an element of Gemini's array. The first one is in the message at the beginning of Anthropic's
// stream, when there is no output yet.
func usageAt(s *scanner) (found, first bool) {
	switch s.depth {
	case 2:
		return s.key(1) == "usage" || s.key(1) == "usageMetadata", false
	case 3:
		if s.key(2) == "usageMetadata" {
			return !s.isObject(1) || s.key(1) == "response", false
		}
		return s.key(2) == "usage" && (s.key(1) == "response" || s.key(1) == "message"), s.key(1) == "message"
	}
	return false, false
}

// watcher looks for the usage in a body that is passed on. The body is JSON, or a stream of events (Server-Sent Events) whose data are
// JSON. The watcher keeps only a few names and numbers.
type watcher struct {
	scanner
	usage  usage
	events bool // the body is a stream of events

	// The current line of the stream.
	field   [5]byte // its first bytes
	length  int     // how many bytes it has so far
	data    bool    // it begins with "data:", so the other bytes are JSON
	carried bool    // the line before ended with a carriage return
}

// watcherFor returns a watcher for a response, or nil if its body can't have a usage.
func watcherFor(h http.Header) *watcher {
	events := mediaType(h) == "text/event-stream"
	if !events && !isJSON(h) {
		return nil
	}
	return newWatcher(events)
}

func newWatcher(events bool) *watcher {
	return &watcher{usage: usage{total: -1, input: -1, output: -1}, events: events}
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
	case c == '\n' && carried: // the second byte of a line end
	case c == '\n' || c == '\r':
		if w.length == 0 { // the event has ended
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
