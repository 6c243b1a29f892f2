package journal

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

// BenchmarkLifecycle measures calls of three commits each, which are accepted, started and ended, from some producers at
// once. It reports calls and commits a second, and the 99th percentile of a put.
func BenchmarkLifecycle(b *testing.B) {
	for _, producers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			path := inFolder(b)
			f, _ := open(b, path, fileOptions{clock: clock.System()})
			var commits int
			c := startCommitter(path, func(all batch) error {
				commits++
				return f.commit(all)
			})
			payload := make([]byte, 100)
			var last atomic.Uint64
			took := make([][]time.Duration, producers)
			var all sync.WaitGroup
			b.ResetTimer()
			for p := range producers {
				all.Go(func() {
					for n := last.Add(1); n <= uint64(b.N); n = last.Add(1) {
						r := call(n)
						for _, st := range []state{waiting, running, ended} {
							ch := change{record: r}
							if r.state, r.endedAt = st, time.Now(); st == waiting {
								ch.payload = payload
							}
							start := time.Now()
							if err := <-c.begin(batch{changes: []change{ch}, levels: payload}).committed; err != nil {
								b.Error(err)
							}
							took[p] = append(took[p], time.Since(start))
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			c.stop()
			every := slices.Sorted(slices.Values(slices.Concat(took...)))
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N)/seconds, "calls/s")
			b.ReportMetric(float64(commits)/seconds, "commits/s")
			b.ReportMetric(float64(every[len(every)*99/100].Microseconds())/1000, "p99-ms")
			info, err := os.Stat(path)
			require.NoError(b, err)
			b.ReportMetric(float64(info.Size())/(1<<20), "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
