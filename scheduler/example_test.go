package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newExample returns a scheduler with short delays.
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

// A call succeeds at its second attempt. Each attempt pays.
func Example() {
	s, err := scheduler.New(scheduler.Config{
		Limit: bucket.Per(500, time.Hour).Burst(50),
		Retry: retry.Policy{Initial: time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()

	attempts := 0
	answer, err := scheduler.Value(context.Background(), s, func(context.Context) (string, error) {
		if attempts++; attempts == 1 {
			return "", retry.Transient(errors.New("connection reset"))
		}
		return "hello", nil
	}, scheduler.Cost(20), scheduler.Name("greeting"))
	fmt.Println(answer, err)
	fmt.Println(s.Snapshot())
	// Output:
	// hello <nil>
	// 10 of 50 tokens left, 0 queued, 0 running, 0 backing off; ended: 1, retries: 1
}

// A limit is all that most programs need. New reports all faults of a Config at once.
func ExampleNew() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Snapshot().Limit)

	_, err = scheduler.New(scheduler.Config{Limit: bucket.PerSecond(0), MaxInFlight: -1})
	fmt.Println(err)
	// Output:
	// 50 per 1s, capacity 50
	// scheduler: Config.Limit: bucket: limit's Capacity is 0: it must be at least 1
	// bucket: limit's Refill is 0: it must be at least 1 token every Per (a Window needs a burst from 1 to n)
	// scheduler: Config.MaxInFlight is -1: it must be positive, or 0 for no cap
}

func ExampleConfig() {
	s, err := scheduler.New(scheduler.Config{
		Limit:       bucket.PerMinute(500).Burst(50),
		Retry:       retry.Policy{MaxRetries: 3, Initial: 2 * time.Second, Max: 30 * time.Second},
		Classify:    retry.Network, // retries timeouts and lost connections
		MaxInFlight: 8,
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Snapshot().Available)
	// Output: 50
}

// The same function runs at every attempt, so it can keep its progress.
func ExampleScheduler() {
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
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
	// retry: retries exhausted: 2 attempts failed, 1ms waited in between, the last with: server is busy (rate limited)
	// true true
}

func ExampleValue() {
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
	defer s.Close()
	answer, err := scheduler.Value(context.Background(), s, func(context.Context) (int, error) { return 42, nil })
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

// Submit queues calls without a goroutine for each. Their results are read later.
func ExampleScheduler_Submit() {
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
	defer s.Close()
	pages := make([]string, 3)
	var handles []*scheduler.Handle
	for i := range pages {
		h, err := s.Submit(context.Background(), func(context.Context) error {
			pages[i] = fmt.Sprintf("page %d", i+1)
			return nil
		})
		if err != nil {
			panic(err)
		}
		handles = append(handles, h)
	}
	for i, h := range handles {
		<-h.Done()
		fmt.Println(pages[i], h.Err())
	}
	// Output:
	// page 1 <nil>
	// page 2 <nil>
	// page 3 <nil>
}

func ExampleScheduler_Subscribe() {
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
	sub := s.Subscribe(events.Ends | events.Of(events.Granted)) // a set of kinds; events.All has them all
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Name("ping"), scheduler.Cost(10))
	s.Close()
	for ev := range sub.C {
		if ev.Kind.Ends() {
			ev.Times = events.Times{} // differ from run to run
		}
		fmt.Println(ev)
	}
	// Output:
	// call 1 "ping" granted: attempt 1 of 6 for 10 tokens, 40 tokens left
	// call 1 "ping" succeeded: attempt 1 of 6
}

// A call that can't be served before its deadline fails at once.
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
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
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
	var calls []*scheduler.Handle
	for _, name := range []string{"first", "second"} {
		h, err := s.Submit(ctx, func(context.Context) error { return nil }, scheduler.Name(name))
		if err != nil {
			panic(err)
		}
		calls = append(calls, h)
	}
	<-calls[0].Done() // the second waits for an hour
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	left, err := s.Shutdown(soon)
	fmt.Println(err)
	for _, u := range left { // in the order in which to submit them again
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
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
	s.Close()
	fmt.Println(s.Do(context.Background(), func(context.Context) error { return nil }))
	// Output: scheduler is closed
}

func ExampleSnapshot() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(100)})
	defer s.Close()
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Cost(30))
	snap := s.Snapshot()
	fmt.Println(snap.Available, snap.Ledger.Initial, snap.Ledger.Spent, snap.Running)
	// Output: 70 100 30 0
}

// A snapshot prints as a line for a log or a health check.
func ExampleSnapshot_String() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(2)})
	defer s.Close()
	for range 5 {
		if _, err := s.Submit(context.Background(), func(ctx context.Context) error { <-ctx.Done(); return nil }); err != nil {
			panic(err)
		}
	}
	fmt.Println(s.Snapshot())
	// Output: 0 of 2 tokens left, 3 queued, 2 running, 0 backing off; ended: 0, retries: 0
}

func ExampleTotals() {
	s := newExample(scheduler.Config{Limit: bucket.PerSecond(50)})
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

// Ended counts the accepted calls that do not wait, run or back off any more.
func ExampleTotals_Ended() {
	s := newExample(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(2)})
	defer s.Close()
	var last *scheduler.Handle
	for i := range 5 {
		h, err := s.Submit(context.Background(), func(context.Context) error { return nil })
		if err != nil {
			panic(err)
		}
		if i < 2 {
			last = h
			<-last.Done()
		}
	}
	totals := s.Snapshot().Totals
	fmt.Printf("%d of %d are over\n", totals.Ended(), totals.Accepted)
	// Output: 2 of 5 are over
}
