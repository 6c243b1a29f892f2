package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
)

// TestTimePerRequest checks the mean times of the requests in a run, part by part.
func TestTimePerRequest(t *testing.T) {
	const slow = 20 * time.Millisecond
	api := generous
	api.SlowRate, api.Slow = 1, slow
	st := newSite(t, api, append(requests(3), "{bad")...)
	g := st.gate()
	r := st.start("-in-flight", "1")
	await(t, r.queued, 4)
	g.open() // from here on they run one after the other
	sum := r.result(t)
	require.Equal(t, counts{answered: 3, failed: 1}, sum.counts)
	mean := sum.perRequest
	require.GreaterOrEqual(t, mean.Run, slow, "all three")
	require.GreaterOrEqual(t, mean.Slot, 2*slow/3, "the second and the third wait for the slot")
	require.GreaterOrEqual(t, mean.Queue, slow/3, "the third waits behind the second")
	require.Zero(t, mean.Tokens+mean.Hold+mean.Backoff)
	require.LessOrEqual(t, mean.Total(), sum.elapsed)
	require.Contains(t, sum.String(), "\ntime per request: "+mean.String()+"\n")

	sum, err := st.process()
	require.NoError(t, err)
	require.NotContains(t, sum.String(), "time per request", "nothing was left to do")
}

// TestMeanTimes checks that the mean is over all requests, failed or not, but not over bad lines.
func TestMeanTimes(t *testing.T) {
	var sum tally
	ms := time.Millisecond
	sum.count(outcome{Input: &line{}, Times: events.Times{Queue: 4000 * ms, Tokens: 1000 * ms, Slot: 2 * ms, Run: 300 * ms}})
	sum.count(outcome{Input: &line{}, Times: events.Times{Tokens: 1000 * ms, Hold: 4 * ms, Backoff: 6 * ms, Run: 100 * ms}, Err: errors.New("no")})
	sum.count(outcome{Input: &line{err: errors.New("bad")}, Times: events.Times{Queue: time.Hour}})
	require.Equal(t, events.Times{Queue: 2000 * ms, Tokens: 1000 * ms, Slot: ms, Hold: 2 * ms, Backoff: 3 * ms, Run: 200 * ms}, sum.mean())
	require.Contains(t, summary{perRequest: sum.mean()}.String(),
		"\ntime per request: 3.206s (queue 2s, tokens 1s, slot 1ms, hold 2ms, backoff 3ms, run 200ms)\n")
	require.Zero(t, new(tally).mean())
}
