package scheduler

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"example.com/fairlead/bucket"
)

// flakyStore is a store in memory that sells at once, has other customers, and fails now and then.
type flakyStore struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	shared bucket.Shared
	seq    uint64
}

func newFlakyStore(l bucket.Limit, rnd *rand.Rand) *flakyStore {
	f := &flakyStore{rnd: rnd}
	f.other(time.Now().Add(-bucket.LearnTime), l, 0) // it has learned
	return f
}

// other exchanges for another process.
func (f *flakyStore) other(at time.Time, l bucket.Limit, hold time.Duration) {
	f.seq++
	f.shared.Exchange("run", at.UnixMicro(), bucket.Ask{Process: "other", Seq: f.seq, Want: 1, Limit: l, Version: 1, Hold: hold})
}

func (f *flakyStore) Exchange(_ context.Context, a bucket.Ask) (bucket.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rnd.IntN(3) == 0 {
		runtime.Gosched()
	}
	switch f.rnd.IntN(20) {
	case 0:
		return bucket.Answer{}, context.DeadlineExceeded // the ask is lost
	case 1:
		f.shared.Exchange("run", time.Now().UnixMicro(), a)
		return bucket.Answer{}, context.DeadlineExceeded // the answer is
	case 2:
		panic("store")
	case 3:
		f.other(time.Now(), a.Limit, 300*time.Microsecond)
	}
	return f.shared.Exchange("run", time.Now().UnixMicro(), a), nil
}

// Hints hints all the time.
func (f *flakyStore) Hints(ctx context.Context, hint func()) error {
	for ctx.Err() == nil {
		hint()
		time.Sleep(200 * time.Microsecond)
	}
	return ctx.Err()
}
