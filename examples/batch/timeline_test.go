package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReport checks that the report and the trace have every request.
func TestReport(t *testing.T) {
	st := newSite(t, generous, requests(30)...)
	page, trace := filepath.Join(t.TempDir(), "run.html"), filepath.Join(t.TempDir(), "run.json")
	_, err := st.process("-report", page, "-trace", trace)
	require.NoError(t, err)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.True(t, json.Valid(text))
	for _, r := range st.results() {
		require.Contains(t, string(html), r.CustomID)
		require.Contains(t, string(text), r.CustomID)
	}

	_, err = st.process("-report", filepath.Join(t.TempDir(), "nowhere", "run.html"))
	require.ErrorContains(t, err, "nowhere")
}
