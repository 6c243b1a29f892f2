package hashicorp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/adapters/hashicorp"
)

// exact retries after 1, 2 and 4 s, or after a server's wait of at most a minute.
var exact = retry.Policy{MaxRetries: 3, Jitter: retry.None, MaxServerWait: time.Minute}

// response returns a response with a status and header fields.
func response(status int, fields ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	return &http.Response{StatusCode: status, Header: h}
}

func TestCheckRetry(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		res  *http.Response
		err  error
		want bool
		fail error
	}{
		{name: "success", res: response(200)},
		{name: "not found", res: response(404)},
		{name: "too many requests", res: response(429), want: true},
		{name: "server error", res: response(503), want: true},
		{name: "not implemented", res: response(501)},
		{name: "a wait", res: response(429, "Retry-After", "60"), want: true},
		{name: "too long a wait", res: response(429, "Retry-After", "61")},
		{name: "the server says no", res: response(503, "X-Should-Retry", "false")},
		{name: "the server says yes", res: response(409, "X-Should-Retry", "true"), want: true},
		{name: "GitHub's limit", res: response(403, "X-RateLimit-Limit", "60", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "2000000030"), want: true},
		{name: "lost connection", err: syscall.ECONNRESET, want: true},
		{name: "cut off", err: io.ErrUnexpectedEOF, want: true},
		{name: "error of a kind that stays", err: errors.New("unsupported protocol scheme")},
		{name: "error of a response's handler", res: response(200), err: retry.Transient(errors.New("half a body")), want: true},
		{name: "context done", ctx: canceled, res: response(503), fail: context.Canceled},
		{name: "nothing at all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
				mock.Set(time.Unix(2_000_000_000, 0))
				r := hashicorp.Retry{Policy: exact, Clock: mock}
				if tt.ctx == nil {
					tt.ctx = t.Context()
				}
				again, err := r.CheckRetry(tt.ctx, tt.res, tt.err)
				require.Equal(t, tt.want, again)
				require.Equal(t, tt.fail, err)
			})
		})
	}
}

func TestCheckRetry_Classify(t *testing.T) {
	r := hashicorp.Retry{Classify: func(error) retry.Verdict { return retry.Verdict{Kind: retry.KindTransient} }}
	again, err := r.CheckRetry(t.Context(), nil, errors.New("anything"))
	require.NoError(t, err)
	require.True(t, again)
}

// TestCheckRetry_DoesNotCount checks that MaxRetries does not matter, because the client counts the attempts.
func TestCheckRetry_DoesNotCount(t *testing.T) {
	r := hashicorp.Retry{Policy: retry.Policy{MaxRetries: retry.None}}
	again, _ := r.CheckRetry(t.Context(), response(503), nil)
	require.True(t, again)
}

func TestBackoff(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		r := hashicorp.Retry{Policy: exact, Clock: mock}
		for attempt, want := range []time.Duration{1, 2, 4, 8} {
			require.Equal(t, want*time.Second, r.Backoff(time.Hour, time.Hour, attempt, response(503)))
			require.Equal(t, want*time.Second, r.Backoff(0, 0, attempt, nil))
		}
		within := func(wait time.Duration, res *http.Response) {
			t.Helper()
			got := r.Backoff(0, 0, 0, res)
			require.GreaterOrEqual(t, got, wait)
			require.LessOrEqual(t, got, wait+wait/10, "the wait and at most a tenth more")
		}
		within(30*time.Second, response(429, "Retry-After", "30"))
		within(30*time.Second, response(503, "Retry-After", mock.Now().Add(30*time.Second).UTC().Format(http.TimeFormat)))
		within(200*time.Millisecond, response(429, "Retry-After-Ms", "200"))
	})
}

func TestBackoff_SeedAndChance(t *testing.T) {
	waits := func(seed uint64) (all []time.Duration) {
		r := hashicorp.Retry{Policy: retry.Policy{Seed: seed}}
		for range 3 {
			all = append(all, r.Backoff(0, 0, 0, nil), r.Backoff(0, 0, 0, response(429, "Retry-After", "30")))
		}
		return all
	}
	require.Equal(t, waits(7), waits(7))
	require.NotEqual(t, waits(0), waits(0))
	require.NotEqual(t, waits(7)[0], waits(7)[2], "calls don't wait in step")
}
