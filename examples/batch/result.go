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

// maxResult bounds a line of results. The longest answer takes twice its bytes when it is kept as
// text.
const maxResult = 3 * maxBody

// encode returns a result as a line that a later run can read again. JSON that is nested too
// deep to be read within the line is kept as text. If that fails too, the line gets a shorter
// error instead.
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

// line encodes a result unchanged, and fails if the line can't be read again.
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

// entry is the part of a result that a later run needs. It leaves out the answers' bodies,
// which may be more than memory holds.
type entry struct {
	ID    string   `json:"id"`
	Error *failure `json:"error"`

	text   []byte // the line itself, until the next is read
	number int    // of the input's line, from the id
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
