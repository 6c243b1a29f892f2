package core

import (
	"strconv"
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

// BenchmarkKeys measures a call with a key in the core. With waiting=n it is submitted, waits behind the
// calls of n keys, one of each, is granted and finishes. With remembered=n nothing waits, and it is that of
// one of n keys with a budget each, whose memory is reported as B/key.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run("waiting="+strconv.Itoa(n), func(b *testing.B) { benchmarkWaitingKeys(b, n) })
	}
	b.Run("remembered=100000", func(b *testing.B) { benchmarkRememberedKeys(b, 100_000) })
}

func benchmarkWaitingKeys(b *testing.B, n int) {
	k, _ := New(Config{Limits: bucket.Limits{"": bucket.Per(1_000_000_000, time.Second).Burst(1)}})
	now := time.Duration(0)
	k.Submit(now, keyedCall("first")) // takes the only token
	for i := range n {
		k.Submit(now, keyedCall(strconv.Itoa(i)))
	}
	k.Effects.Clear()
	for b.Loop() {
		now++
		k.Advance(now)
		c := k.Effects.Granted[0]
		k.HandedOver(now)
		k.Finish(now, c, nil, retry.Verdict{})
		k.Effects.Clear()
		c.State, c.Attempts = arriving, 0
		c.SetKey(c.Key(), 1)
		k.Submit(now, c)
	}
	if k.queued != n {
		b.Errorf("%d calls wait, and not %d", k.queued, n)
	}
}

func benchmarkRememberedKeys(b *testing.B, n int) {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	c, before := keyedCall(""), heapInUse()
	k, _ := New(Config{
		Limits: bucket.Limits{"": bucket.Unlimited},
		PerKey: PerKey{Limits: bucket.Limits{"key": bucket.Per(1, time.Hour).Burst(1_000_000_000)}},
	})
	now := time.Duration(0)
	call := func(i int) {
		now++
		c.State, c.Attempts = arriving, 0
		c.SetKey(names[i], 1)
		k.Submit(now, c)
		k.HandedOver(now)
		k.Finish(now, c, nil, retry.Verdict{})
		k.Effects.Clear()
	}
	for i := range n {
		call(i)
	}
	perKey := float64(heapInUse()-before) / float64(n)
	for i := 0; b.Loop(); i = (i + 7919) % n {
		call(i)
	}
	if k.Keys() != n {
		b.Errorf("%d keys are remembered, and not %d", k.Keys(), n)
	}
	b.ReportMetric(perKey, "B/key")
}

func keyedCall(key string) *Call {
	c := &Call{Cost: 1, Deadline: bucket.Forever, detail: &detail{options: noOptions}}
	c.SetKey(key, 1)
	return c
}
