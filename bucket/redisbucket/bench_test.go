package redisbucket_test

import (
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket/internal/redistest"
)

// BenchmarkExchange measures one exchange after another, by one process, and the processor time that each takes Redis.
func BenchmarkExchange(b *testing.B) {
	server := redistest.Start(b)
	store := newStore(b, server)
	limit := bucket.PerSecond(1_000_000)
	seq := uint64(0)
	before := busy(b, server)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		ask(b, store, bucket.Ask{Process: "a", Seq: seq, Want: 1, Limit: limit, Ahead: time.Second})
	}
	b.ReportMetric((busy(b, server)-before)*1e6/float64(b.N), "µs-of-Redis/op")
}

// busy returns the processor time that the server has used, in seconds.
func busy(b *testing.B, server *redistest.Server) (sum float64) {
	used := regexp.MustCompile(`used_cpu_(?:sys|user):([0-9.]+)`).FindAllStringSubmatch(server.Do("INFO", "cpu"), -1)
	require.Len(b, used, 2)
	for _, match := range used {
		seconds, err := strconv.ParseFloat(match[1], 64)
		require.NoError(b, err)
		sum += seconds
	}
	return sum
}

// BenchmarkManyProcesses measures how many exchanges a second one Redis has, with many processes.
func BenchmarkManyProcesses(b *testing.B) {
	server := redistest.Start(b)
	store := newStore(b, server)
	before := busy(b, server)
	limit := bucket.PerSecond(1_000_000)
	var processes atomic.Int64
	b.SetParallelism(50)
	b.RunParallel(func(p *testing.PB) {
		process, seq := fmt.Sprintf("host-%d", processes.Add(1)), uint64(0)
		for p.Next() {
			seq++
			ask(b, store, bucket.Ask{Process: process, Seq: seq, Want: 1, Limit: limit, Ahead: time.Second})
		}
	})
	b.ReportMetric((busy(b, server)-before)*1e6/float64(b.N), "µs-of-Redis/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}
