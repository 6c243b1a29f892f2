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

// maxResult bounds a line of results. An answer of the longest kind that is kept as text has twice
// its bytes.
const maxResult = 3 * maxBody

// encode makes a line of a result that a later run can read again, whatever the answer is.
// JSON that is nested too deep for a reader of the whole line is kept as text. What can't be
// kept either way becomes an error of that line, which is shorter.
func (r *result) encode(most int) ([]byte, error) {
	text, err := r.line(most)
	if err != nil && r.Response != nil {
		response := *r.Response
		response.Body, _ = json.Marshal(string(response.Body)) // strings always marshal
		asText := *r
		asText.Response = &response
		text, err = asText.line(most)
	}
	if err != nil {
		lost := result{ID: r.ID, Error: &failure{Message: "the result can't be kept: " + err.Error()}}
		text, err = lost.line(most)
	}
	return text, err
}

// line encodes a result as it is, and fails if it can't be read again.
func (r *result) line(most int) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // an answer is written as it came
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if text.Len() > most {
		return nil, fmt.Errorf("it has %d bytes: %d are the most that are read again", text.Len(), most)
	}
	if _, err := parseEntry(text.Bytes()); err != nil {
		return nil, fmt.Errorf("it could not be read again: %w", err)
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
