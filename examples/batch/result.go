package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// result is one line of the output file.
type result struct {
	ID       string       `json:"id"`
	CustomID string       `json:"custom_id"`
	Response *response    `json:"response"`
	Error    *resultError `json:"error"`
}

type response struct {
	StatusCode int             `json:"status_code"`
	Body       json.RawMessage `json:"body"`
}

type resultError struct {
	Message string `json:"message"`
}

// maxResult bounds the length of a result. The longest answer takes twice its bytes when it is kept as text.
const maxResult = 3 * maxBody

// encode returns a result as a line that a later run can read again. A body that is nested too deep for that is
// kept as text. If that fails too, the result becomes a shorter error.
func (r *result) encode(limit int) ([]byte, error) {
	text, err := r.marshal(limit)
	if err != nil && r.Response != nil {
		response := *r.Response
		response.Body, _ = json.Marshal(string(response.Body)) // strings always marshal
		asText := *r
		asText.Response = &response
		text, err = asText.marshal(limit)
	}
	if err != nil {
		lost := result{ID: r.ID, Error: &resultError{Message: "the result can't be written: " + err.Error()}}
		text, err = lost.marshal(limit)
	}
	return text, err
}

// marshal encodes a result unchanged, and fails if it can't be read again.
func (r *result) marshal(limit int) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // answers are written as they came
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if text.Len() > limit {
		return nil, fmt.Errorf("it has %d bytes, and a later run could read %d at most", text.Len(), limit)
	}
	if _, err := parseEntry(text.Bytes()); err != nil {
		return nil, fmt.Errorf("it could not be read again: %w", err)
	}
	return text.Bytes(), nil
}

// entry is the part of a result that a later run needs. It leaves out the bodies, which may not fit in memory.
type entry struct {
	ID    string       `json:"id"`
	Error *resultError `json:"error"`

	text   []byte // the whole line; valid until the next is read
	number int    // of the input line, from the id
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
