package strict_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/examples/internal/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post sends n requests one after the other and counts the statuses, with 0 for a dropped connection.
func post(t *testing.T, cfg strict.Config, n int) (statuses map[int]int, log []string) {
	cfg.Log = func(e strict.Entry) { log = append(log, e.String()) }
	api, err := strict.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(api)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	statuses = map[int]int{}
	began := time.Now()
	for i := range n {
		req, err := http.NewRequest(http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(`{"model":"m"}`))
		require.NoError(t, err)
		req.Header.Set("X-Request-Id", fmt.Sprint("r", i))
		res, err := server.Client().Do(req)
		if err != nil {
			statuses[0]++
			continue
		}
		statuses[res.StatusCode]++
		if res.StatusCode == http.StatusTooManyRequests {
			requireRetryAfter(t, res, began, 20*time.Second)
		}
		require.NoError(t, res.Body.Close())
	}
	return statuses, log
}

// requireRetryAfter checks that a refusal tells how long to wait until a time has passed since the first request, in seconds
// that are rounded up.
func requireRetryAfter(t *testing.T, res *http.Response, began time.Time, d time.Duration) {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.LessOrEqual(t, seconds, int(d.Seconds()))
	require.GreaterOrEqual(t, time.Since(began)+time.Duration(seconds)*time.Second, d)
}

// TestQuota checks that a burst is accepted, and no more.
func TestQuota(t *testing.T) {
	statuses, log := post(t, strict.Config{PerMinute: 3, Burst: 4}, 10)
	require.Equal(t, map[int]int{200: 4, 429: 6}, statuses)
	require.Len(t, log, 10)
	require.True(t, strings.HasSuffix(log[3], " r3 200"), log[3])
	require.True(t, strings.HasSuffix(log[4], " r4 429"), log[4])
}

// TestFailures checks that failures are about as frequent as configured, and the same for the same seed.
func TestFailures(t *testing.T) {
	cfg := strict.Config{PerMinute: 1_000_000, Burst: 1000, FailRate: 0.3, DropRate: 0.2, Seed: 5}
	statuses, log := post(t, cfg, 200)
	require.InDelta(t, 100, statuses[200], 30)
	require.InDelta(t, 60, statuses[500]+statuses[503], 25)
	require.InDelta(t, 40, statuses[0], 20)
	require.Len(t, log, 200)
	again, _ := post(t, cfg, 200)
	require.Equal(t, statuses, again)
}

func TestBadConfig(t *testing.T) {
	_, err := strict.New(strict.Config{PerMinute: 0, Burst: 1})
	require.ErrorContains(t, err, "quota of 0 requests a minute")
	_, err = strict.New(strict.Config{PerMinute: 1, Burst: 1, TokenBurst: 5})
	require.ErrorContains(t, err, "quota of 0 tokens a minute, 5 at once")
	_, err = strict.New(strict.Config{PerMinute: 1, Burst: 1, DropRate: 1.5})
	require.ErrorContains(t, err, "drop rate of 1.5")
}
