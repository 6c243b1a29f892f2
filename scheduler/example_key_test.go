package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newShared returns a scheduler whose clock the example moves.
func newShared(cfg scheduler.Config) (*scheduler.Scheduler, *clocktest.Mock) {
	mock := clocktest.NewMock()
	cfg.Clock = mock
	s, err := scheduler.New(cfg)
	if err != nil {
		panic(err)
	}
	return s, mock
}

// add submits calls of a key that do nothing, and returns the last one.
func add(s *scheduler.Scheduler, n int, key string, opts ...scheduler.Option) (last *scheduler.Handle) {
	for range n {
		h, err := s.Submit(context.Background(), func(context.Context) error { return nil }, append(opts, scheduler.Key(key))...)
		if err != nil {
			panic(err)
		}
		last = h
	}
	return last
}

// A tenant with 10,000 calls is a noisy neighbor. It does not delay the one call of another tenant by more
// than one of its own.
func ExampleKey() {
	s, mock := newShared(scheduler.Config{Limit: bucket.PerSecond(100).Burst(1)})
	defer s.Close()
	noisy := add(s, 10_000, "big")
	small := add(s, 1, "small")
	clocktest.Advance(s, mock, 20*time.Millisecond)
	<-small.Done()
	fmt.Println("small waited", small.Times().Queue+small.Times().Tokens)
	fmt.Println("big waits", noisy.Estimate().Wait.Round(time.Second))
	// Output:
	// small waited 20ms
	// big waits 1m40s
}

// While both wait, a tenant that pays for more gets more.
func ExampleWeight() {
	s, mock := newShared(scheduler.Config{Limit: bucket.PerSecond(100).Burst(1)})
	defer s.Close()
	add(s, 500, "gold", scheduler.Weight(4))
	add(s, 500, "basic")
	clocktest.Advance(s, mock, time.Second)
	for _, key := range []string{"gold", "basic"} {
		snap, err := s.SnapshotOf(key)
		fmt.Println(key, 500-snap.Queued, err)
	}
	// Output:
	// gold 81 <nil>
	// basic 20 <nil>
}

// A crawler sends each host at most one request a second, and two at a time. All hosts together have no
// limit.
func ExamplePerKey() {
	s, mock := newShared(scheduler.Config{
		Limit:  bucket.Unlimited,
		PerKey: scheduler.PerKey{Limit: bucket.PerSecond(1).Burst(1), MaxInFlight: 2},
	})
	defer s.Close()
	for _, host := range []string{"a.example", "b.example", "c.example"} {
		add(s, 60, host)
	}
	clocktest.Advance(s, mock, 9*time.Second)
	n := s.Snapshot()
	fmt.Println(n.Totals.Succeeded, "of", n.Totals.Accepted, "requests were sent to", n.Keys, "hosts")
	// Output: 30 of 180 requests were sent to 3 hosts
}

// A customer's account is blocked for an hour. Calls of other customers go on.
func ExampleScheduler_PauseKey() {
	s, mock := newShared(scheduler.Config{Limit: bucket.PerSecond(100)})
	defer s.Close()
	if err := s.PauseKey("blocked", s.Now().Add(time.Hour)); err != nil {
		panic(err)
	}
	blocked, other := add(s, 1, "blocked"), add(s, 1, "other")
	<-other.Done()
	fmt.Println("other waited", other.Times().Hold)
	clocktest.Advance(s, mock, time.Hour)
	<-blocked.Done()
	fmt.Println("blocked waited", blocked.Times().Hold)
	// Output:
	// other waited 0s
	// blocked waited 1h0m0s
}

// One tenant has a limit of its own. The budget "" is the only one of each key.
func ExampleScheduler_SetLimitOfKey() {
	s, _ := newShared(scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.PerMinute(60)}})
	defer s.Close()
	if err := s.SetLimitOfKey("trial", "", bucket.PerMinute(5)); err != nil {
		panic(err)
	}
	for _, key := range []string{"trial", "acme"} {
		snap, err := s.SnapshotOf(key)
		fmt.Println(key, snap.Budgets[0].Limit, err)
	}
	// Output:
	// trial 5 per 1m0s, capacity 5 <nil>
	// acme 60 per 1m0s, capacity 60 <nil>
}

// What one key has, and what waits for it.
func ExampleKeySnapshot() {
	s, _ := newShared(scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.PerMinute(5)}})
	defer s.Close()
	add(s, 8, "acme", scheduler.Weight(2))
	snap, err := s.SnapshotOf("acme")
	if err != nil {
		panic(err)
	}
	fmt.Println("weight", snap.Weight, "queued", snap.Queued)
	// Output: weight 2 queued 3
}

// The budgets of a key, with names of their own.
func ExampleOwnBudget() {
	s, _ := newShared(scheduler.Config{
		Limits: bucket.Limits{"requests": bucket.PerMinute(500)},
		PerKey: scheduler.PerKey{Limits: bucket.Limits{"requests of a key": bucket.PerMinute(50), "tokens of a key": bucket.PerMinute(9000)}},
	})
	defer s.Close()
	<-add(s, 1, "acme", scheduler.CostOf("tokens of a key", 1200)).Done()
	snap, err := s.SnapshotOf("acme")
	if err != nil {
		panic(err)
	}
	for _, b := range snap.Budgets {
		fmt.Println(b.Available, "left of", b.Name)
	}
	// Output:
	// 49 left of requests of a key
	// 7800 left of tokens of a key
}

// More keys than the scheduler may remember have calls at once.
func ExampleTooManyKeysError() {
	s, _ := newShared(scheduler.Config{Limit: bucket.PerMinute(1).Burst(1), PerKey: scheduler.PerKey{MaxKeys: 1}})
	defer s.Close()
	add(s, 3, "a")
	var many *scheduler.TooManyKeysError
	err := s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Key("b"))
	fmt.Println(errors.As(err, &many) && errors.Is(err, scheduler.ErrTooManyKeys))
	fmt.Println(many.Max)
	// Output:
	// true
	// 1
}

// The server of one tenant is down. Its calls use up their own budget for retries, and not that of another tenant.
func ExamplePerKey_retryBudget() {
	s, err := scheduler.New(scheduler.Config{
		Limit:  bucket.Unlimited,
		Retry:  retry.Policy{Initial: time.Millisecond, MaxRetries: 2},
		PerKey: scheduler.PerKey{RetryBudget: &retry.Budget{PerSecond: 0.1, Burst: 2}},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	for _, tenant := range []string{"acme", "acme", "globex"} {
		err := s.Do(context.Background(), func(context.Context) error {
			return retry.Transient(errors.New("connection refused"))
		}, scheduler.Key(tenant))
		var exhausted *retry.ExhaustedError
		errors.As(err, &exhausted)
		fmt.Printf("%s: %d attempt(s), budget of %q\n", tenant, exhausted.Attempts, exhausted.Key)
	}
	// Output:
	// acme: 3 attempt(s), budget of ""
	// acme: 1 attempt(s), budget of "acme"
	// globex: 3 attempt(s), budget of ""
}
