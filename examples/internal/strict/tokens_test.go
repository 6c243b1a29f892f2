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

// told is what an API has answered.
type told struct {
	status int
	header http.Header
	used   int64            // tokens, as the answer says
	left   map[string]int64 // of each quota, as the header says
	limit  map[string]int64
	seen   headers.Observations
}

// asker sends bodies to an API one by one.
func asker(t *testing.T, cfg strict.Config) (ask func(body string) told, log *[]strict.Entry) {
	log = new([]strict.Entry)
	cfg.Log = func(e strict.Entry) { *log = append(*log, e) }
	api, err := strict.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return func(body string) told {
		res, err := server.Client().Post(server.URL, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer res.Body.Close()
		var answer struct {
			Usage struct {
				Total int64 `json:"total_tokens"`
			}
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		got := told{res.StatusCode, res.Header, answer.Usage.Total, map[string]int64{}, map[string]int64{}, headers.Parse(res.Header, time.Now())}
		for _, b := range got.seen.Budgets {
			got.left[b.Name], got.limit[b.Name] = b.Remaining, b.Limit
		}
		require.Empty(t, got.seen.Doubtful)
		return got
	}, log
}

// slowly is so slow that nothing comes back during a test.
var slowly = strict.Config{PerMinute: 1, Burst: 1000, TokensPerMinute: 1, TokenBurst: 1000}

const hundred = `{"max_tokens":95,"x":1}` // 5 for its 23 bytes, and 95

// TestTokens: a request is counted as what it may cost, and once answered as what it did.
func TestTokens(t *testing.T) {
	ask, log := asker(t, slowly)
	first := ask(hundred)
	require.Equal(t, 200, first.status)
	require.Greater(t, first.used, int64(5))
	require.LessOrEqual(t, first.used, int64(100))
	require.Equal(t, map[string]int64{"requests": 1, "tokens": 1}, first.left, "of the limit, which is a minute's")
	require.Equal(t, map[string]int64{"requests": 1, "tokens": 1}, first.limit)
	require.EqualValues(t, first.used, (*log)[0].Tokens)

	answered := int64(1)
	for next := first; next.status == 200; answered++ {
		next = ask(hundred)
	}
	answered-- // the last was refused
	require.Greater(t, answered*first.used, 1000-int64(100), "nothing was refused that was there")
	require.LessOrEqual(t, answered*first.used, int64(1000))
}

// TestTokensLeft: what the header says is left is what is left.
func TestTokensLeft(t *testing.T) {
	cfg := slowly
	cfg.PerMinute, cfg.Burst, cfg.TokensPerMinute = 10, 10, 1000 // one token in 60 ms: what comes back is less than what is asked for
	ask, _ := asker(t, cfg)
	before := ask(`{}`)
	require.Equal(t, map[string]int64{"requests": 10, "tokens": 1000}, before.limit)
	require.InDelta(t, 9, before.left["requests"], 0)
	after := ask(hundred)
	require.Equal(t, int64(8), after.left["requests"])
	require.GreaterOrEqual(t, after.left["tokens"], before.left["tokens"]-after.used)
	for _, b := range after.seen.Budgets {
		require.Positive(t, b.Reset.Sub(after.seen.At), b.Name)
	}
}

// TestRefusedForTokens: it says when to come back, has been a request, and has cost no tokens.
func TestRefusedForTokens(t *testing.T) {
	cfg := slowly
	cfg.PerMinute, cfg.Burst, cfg.TokensPerMinute, cfg.TokenBurst = 10, 10, 60, 120
	cfg.FailRate = 1 // so that what is paid is kept
	ask, log := asker(t, cfg)
	first := ask(hundred)
	require.NotEqual(t, 429, first.status)
	require.Equal(t, 100, (*log)[0].Tokens)
	second := ask(hundred)
	require.Equal(t, 429, second.status)
	require.InDelta(t, 75, second.seen.RetryAfter.Seconds(), 5, "at one token a second for the 80 that are wanting")
	require.EqualValues(t, 8, second.left["requests"])
	require.GreaterOrEqual(t, second.left["tokens"], int64(20))
	require.Zero(t, (*log)[1].Tokens)

	never := ask(`{"max_tokens":120}`)
	require.Equal(t, 429, never.status)
	require.True(t, never.seen.NoRetry)
	require.Zero(t, never.seen.RetryAfter)
}
