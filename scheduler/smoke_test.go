package scheduler

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Limit: bucket.PerSecond(10).Burst(1)})
		require.NoError(t, err)
		sub := s.Subscribe()
		n := 0
		err = s.Do(t.Context(), func(ctx context.Context) error {
			n++
			if n < 3 {
				return retry.RateLimited(errors.New("no"))
			}
			return nil
		}, Name("x"), OnProgress(func(p Progress) { t.Log(p) }))
		require.NoError(t, err)
		for r := range Stream(t.Context(), s, slices.Values([]int{1, 2, 3}), func(ctx context.Context, i int) (int, error) { return i * 2, nil }, Ordered()) {
			t.Log(r)
		}
		time.Sleep(time.Second)
		t.Logf("%+v", s.Snapshot())
		s.Close()
		for ev := range sub.C {
			t.Log(ev.At, ev)
		}
	})
}
