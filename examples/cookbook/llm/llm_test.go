package llm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/internal/strict"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A slow budget hardly refills during a test, so that every token that is given back shows. A fast one refills
// at once after a refusal has emptied it.
const slow, fast = 60, 60_000_000

// start returns a client and its scheduler, with budgets that refill perMinute, and a server with that handler.
func start(t *testing.T, perMinute int64, answer http.Handler) (openai.Client, *scheduler.Scheduler) {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	s, err := scheduler.New(scheduler.Config{
		Limits: bucket.Limits{
			"requests": bucket.PerMinute(perMinute).Burst(100),
			"tokens":   bucket.PerMinute(perMinute).Burst(50_000),
		},
		Retry:       retry.Policy{MaxRetries: 3, Initial: time.Millisecond},
		MaxInFlight: 4,
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return New(s, server.Client().Transport, server.URL, "none"), s
}

// paid returns how much all calls have taken from a budget.
func paid(t *testing.T, s *scheduler.Scheduler, budget string) int64 {
	for _, b := range s.Snapshot().Budgets {
		if b.Name == budget {
			return b.Ledger.Spent - b.Ledger.Refunded
		}
	}
	t.Fatal("no budget", budget)
	return 0
}

// TestEveryTokenIsAccountedFor checks that many concurrent questions are answered, and have paid exactly what
// the server has counted.
func TestEveryTokenIsAccountedFor(t *testing.T) {
	var counted atomic.Int64
	api, err := strict.New(strict.Config{PerMinute: 6000, Burst: 100, TokensPerMinute: 60_000,
		Log: func(e strict.Entry) { counted.Add(int64(e.Tokens)) }})
	require.NoError(t, err)
	client, s := start(t, slow, api)
	answers := make([]string, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answer, err := Ask(t.Context(), client, fmt.Sprint("What is ", i, "?"))
			if err != nil {
				t.Error(err)
			}
			answers[i] = answer
		})
	}
	all.Wait()
	for _, answer := range answers {
		require.Contains(t, answer, "I have read your")
	}
	require.EqualValues(t, 20, paid(t, s, "requests"))
	require.Equal(t, counted.Load(), paid(t, s, "tokens"))
	require.Less(t, counted.Load(), int64(20*200), "and that is less than what they might have cost")
}

// TestTriedAgain checks that the caller gets an answer although the first request is refused and the second is
// lost.
func TestTriedAgain(t *testing.T) {
	var requests atomic.Int64
	client, s := start(t, fast, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch requests.Add(1) {
		case 1:
			w.Header().Set("Retry-After-Ms", "10")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"hi"}}],"usage":{"total_tokens":12}}`)
		}
	}))
	answer, err := Ask(t.Context(), client, "hello")
	require.NoError(t, err)
	require.Equal(t, "hi", answer)
	require.EqualValues(t, 3, requests.Load())
	require.EqualValues(t, 3, s.Snapshot().Totals.Attempts)
}

// TestRetriesAreOurs checks that when retries are exhausted, the error is the client's own, and that the client
// itself has not retried.
func TestRetriesAreOurs(t *testing.T) {
	var requests atomic.Int64
	client, _ := start(t, fast, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	_, err := Ask(t.Context(), client, "hello")
	var refused *openai.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.EqualValues(t, 1+3, requests.Load())
}

const streamed = `data: {"choices":[{"delta":{"content":"he"}}],"usage":null}

data: {"choices":[{"delta":{"content":"llo"}}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}

data: [DONE]

`

// TestStreamIsSettled checks that a stream pays the usage at its end, if the request asks for it.
func TestStreamIsSettled(t *testing.T) {
	client, s := start(t, slow, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range strings.SplitAfterSeq(streamed, "\n\n") {
			if !strings.Contains(event, "total_tokens") || strings.Contains(string(body), `"include_usage":true`) {
				_, _ = io.WriteString(w, event)
			}
		}
	}))
	var answer strings.Builder
	require.NoError(t, Stream(t.Context(), client, "hello", &answer))
	require.Equal(t, "hello", answer.String())
	require.EqualValues(t, 12, paid(t, s, "tokens"))
}

// TestStreamIsLeft checks that a closed stream frees its slot before its end.
func TestStreamIsLeft(t *testing.T) {
	client, s := start(t, slow, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		first, _, _ := strings.Cut(streamed, "\n\n")
		_, _ = io.WriteString(w, first+"\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	require.ErrorIs(t, Stream(t.Context(), client, "hello", broken{}), errBroken)
	require.Zero(t, s.Snapshot().Running)
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
