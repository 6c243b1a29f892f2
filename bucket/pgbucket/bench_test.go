//go:build unix

package pgbucket

import (
	"fmt"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"github.com/stretchr/testify/require"
)

// BenchmarkExchange measures a sale by one process, with the number of processes that share the budget.
func BenchmarkExchange(b *testing.B) {
	for _, sharers := range []int{1, 100} {
		b.Run(fmt.Sprint("sharers=", sharers), func(b *testing.B) {
			s := newStore(b, sharedServer(b).pool(b, 2), b.Name())
			ask := bucket.Ask{Seq: 1, Want: 100, Limit: bucket.PerSecond(1e6), Version: 1}
			for i := range sharers {
				ask.Process = fmt.Sprint(i)
				_, err := s.Exchange(b.Context(), ask)
				require.NoError(b, err)
			}
			time.Sleep(bucket.LearnTime)
			b.ReportAllocs()
			for b.Loop() {
				ask.Seq++
				_, err := s.Exchange(b.Context(), ask)
				require.NoError(b, err)
			}
		})
	}
}
