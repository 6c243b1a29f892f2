package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"example.com/fairlead/scheduler"
)

// TestKeysAreApart: with each contestant, a key that has used its token waits, and another does not.
func TestKeysAreApart(t *testing.T) {
	for _, k := range keyedLimiters {
		if k.name == fairleadSubmit {
			continue // does not wait
		}
		wait := k.open(limit{rate: 1, burst: 1, per: time.Hour}, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if a, b := wait(ctx, "a"), wait(ctx, "b"); a != nil || b != nil {
			t.Errorf("%s: the first calls: %v, %v", k.name, a, b)
		}
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := wait(ctx, "a"); err == nil {
			t.Errorf("%s: a key has had a second token", k.name)
		}
		cancel()
	}
}

// TestKeyedCallsNeedNotWait: the calls that are measured all have their tokens, and keys are remembered.
func TestKeyedCallsNeedNotWait(t *testing.T) {
	for _, who := range keepers {
		call, begin := openKeyedCalls(job{Who: who, N: 100}), time.Now()
		if failed := repeat(1000, call); failed > 0 || time.Since(begin) > 10*time.Second {
			t.Errorf("%s: %d of 1000 failed, in %s", who, failed, time.Since(begin))
		}
	}
	s := newFairleadKeys(notForgotten)
	defer s.Close()
	keys := keyNames(2000)
	for _, key := range slices.Concat(keys, keys) {
		check(s.Do(t.Context(), nothing, scheduler.Key(key)))
	}
	if n := s.Snapshot().Keys; n != len(keys) {
		t.Errorf("%d of %d keys are remembered", n, len(keys))
	}
}

// TestNoisyNeighbor: who knows tenants lets the others' calls through long before a queue does. A queue takes seconds, so
// that the delays of a busy machine do not count.
func TestNoisyNeighbor(t *testing.T) {
	of := func(who string) numbers {
		return measureNeighbors(job{Who: who, N: 1000, Callers: 4, Rate: 400, Per: time.Second, Burst: 1})
	}
	queue := of(fairleadQueue)
	for _, who := range []string{fairlead, fairleadSubmit, xrateSplit} {
		if got := of(who); got["p50 ms"] > queue["p50 ms"]/3 {
			t.Errorf("%s: a call waits %v ms, and in a queue %v ms", who, got["p50 ms"], queue["p50 ms"])
		}
	}
	if queue["p50 ms"] < 500 || queue["used"] > 1.05 || queue["over since start"] > 0 {
		t.Errorf("a queue: %v", queue)
	}
}

// TestKeysHaveContestants: each name in a table is one of the contestants.
func TestKeysHaveContestants(t *testing.T) {
	for _, who := range slices.Concat(inKeys, limiterAKey) {
		keyedNamed(who)
	}
	for _, who := range slices.Concat(neighbors, oneLimit) {
		neighborlyNamed(who)
	}
}
