package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quota(t *testing.T) *scheduler.Scheduler {
	s, err := scheduler.New(scheduler.Config{
		Limit:       bucket.PerSecond(100_000).Burst(50),
		Retry:       retry.Policy{MaxRetries: 1, Initial: 1},
		MaxInFlight: 8,
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// numbers yields the numbers below n, and counts how many were read.
func numbers(n int64, read *atomic.Int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			read.Add(1)
			if !yield(fmt.Sprint(i)) {
				return
			}
		}
	}
}

var errUnlucky = errors.New("unlucky")

// failing returns a step that appends a mark to its input. For inputs that end with a digit it returns an error
// that err has marked.
func failing(mark, digit string, err func(error) error) func(context.Context, string) (string, error) {
	return func(_ context.Context, in string) (string, error) {
		if strings.HasSuffix(in, digit) {
			return "", err(errUnlucky)
		}
		return in + mark, nil
	}
}

// TestPipeline checks that each of ten thousand inputs has its result or its error, in order, and that at most
// two look-aheads are in memory.
func TestPipeline(t *testing.T) {
	const n = 10_000
	a, b := quota(t), quota(t)
	var read atomic.Int64
	taken := int64(0)
	for item := range Run(t.Context(), numbers(n, &read),
		Stage{a, failing("a", "3", retry.Permanent)}, Stage{b, failing("b", "7a", retry.Transient)}) {
		in := fmt.Sprint(taken)
		require.Equal(t, in, item.Input)
		switch in[len(in)-1] {
		case '3':
			require.ErrorIs(t, item.Err, errUnlucky)
			require.NotErrorIs(t, item.Err, retry.ErrExhausted)
		case '7':
			require.ErrorIs(t, item.Err, retry.ErrExhausted)
		default:
			require.Equal(t, Item{in, in + "ab", nil}, item)
		}
		taken++
		require.LessOrEqual(t, read.Load()-taken, int64(2*lookAhead+2), "in hand")
	}
	require.EqualValues(t, n, taken)
	require.EqualValues(t, n, a.Snapshot().Ledger.Spent, "each once")
	require.EqualValues(t, n-n/10+n/10, b.Snapshot().Ledger.Spent, "not those that failed before, and twice those that were tried again")
}

// TestPassedOn checks that a server that asks the first stage to wait an hour does not hold up the second.
func TestPassedOn(t *testing.T) {
	a, b := quota(t), quota(t)
	var read atomic.Int64
	refuse := func(context.Context, string) (string, error) { return "", retry.After(errUnlucky, time.Hour) }
	pass := func(_ context.Context, in string) (string, error) { return in, nil }
	for item := range Run(t.Context(), numbers(1, &read), Stage{a, refuse}, Stage{b, pass}) {
		require.ErrorIs(t, item.Err, retry.ErrWaitTooLong)
	}
	require.False(t, a.Snapshot().HeldUntil.IsZero())
	require.True(t, b.Snapshot().HeldUntil.IsZero())
}

// TestLeftEarly checks that a loop that is left ends all work, even if that would take forever.
func TestLeftEarly(t *testing.T) {
	a, b := quota(t), quota(t)
	var read atomic.Int64
	runs, left := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context, in string) (string, error) {
		if len(in) > 3 { // from 1000 on
			if in == "1000" {
				close(runs)
				defer close(left)
			}
			<-ctx.Done()
		}
		return in, ctx.Err()
	}
	pass := func(_ context.Context, in string) (string, error) { return in, nil }
	for item := range Run(t.Context(), numbers(1<<40, &read), Stage{a, slow}, Stage{b, pass}) {
		if item.Input == "999" {
			<-runs
			break
		}
	}
	<-left
	require.LessOrEqual(t, read.Load(), int64(1000+2*lookAhead+2))
}

// TestCanceled checks that the loop ends with its context, and that all items before the last one were yielded,
// so that a later run can continue there.
func TestCanceled(t *testing.T) {
	a, b := quota(t), quota(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var read atomic.Int64
	pass := func(_ context.Context, in string) (string, error) { return in, nil }
	taken := int64(0)
	for item := range Run(ctx, numbers(1<<40, &read), Stage{a, pass}, Stage{b, pass}) {
		require.Equal(t, fmt.Sprint(taken), item.Input)
		if item.Err != nil {
			require.ErrorIs(t, item.Err, context.Canceled)
		}
		if taken++; taken == 1000 {
			cancel()
		}
	}
	require.GreaterOrEqual(t, taken, int64(1000))
	require.LessOrEqual(t, read.Load()-taken, int64(2*lookAhead+2))
}
