package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newExample is a scheduler that does not keep a reader of examples waiting.
func newExample(cfg scheduler.Config) *scheduler.Scheduler {
	if cfg.Retry == (retry.Policy{}) {
		cfg.Retry = retry.Policy{Initial: time.Millisecond, Jitter: retry.None}
	}
	s, err := scheduler.New(cfg)
	if err != nil {
		panic(err)
	}
	return s
}

// The zero Config is the default: 1000 tokens, 100 a minute, 5 retries.
func ExampleNew() {
	s, err := scheduler.New(scheduler.Config{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Snapshot().Limit)

	_, err = scheduler.New(scheduler.Config{Limit: bucket.PerSecond(0), MaxInFlight: -1})
	fmt.Println(err)
	// Output:
	// 100 per 1m0s, capacity 1000
	// scheduler: Config.Limit: bucket: limit's Capacity is 0: it must be at least 1
	// bucket: limit's Refill is 0: it must be at least 1 token every Per (a Window needs a burst from 1 to n)
	// scheduler: Config.MaxInFlight is -1: it must be positive, or 0 for no cap
}

func ExampleConfig() {
	s, err := scheduler.New(scheduler.Config{
		Limit:       bucket.PerMinute(500).Burst(50),
		Retry:       retry.Policy{MaxRetries: 3, Initial: 2 * time.Second, Max: 30 * time.Second},
		Classify:    retry.Network, // timeouts and lost connections are worth a retry
		MaxInFlight: 8,
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Snapshot().Available)
	// Output: 50
}

// The same function runs on every attempt, so what it has done so far is not lost.
func ExampleScheduler() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	attempts := 0
	err := s.Do(context.Background(), func(context.Context) error {
		if attempts++; attempts < 3 {
			return retry.Transient(errors.New("connection reset"))
		}
		return nil
	})
	fmt.Println(attempts, err)
	// Output: 3 <nil>
}

func ExampleScheduler_Do() {
	s := newExample(scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond, Jitter: retry.None}})
	defer s.Close()
	busy := errors.New("server is busy")
	err := s.Do(context.Background(), func(context.Context) error { return retry.RateLimited(busy) })
	fmt.Println(err)
	fmt.Println(errors.Is(err, retry.ErrExhausted), errors.Is(err, busy))
	// Output:
	// retries exhausted: 2 attempts failed, 1ms waited in between, the last with: server is busy (rate limited)
	// true true
}

func ExampleValue() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	answer, err := scheduler.Value(context.Background(), s, func(context.Context) (int, error) { return 42, nil })
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

// Options are choices for one call.
func ExampleOption() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	ctx, nothing := context.Background(), func(context.Context) error { return nil }
	err := s.Do(ctx, nothing,
		scheduler.Cost(850),
		scheduler.Name("summary-17"),
		scheduler.Retry(retry.Policy{MaxRetries: retry.None}),
		scheduler.Classify(retry.Network))
	fmt.Println(err, s.Snapshot().Ledger.Spent)
	fmt.Println(s.Do(ctx, nothing, scheduler.Cost(5000)))
	// Output:
	// <nil> 850
	// cost 5000 is above the capacity of 1000 tokens and could never be granted: split the call or raise the limit's Capacity
}

func ExampleHandle() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	release := make(chan struct{})
	h, err := s.Submit(context.Background(), func(context.Context) error { <-release; return nil })
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Err())
	close(release)
	<-h.Done()
	fmt.Println(h.Err(), h.Attempts())
	// Output:
	// call has not ended yet: receive from Done first
	// <nil> 1
}

func ExampleScheduler_Submit() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	h, err := s.Submit(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if err != nil {
		panic(err)
	}
	h.Cancel()
	<-h.Done()
	fmt.Println(h.Err(), errors.Is(h.Err(), context.Canceled))
	// Output: cancelled through its handle: context canceled true
}

func ExampleStream() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	words := slices.Values([]string{"port", "and", "starboard"})
	length := func(_ context.Context, word string) (int, error) { return len(word), nil }
	for res := range scheduler.Stream(context.Background(), s, words, length, scheduler.Ordered(), scheduler.LookAhead(64)) {
		fmt.Println(res.Index, res.Input, res.Value, res.Err)
	}
	// Output:
	// 0 port 4 <nil>
	// 1 and 3 <nil>
	// 2 starboard 9 <nil>
}

func ExampleEach() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	nothing := func(context.Context, string) (struct{}, error) { return struct{}{}, nil }
	costs := scheduler.Each(func(prompt string) []scheduler.Option {
		return []scheduler.Option{scheduler.Cost(int64(len(prompt)))}
	})
	for range scheduler.Stream(context.Background(), s, slices.Values([]string{"short", "rather longer"}), nothing, costs) {
	}
	fmt.Println(s.Snapshot().Ledger.Spent)
	// Output: 18
}

func ExampleResult() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	half := func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, fmt.Errorf("%d is odd", n)
		}
		return n / 2, nil
	}
	for res := range scheduler.Stream(context.Background(), s, slices.Values([]int{10, 11}), half, scheduler.Ordered()) {
		fmt.Println(res.Input, res.Value, res.Err, res.Attempts)
	}
	// Output:
	// 10 5 <nil> 1
	// 11 0 11 is odd 1
}

func ExampleScheduler_Subscribe() {
	s := newExample(scheduler.Config{})
	sub := s.Subscribe(events.Granted, events.Succeeded, events.ShutDown)
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Name("ping"), scheduler.Cost(10))
	s.Close()
	for ev := range sub.C {
		if ev.Kind.Ends() {
			ev.Times = events.Times{} // what it took differs from run to run
		}
		fmt.Println(ev)
	}
	// Output:
	// call 1 "ping" granted: attempt 1 of 6 for 10 tokens, 990 tokens left
	// call 1 "ping" succeeded: attempt 1 of 6
	// shut down
}

func ExampleSnapshot() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(100)})
	defer s.Close()
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Cost(30))
	snap := s.Snapshot()
	fmt.Println(snap.Available, snap.Ledger.Initial, snap.Ledger.Spent, snap.Running)
	// Output: 70 100 30 0
}

func ExampleTotals() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	ctx, failures := context.Background(), 2
	_ = s.Do(ctx, func(context.Context) error {
		if failures--; failures >= 0 {
			return retry.RateLimited(errors.New("busy"))
		}
		return nil
	})
	_ = s.Do(ctx, func(context.Context) error { return errors.New("no such thing") })
	totals := s.Snapshot().Totals
	fmt.Println(totals.Accepted, totals.Succeeded, totals.Failed, totals.Attempts, totals.Retries, totals.RateLimited)
	// Output: 2 1 1 4 2 2
}

func ExampleOnProgress() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	failed := false
	err := s.Do(context.Background(), func(context.Context) error {
		if !failed {
			failed = true
			return retry.Transient(errors.New("503 Service Unavailable"))
		}
		return nil
	}, scheduler.Name("report"), scheduler.OnProgress(func(p scheduler.Progress) { fmt.Println(p) }))
	fmt.Println(err)
	// Output:
	// report: attempt 1 of 6 failed: 503 Service Unavailable; next in 1ms, 999 tokens left
	// <nil>
}

func ExampleProgress() {
	fmt.Println(scheduler.Progress{
		State: scheduler.Waiting, Call: 7, Name: "ping", Attempt: 1, MaxAttempts: 6,
		Position: 3, Wait: 1200 * time.Millisecond, Available: 4,
	})
	// Output: ping: attempt 1 of 6 waits for tokens: number 3 in the queue, about 1.2s to go, 4 tokens left
}

func ExampleProgressState() {
	fmt.Println(scheduler.Waiting, scheduler.Retrying)
	// Output: waiting retrying
}

// A call that could not be served before its deadline fails at once.
func ExampleDeadlineError() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour), Level: &bucket.State{}})
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := s.Do(ctx, func(context.Context) error { return nil })
	var late *scheduler.DeadlineError
	fmt.Println(errors.As(err, &late), errors.Is(err, context.DeadlineExceeded), late.Wait.Round(time.Minute))
	// Output: true true 1h0m0s
}

func ExamplePanicError() {
	s := newExample(scheduler.Config{})
	defer s.Close()
	h, err := s.Submit(context.Background(), func(context.Context) error { panic("boom") })
	if err != nil {
		panic(err)
	}
	<-h.Done()
	var p *scheduler.PanicError
	fmt.Println(errors.As(h.Err(), &p), p.In, p.Value, len(p.Stack) > 0)
	// Output: true function boom true
}

func ExampleScheduler_Shutdown() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour)})
	ctx := context.Background()
	for _, name := range []string{"first", "second"} {
		if _, err := s.Submit(ctx, func(context.Context) error { return nil }, scheduler.Name(name)); err != nil {
			panic(err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	left, err := s.Shutdown(soon)
	fmt.Println(err)
	for _, u := range left { // they are in the order in which to hand them in again
		fmt.Println(u.Name, u.State, u.Attempts)
	}
	// Output:
	// scheduler is closed; calls not finished: 1
	// second queued 0
}

func ExampleUnfinished() {
	text, err := json.Marshal(scheduler.Unfinished{Call: 7, Name: "ping", State: "running", Cost: 10, Attempts: 2, Paid: 20})
	fmt.Println(string(text), err)
	// Output: {"call":7,"name":"ping","state":"running","cost":10,"attempts":2,"paid":20} <nil>
}

func ExampleScheduler_Close() {
	s := newExample(scheduler.Config{})
	s.Close()
	fmt.Println(s.Do(context.Background(), func(context.Context) error { return nil }))
	// Output: scheduler is closed
}
