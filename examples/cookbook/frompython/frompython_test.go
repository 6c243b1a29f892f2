package frompython

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test with a scheduler in a bubble, so it takes no time.
func bubble(t *testing.T, f func(t *testing.T, s *scheduler.Scheduler)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config
		cfg.Retry.Seed = 1
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer s.Close()
		f(t, s)
	})
}

var errLost = errors.New("connection lost")

// flaky returns a function that fails that many times.
func flaky(times int, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if times--; times >= 0 {
			return "", err
		}
		return "hello", nil
	}
}

// TestConfig checks that the configuration equals the default, as the table in the cookbook says.
func TestConfig(t *testing.T) {
	require.Equal(t, retry.Policy{}.WithDefaults().String(), Config.Retry.String())
	require.Equal(t, scheduler.Config{}.Limit.WithDefaults(), Config.Limit)
}

func TestExecute(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler) {
		var progress []string
		text, err := Execute(t.Context(), s, flaky(2, errLost), 20, func(p scheduler.Progress) {
			progress = append(progress, fmt.Sprintf("%d of %d %v, %d tokens", p.Attempt, p.MaxAttempts, p.State, p.Available))
		}, errLost)
		require.NoError(t, err)
		require.Equal(t, "hello", text)
		require.Equal(t, []string{"1 of 6 retrying, 980 tokens", "2 of 6 retrying, 961 tokens"}, progress)
		require.EqualValues(t, 3*20, s.Snapshot().Ledger.Spent)
	})
}

// TestRetryOn checks that an error that is not in retry_on is only retried if it is marked, and that a marked
// wait counts in any case.
func TestRetryOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler) {
		_, err := Execute(t.Context(), s, flaky(1, errLost), 1, nil)
		require.Equal(t, "failed: connection lost", Explain(err))
		for _, retryOn := range []error{errLost, errors.ErrUnsupported} {
			started := time.Now()
			_, err = Execute(t.Context(), s, flaky(1, retry.After(errLost, time.Minute)), 1, nil, retryOn)
			require.NoError(t, err)
			require.GreaterOrEqual(t, time.Since(started), time.Minute, "of the bubble")
		}
	})
}

func TestDecorator(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler) {
		length := Limited(s, func(_ context.Context, text string) (int, error) { return len(text), nil }, scheduler.Cost(10))
		for _, text := range []string{"", "a", "ab"} {
			n, err := length(t.Context(), text)
			require.NoError(t, err)
			require.Equal(t, len(text), n)
		}
		require.EqualValues(t, 30, s.Snapshot().Ledger.Spent)
	})
}

func TestExceptions(t *testing.T) {
	bubble(t, func(t *testing.T, s *scheduler.Scheduler) {
		_, err := Execute(t.Context(), s, flaky(0, nil), 1001, nil)
		require.Equal(t, "1001 tokens are needed, and there are never more than 1000", Explain(err))
		_, err = Execute(t.Context(), s, flaky(6, errLost), 1, nil, errLost)
		require.Regexp(t, `^gave up after 6 attempts and \S+: connection lost$`, Explain(err))
		require.ErrorIs(t, err, errLost)
		_, err = Execute(t.Context(), s, flaky(5, errLost), 1, nil, errLost)
		require.Equal(t, "done", Explain(err))
	})
}
