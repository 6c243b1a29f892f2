package scheduler

import (
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// BenchmarkCore measures a call in the core: submit, grant, finish.
func BenchmarkCore(b *testing.B) {
	k, _ := newCore(coreConfig{Limits: bucket.Limits{"": bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)}})
	c := &coreCall{cost: 1, deadline: bucket.Forever, detail: &callDetail{options: noOptions}}
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now++
		c.state, c.attempts = arriving, 0
		k.submit(now, c)
		k.finish(now, c, nil, retry.Verdict{})
		k.effects.clear()
	}
}
