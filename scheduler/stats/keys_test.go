package stats_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
	"example.com/fairlead/scheduler/stats"
)

// TestKeys checks the JSON of the most loaded keys, over a connection and as a variable.
func TestKeys(t *testing.T) {
	var sums bykey.Sums
	srv := httptest.NewServer(stats.KeysHandler(&sums, 1))
	defer srv.Close()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, ev := range []events.Event{
		{At: noon, Kind: events.Queued, Call: 1, Key: "noisy"},
		{At: noon, Kind: events.Granted, Call: 2, Key: "acme", Cost: 3},
		{At: noon, Kind: events.Succeeded, Call: 2, Key: "acme", Times: events.Times{Queue: 2, Turn: 1}},
	} {
		sums.Add(ev)
	}
	resp, body := ask(t, srv, http.MethodGet)
	require.Equal(t, "application/json; charset=utf-8", resp.Header.Get("Content-Type"))
	const want = `{"keys":[{"key":"noisy","waiting":1,"running":0,"since":"2026-03-01T12:00:00Z","attempts":0,"spent":0,"succeeded":0,"failed":0,"refused":0}],` +
		`"others":{"key":"","waiting":0,"running":0,"attempts":1,"spent":3,"succeeded":1,"failed":0,"refused":0,"mean":{"queue":2,"turn":1}}}`
	require.JSONEq(t, want, body)
	require.Equal(t, want, stats.KeysVar(&sums, 1).String())
	var all bykey.Report
	require.NoError(t, json.Unmarshal([]byte(stats.KeysVar(&sums, 0).String()), &all))
	require.Equal(t, sums.Report(0), all)

	require.PanicsWithValue(t, "stats: the sums by key are nil", func() { stats.KeysHandler(nil, 1) })
	require.PanicsWithValue(t, "stats: the sums by key are nil", func() { stats.KeysVar(nil, 1) })
}
