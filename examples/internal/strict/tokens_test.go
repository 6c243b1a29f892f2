package strict_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/examples/internal/strict"
	"example.com/fairlead/retry/headers"
)

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	used   int64            // tokens, according to the answer
	left   map[string]int64 // of each quota, according to the header
	limit  map[string]int64
	seen   headers.Observations
}

// newClient returns a function that sends a body to a new API.
func newClient(t *testing.T, cfg strict.Config) (ask func(body string) reply, log *[]strict.Entry) {
	log = new([]strict.Entry)
	cfg.Log = func(e strict.Entry) { *log = append(*log, e) }
	api, err := strict.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return func(body string) reply {
		res, err := server.Client().Post(server.URL, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer res.Body.Close()
		var answer struct {
			Usage struct {
				Total int64 `json:"total_tokens"`
			}
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		got := reply{res.StatusCode, res.Header, answer.Usage.Total, map[string]int64{}, map[string]int64{}, headers.Parse(res.Header, time.Now())}
		for _, b := range got.seen.Budgets {
			got.left[b.Name], got.limit[b.Name] = b.Remaining, b.Limit
		}
		require.Empty(t, got.seen.Doubtful)
		return got
	}, log
}

// noRefill is a quota that refills too slowly to matter in a test.
var noRefill = strict.Config{PerMinute: 1, Burst: 1000, TokensPerMinute: 1, TokenBurst: 1000}

const costs100 = `{"max_tokens":95,"x":1}` // 5 for its 23 bytes, and 95 for its answer

// TestTokens checks that a request is counted as what it may cost, and once answered as what it has cost.
func TestTokens(t *testing.T) {
	ask, log := newClient(t, noRefill)
	first := ask(costs100)
	require.Equal(t, 200, first.status)
	require.Greater(t, first.used, int64(5))
	require.LessOrEqual(t, first.used, int64(100))
	require.Equal(t, map[string]int64{"requests": 1, "tokens": 1}, first.left, "what is left is at most a minute's limit")
	require.Equal(t, map[string]int64{"requests": 1, "tokens": 1}, first.limit)
	require.EqualValues(t, first.used, (*log)[0].Tokens)

	answered := int64(1)
	for next := first; next.status == 200; answered++ {
		next = ask(costs100)
	}
	answered-- // the last was refused
	require.Greater(t, answered*first.used, 1000-int64(100), "a request with enough tokens left was refused")
	require.LessOrEqual(t, answered*first.used, int64(1000))
}

// TestTokensLeft checks that the header says what is left.
func TestTokensLeft(t *testing.T) {
	cfg := noRefill
	cfg.PerMinute, cfg.Burst, cfg.TokensPerMinute = 10, 10, 1000 // one token in 60 ms, so little refills during the test
	ask, _ := newClient(t, cfg)
	before := ask(`{}`)
	require.Equal(t, map[string]int64{"requests": 10, "tokens": 1000}, before.limit)
	require.InDelta(t, 9, before.left["requests"], 0)
	after := ask(costs100)
	require.Equal(t, int64(8), after.left["requests"])
	require.GreaterOrEqual(t, after.left["tokens"], before.left["tokens"]-after.used)
	for _, b := range after.seen.Budgets {
		require.Positive(t, b.Reset.Sub(after.seen.At), b.Name)
	}
}

// TestRefusedForTokens checks that a refusal for lack of tokens has a Retry-After, counts as a request, and
// costs no tokens.
func TestRefusedForTokens(t *testing.T) {
	cfg := noRefill
	cfg.PerMinute, cfg.Burst, cfg.TokensPerMinute, cfg.TokenBurst = 10, 10, 60, 120
	cfg.FailRate = 1 // failures keep their count
	ask, log := newClient(t, cfg)
	first := ask(costs100)
	require.NotEqual(t, 429, first.status)
	require.Equal(t, 100, (*log)[0].Tokens)
	second := ask(costs100)
	require.Equal(t, 429, second.status)
	require.InDelta(t, 75, second.seen.RetryAfter.Seconds(), 5, "for the 80 missing tokens, at one a second")
	require.EqualValues(t, 8, second.left["requests"])
	require.GreaterOrEqual(t, second.left["tokens"], int64(20))
	require.Zero(t, (*log)[1].Tokens)

	never := ask(`{"max_tokens":120}`)
	require.Equal(t, 429, never.status)
	require.True(t, never.seen.NoRetry)
	require.Zero(t, never.seen.RetryAfter)
}
