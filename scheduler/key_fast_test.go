package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestSharesOfSlotsAfterFastCalls checks that calls of the fast path count for the share of slots of the calls
// without a key while they run, and not after that.
func TestSharesOfSlotsAfterFastCalls(t *testing.T) {
	const slots = 4
	cfg := Config{Limit: bucket.Unlimited, MaxInFlight: slots, PerKey: PerKey{Patience: time.Hour}}
	fastBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		var release []func() error
		for range slots {
			release = append(release, inFast(t, s, nil))
		}
		grants := make(chan string, 2*slots)
		var handles []*Handle
		end := make(chan struct{})
		for _, key := range []string{"", "a"} {
			for range slots {
				h, err := s.Submit(t.Context(), func(ctx context.Context) error {
					info, _ := CallInfo(ctx)
					grants <- info.Key
					<-end
					return nil
				}, Key(key))
				require.NoError(t, err)
				handles = append(handles, h)
			}
		}
		synctest.Wait()
		for _, over := range release {
			require.NoError(t, over())
			synctest.Wait()
		}
		close(end)
		for _, key := range []string{"a", "a", "", ""} {
			require.Equal(t, key, <-grants)
		}
		for _, h := range handles {
			require.NoError(t, h.Wait(t.Context()))
		}
	})
}
