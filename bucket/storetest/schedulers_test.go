package storetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// Two schedulers that share ten calls a second take turns of half a second, and each run grants the same calls at the same instants.
func TestTwoSchedulers(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		begin := mock.Now()
		cfg := scheduler.Config{
			Limit: bucket.PerSecond(10).Burst(1),
			Store: storetest.NewMemory(mock.Now),
			Clock: mock,
		}
		var mu sync.Mutex
		var grants []string
		for _, name := range []string{"a", "b"} {
			s, err := scheduler.New(cfg)
			require.NoError(t, err)
			defer s.Close()
			for range 100 {
				_, err := s.Submit(context.Background(), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					grants = append(grants, fmt.Sprint(name, " ", mock.Now().Sub(begin).Round(10*time.Millisecond)))
					return nil
				})
				require.NoError(t, err)
			}
			mock.Add(time.Millisecond) // so that no two asks are of the same instant
		}
		mock.Add(bucket.LearnTime + time.Second)
		require.Equal(t, []string{
			"a 2.35s", "a 2.45s", "a 2.55s", "a 2.65s", "a 2.75s",
			"b 2.85s", "b 2.95s", "b 3.05s", "b 3.15s", "b 3.25s",
		}, grants)
	})
}
