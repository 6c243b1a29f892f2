package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nested returns JSON of nested arrays.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// TestH75_DeepAnswers checks that an answer with JSON that would be too deep within a result is kept as text.
// The output can be read again and has every answer.
func TestH75_DeepAnswers(t *testing.T) {
	const shallowest = 9996
	st := newSite(t, generous, requests(7)...)
	st.intercept(func(w http.ResponseWriter, line int) bool {
		_, _ = io.WriteString(w, nested(shallowest+line))
		return true
	})
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 7}, sum.counts)
	asJSON := 0
	for id, r := range st.results() {
		body, text := string(r.Response.Body), ""
		if json.Unmarshal(r.Response.Body, &text) == nil {
			body = text
		} else {
			asJSON++
		}
		require.Equal(t, nested(shallowest+lineOf(id)), body)
	}
	require.Equal(t, 2, asJSON, "two levels are the result's own")

	st.intercept(func(http.ResponseWriter, int) bool {
		t.Error("a line that is answered was sent again")
		return false
	})
	sum, err = st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 7}, sum.counts)
}

// TestH75_LongResult checks that a result that is too long to be read again becomes an error.
func TestH75_LongResult(t *testing.T) {
	r := &result{ID: "1-00000001", CustomID: "a", Response: &response{StatusCode: 200, Body: json.RawMessage(strings.Repeat("1", 200))}}
	text, err := r.encode(300)
	require.NoError(t, err)
	require.Contains(t, string(text), `"body":111`)
	text, err = r.encode(200)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"1-00000001","custom_id":"","response":null,"error":{"message":"the result can't be written: it has 290 bytes, and a later run could read 200 at most"}}`, string(text))
}

// TestH75_WholeLineWithoutEnd checks that a last result without its line end is neither paid for again nor
// joined to the next.
func TestH75_WholeLineWithoutEnd(t *testing.T) {
	lines := requests(4)
	st := newSite(t, generous, lines[:2]...)
	_, err := st.process()
	require.NoError(t, err)
	before, err := os.ReadFile(st.out)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(st.out, bytes.TrimSuffix(before, []byte("\n")), 0o600))
	st.input(lines...)
	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: 4}, sum.counts)
	require.Len(t, st.entries(), 4)
	after, err := os.ReadFile(st.out)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(after, before))
}
