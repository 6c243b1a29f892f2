package storetest

import (
	"context"
	"sync"
	"time"

	"example.com/fairlead/bucket"
)

// Memory is a [bucket.Store] in the memory of this process, for tests of programs that share a budget, and for several
// schedulers of one program. Several goroutines may use it at once.
type Memory struct {
	clock func() time.Time

	mu     sync.Mutex
	shared bucket.Shared
}

// NewMemory returns a store that knows nothing and reads the time from clock, for example from time.Now or the Now of a
// mock. As every new store, it begins to sell after [bucket.LearnTime].
func NewMemory(clock func() time.Time) *Memory { return &Memory{clock: clock} }

// Exchange answers an ask at once. It returns an error if ctx has ended or the ask is not valid.
func (m *Memory) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	if err := ctx.Err(); err != nil {
		return bucket.Answer{}, err
	}
	if _, err := a.Normalize(); err != nil {
		return bucket.Answer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shared.Exchange("memory", m.clock().UnixMicro(), a), nil
}
