package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestBackoffShorterThanACommit lets a backoff end before the journal can write that it has begun. The end of the attempt is
// written nevertheless, so that the attempt is not made again.
func TestBackoffShorterThanACommit(t *testing.T) {
	for name, end := range map[string]func(*life){"closed": (*life).end, "killed": (*life).die} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				cfg := scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(2), Retry: retry.Policy{Initial: time.Millisecond, Jitter: retry.None}}
				l := newLife(t, dir, cfg)
				l.fails["a"], l.takes = 1, time.Second
				l.submit(Call{ID: "a"})
				time.Sleep(700 * time.Millisecond)
				l.submit(Call{ID: "quick"})
				synctest.Wait()
				l.slowCommits() // feed is busy with the end of quick when the backoff begins and ends
				time.Sleep(time.Minute)
				end(l)
				l.begin()
				require.Zero(t, l.j.Report().Suspects)
				require.NoError(t, l.wait("a", 2*time.Hour))
				require.Equal(t, []string{"0s a attempt 1", "700ms quick attempt 1", "1h0m0s a attempt 2"}, l.trace)
				l.end()
			})
		})
	}
}
