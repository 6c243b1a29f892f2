package proof

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestExpress checks that each of express-rate-limit's three forms of header fields is applied, and each refusal
// obeyed.
func TestExpress(t *testing.T) {
	module(t, "express-rate-limit")
	for _, draft := range []string{"draft-6", "draft-7", "draft-8"} {
		t.Run(draft, func(t *testing.T) {
			server := start(t, program(t, "node"), "limited.js", draft, "20", "1000")
			url := "http://127.0.0.1:" + server.waitFor(t, `^port (\d+)$`)
			s := schedule(t, scheduler.Config{Limit: fast, MaxInFlight: 16})
			c := s.client(t, ratehttp.Transport{
				Budget: func(string) string { return "" }, // draft 8 names the budgets
			})
			getAll(t, c, url, 1)
			snap := s.Snapshot()
			require.Negative(t, snap.Ledger.Adjusted, "what is left was read and believed")
			require.Less(t, snap.Limit.Capacity+snap.Ledger.Adjusted, int64(20+1))

			getAll(t, c, url, 99)
			var counts struct{ Requests, Refused int }
			getJSON(t, url+"/counts", &counts)
			limited := int(s.Snapshot().Totals.RateLimited)
			n := s.count()
			t.Logf("express: %+v; %d attempts", counts, n[events.Granted])
			require.Positive(t, counts.Refused)
			require.Equal(t, 100, counts.Requests-counts.Refused)
			require.Equal(t, counts.Requests, n[events.Granted])
			require.Equal(t, counts.Refused, limited)
			require.Equal(t, 100, n[events.Succeeded])
		})
	}
}
