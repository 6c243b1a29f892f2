package core

import (
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// BenchmarkCore measures a call in the core: submit, grant, finish.
func BenchmarkCore(b *testing.B) {
	k, _ := New(Config{Limits: bucket.Limits{"": bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)}})
	c := &Call{Cost: 1, Deadline: bucket.Forever, detail: &detail{options: noOptions}}
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now++
		c.State, c.Attempts = arriving, 0
		k.Submit(now, c)
		k.Finish(now, c, nil, retry.Verdict{})
		k.Effects.Clear()
	}
}
