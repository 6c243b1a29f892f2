package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// TestElapsedTellsTheTurn checks that a call whose retry would begin after its policy's MaxElapsed tells when that would
// have been (C17, RetryAt).
func TestElapsedTellsTheTurn(t *testing.T) {
	policy := retry.Policy{Initial: time.Minute, Jitter: retry.None, MaxElapsed: 30 * time.Second}
	k, err := New(Config{Limits: bucket.Limits{"": {}}, Retry: policy})
	require.NoError(t, err)
	c := &Call{Cost: 1, Deadline: bucket.Forever}
	k.Submit(10*time.Second, c)
	k.Finish(20*time.Second, c, errFailed, retry.Verdict{Kind: retry.KindTransient})
	require.Equal(t, Ended, c.State)
	exhausted := c.Err().(*retry.ExhaustedError)
	require.Equal(t, 30*time.Second, exhausted.MaxElapsed)
	require.Equal(t, 70*time.Second, exhausted.Elapsed)
	require.True(t, exhausted.RetryAt.Equal(k.Time(80*time.Second)), exhausted.RetryAt)
}
