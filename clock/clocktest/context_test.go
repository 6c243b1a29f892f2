package clocktest_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
)

func TestContextEndsAtItsDeadline(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		ctx, cancel := mock.WithTimeout(t.Context(), time.Second)
		defer cancel()
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, epoch.Add(time.Second), deadline)

		derived, stop := context.WithCancel(ctx)
		defer stop()
		mock.Add(time.Second - 1)
		require.NoError(t, ctx.Err())
		mock.Add(1)
		for _, c := range []context.Context{ctx, derived} {
			<-c.Done()
			require.Equal(t, context.DeadlineExceeded, c.Err())
			require.Equal(t, context.DeadlineExceeded, context.Cause(c))
		}
		require.NoError(t, t.Context().Err())
	})
}

func TestContextEndsOnce(t *testing.T) {
	why := errors.New("why")
	type during struct {
		mock   *clocktest.Mock
		stop   context.CancelCauseFunc // of the parent
		cancel context.CancelFunc
	}
	cases := []struct {
		name  string
		over  bool // the parent has ended before the context is made
		left  time.Duration
		do    func(d during)
		want  error
		cause error
	}{
		{"canceled", false, time.Second, func(d during) { d.cancel(); d.mock.Add(time.Hour) }, context.Canceled, context.Canceled},
		{"canceled too late", false, time.Second, func(d during) { d.mock.Add(time.Hour); d.cancel() }, context.DeadlineExceeded, context.DeadlineExceeded},
		{"parent canceled", false, time.Second, func(d during) { d.stop(why); d.mock.Add(time.Hour) }, context.Canceled, why},
		{"parent ended before", true, time.Second, nil, context.Canceled, why},
		{"deadline now", false, 0, nil, context.DeadlineExceeded, context.DeadlineExceeded},
		{"deadline in the past", false, -time.Hour, nil, context.DeadlineExceeded, context.DeadlineExceeded},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
				parent, stop := context.WithCancelCause(t.Context())
				defer stop(nil)
				if tc.over {
					stop(why)
				}
				ctx, cancel := mock.WithTimeout(parent, tc.left)
				defer cancel()
				if tc.do != nil {
					require.NoError(t, ctx.Err())
					tc.do(during{mock, stop, cancel})
				} else {
					require.Equal(t, tc.want, ctx.Err(), "ended from the start")
				}
				<-ctx.Done()
				require.Equal(t, tc.want, ctx.Err())
				require.Equal(t, tc.cause, context.Cause(ctx))
			})
		})
	}
}

func TestContextInContext(t *testing.T) {
	cases := []struct {
		name               string
		outer, inner, want time.Duration
	}{
		{"outer ends first", time.Second, time.Hour, time.Second},
		{"inner ends first", time.Hour, time.Second, time.Second},
		{"both at once", time.Second, time.Second, time.Second},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
				type key struct{}
				outer, cancel := mock.WithTimeout(context.WithValue(t.Context(), key{}, "value"), tc.outer)
				defer cancel()
				inner, cancel := mock.WithTimeout(outer, tc.inner)
				defer cancel()

				require.Equal(t, "value", inner.Value(key{}))
				deadline, ok := inner.Deadline()
				require.True(t, ok)
				require.Equal(t, epoch.Add(tc.want), deadline)
				mock.Add(tc.want - 1)
				require.NoError(t, inner.Err())
				mock.Add(1)
				require.Equal(t, context.DeadlineExceeded, inner.Err())
			})
		})
	}
}

// TestContextErrWhileItEnds checks for a data race, because benbjohnson's context reads its error
// without a lock.
func TestContextErrWhileItEnds(t *testing.T) {
	mock := clocktest.NewMock()
	ctx, cancel := mock.WithTimeout(t.Context(), time.Second)
	defer cancel()
	polled := make(chan error)
	go func() {
		for ctx.Err() == nil {
			runtime.Gosched()
		}
		polled <- ctx.Err()
	}()
	mock.Add(time.Second)
	require.Equal(t, context.DeadlineExceeded, <-polled)
}
