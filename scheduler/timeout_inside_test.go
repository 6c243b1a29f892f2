package scheduler

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A derived context asks for the error of an attempt's context as soon as AfterFunc says that it has ended.
// So it has ended by then (C12).
func TestClockContextHasEndedBeforeAfterFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := &AttemptTimeoutError{}
		inside, cancel := context.WithCancelCause(t.Context())
		c := &clockContext{Context: inside, cause: cause, done: make(chan struct{})}
		derived, stop := context.WithCancel(c)
		defer stop()
		cancel(cause)
		synctest.Wait()
		require.NoError(t, derived.Err())
		close(c.done)
		synctest.Wait()
		require.Equal(t, context.DeadlineExceeded, derived.Err())
		require.Equal(t, error(cause), context.Cause(derived))
	})
}
