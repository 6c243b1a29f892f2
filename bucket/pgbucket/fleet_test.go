//go:build unix

package pgbucket

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"github.com/stretchr/testify/require"
)

// fleet is several schedulers that share a budget, each with more callers than it can let through.
type fleet struct {
	limit   bucket.Limit
	members []*scheduler.Scheduler
	callers sync.WaitGroup

	mu     sync.Mutex
	begin  time.Time
	starts []time.Duration // of calls
}

func newFleet(t *testing.T, s *server, limit bucket.Limit) *fleet {
	f := &fleet{limit: limit, begin: time.Now()}
	for range 4 {
		m, err := scheduler.New(scheduler.Config{Limit: limit, Store: newStore(t, s.pool(t, 4), "fleet")})
		require.NoError(t, err)
		f.members = append(f.members, m)
		for range 8 {
			f.callers.Go(func() {
				for m.Do(context.Background(), func(context.Context) error { f.note(); return nil }) == nil {
				}
			})
		}
	}
	return f
}

func (f *fleet) note() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, time.Since(f.begin))
}

// count returns how many calls have started.
func (f *fleet) count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.starts))
}

// close closes the schedulers and returns when their calls started.
func (f *fleet) close() []time.Duration {
	for _, m := range f.members {
		m.Close()
	}
	f.callers.Wait()
	slices.Sort(f.starts)
	return f.starts
}

// excess returns by how many calls the worst window had more than rate · window.
func excess(starts []time.Duration, l bucket.Limit) (most float64) {
	rate := float64(l.Refill) / float64(l.Per)
	for i, begin := range starts {
		for j, end := range starts[i:] {
			most = max(most, float64(j+1)-rate*float64(end-begin))
		}
	}
	return most
}

// inAll returns by how many calls the starts were ahead of the tokens, at the worst moment, since the store began to sell.
func inAll(starts []time.Duration, l bucket.Limit) (most float64) {
	rate := float64(l.Refill) / float64(l.Per)
	for i, at := range starts {
		most = max(most, float64(i+1)-rate*float64(at-bucket.LearnTime))
	}
	return most
}
