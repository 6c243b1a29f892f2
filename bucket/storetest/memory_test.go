package storetest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

// TestMemory: processes that ask at the same time get no more than the limit, and the same error as from other stores.
func TestMemory(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var passed atomic.Int64
	m := storetest.NewMemory(func() time.Time { return begin.Add(time.Duration(passed.Load())) })
	var store bucket.Store = m
	exchange := func(name string, seq uint64) (bucket.Answer, error) {
		return store.Exchange(t.Context(), bucket.Ask{Process: name, Seq: seq, Want: 1000, Ahead: time.Second, Limit: bucket.PerSecond(100), Version: 1})
	}
	first, err := exchange("a", 1)
	require.NoError(t, err)
	require.Equal(t, bucket.LearnTime, first.Learning)

	passed.Store(int64(bucket.LearnTime))
	var sold atomic.Int64
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			got, _ := exchange(name, 2)
			sold.Add(got.Tokens)
		})
	}
	wg.Wait()
	last, err := exchange("a", 3)
	require.NoError(t, err)
	require.EqualValues(t, -sold.Load(), last.Level)

	_, err = m.Exchange(t.Context(), bucket.Ask{Process: "a", Seq: 4, Limit: bucket.Daily(5, "")})
	require.ErrorContains(t, err, "can't have one yet")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Exchange(ended, bucket.Ask{Process: "a", Limit: bucket.PerSecond(100)})
	require.ErrorIs(t, err, context.Canceled)
}
