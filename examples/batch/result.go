package main

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// maxResult bounds a line of results. As text, an answer of the longest kind takes up six
// times its bytes.
const maxResult = 8 * maxBody

// encode makes a line of a result that a later run can read again, whatever the answer is.
// JSON that is nested too deep for a reader of the whole line is kept as text.
func (r *result) encode() ([]byte, error) {
	text, err := r.line()
	if err == nil || r.Response == nil {
		return text, err
	}
	response := *r.Response
	response.Body, _ = json.Marshal(string(response.Body)) // strings always marshal
	asText := *r
	asText.Response = &response
	return asText.line()
}

// line encodes a result as it is, and fails if it can't be read again.
func (r *result) line() ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // an answer is written as it came
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if text.Len() > maxResult {
		return nil, fmt.Errorf("a result of %d bytes can't be read again: %d are the most", text.Len(), maxResult)
	}
	if _, err := parseEntry(text.Bytes()); err != nil {
		return nil, fmt.Errorf("a result that can't be read again: %w", err)
	}
	return text.Bytes(), nil
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
		return nil, err
	}
	var err error
	e.number, e.hash, err = parseID(e.ID)
	return e, err
}
