package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// newCalls returns a scheduler for examples of single calls.
func newCalls() *scheduler.Scheduler {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1000, time.Hour), Retry: retry.Policy{Initial: time.Millisecond, Jitter: retry.None}})
	if err != nil {
		panic(err)
	}
	return s
}

// Options are for one call, and a slice of them for many.
func ExampleOption() {
	s := newCalls()
	defer s.Close()
	reports := []scheduler.Option{scheduler.Name("report"), scheduler.Cost(850), scheduler.Retry(retry.Policy{MaxRetries: retry.None})}
	err := s.Do(context.Background(), func(context.Context) error { return nil }, reports...)
	fmt.Println(err, s.Snapshot().Ledger.Spent)
	// Output: <nil> 850
}

// The first attempt hangs. Its context ends after its own timeout, and the second one succeeds.
func ExampleAttemptTimeout() {
	s := newCalls()
	defer s.Close()
	attempt := 0
	err := s.Do(context.Background(), func(ctx context.Context) error {
		if attempt++; attempt == 1 {
			<-ctx.Done()
			fmt.Println(context.Cause(ctx))
			return ctx.Err()
		}
		return nil
	}, scheduler.AttemptTimeout(10*time.Millisecond))
	fmt.Println(err, attempt)
	// Output:
	// scheduler: attempt timed out after 10ms
	// <nil> 2
}

// The error of an attempt that failed after its timeout says so, and has the function's own error.
func ExampleAttemptTimeoutError() {
	s := newCalls()
	defer s.Close()
	err := s.Do(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("connection lost")
	}, scheduler.AttemptTimeout(time.Millisecond), scheduler.Retry(retry.Policy{MaxRetries: retry.None}))
	var late *scheduler.AttemptTimeoutError
	if errors.As(err, &late) {
		fmt.Println(late.After, late.Err)
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// 1ms connection lost
	// true
}

// A call whose cost is above the capacity fails at once.
func ExampleCost() {
	s := newCalls()
	defer s.Close()
	summarise := func(text string) error {
		return s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Cost(int64(len(text))))
	}
	fmt.Println(summarise("a short text"))
	fmt.Println(summarise(strings.Repeat("a long text ", 100)))
	fmt.Println(s.Snapshot().Ledger.Spent)
	// Output:
	// <nil>
	// bucket: cost 1200 is above the capacity of 1000 tokens and could never be granted: split the call or raise the limit's Capacity
	// 12
}

// A name identifies a call in events.
func ExampleName() {
	s := newCalls()
	defer s.Close()
	failed := s.Subscribe(events.Of(events.Failed))
	for _, invoice := range []string{"invoice-16", "invoice-17"} {
		_ = s.Do(context.Background(), func(context.Context) error {
			if invoice == "invoice-17" {
				return errors.New("no such customer")
			}
			return nil
		}, scheduler.Name(invoice))
	}
	ev := <-failed.C
	fmt.Println(ev.Name, ev.Err)
	// Output: invoice-17 no such customer
}

// A call for an interactive user should fail rather than be retried for a minute.
func ExampleRetry() {
	s := newCalls()
	defer s.Close()
	err := s.Do(context.Background(), func(context.Context) error {
		return retry.Transient(errors.New("connection reset"))
	}, scheduler.Retry(retry.Policy{MaxRetries: retry.None}))
	var exhausted *retry.ExhaustedError
	fmt.Println(errors.As(err, &exhausted), exhausted.Attempts)
	// Output: true 1
}

// A call is retried for a minute at most. The server asks to wait for longer, so the call ends at once.
func ExampleRetry_maxElapsed() {
	s := newCalls()
	defer s.Close()
	err := s.Do(context.Background(), func(context.Context) error {
		return retry.After(errors.New("too many requests"), 90*time.Second)
	}, scheduler.Retry(retry.Policy{MaxElapsed: time.Minute}))
	var exhausted *retry.ExhaustedError
	fmt.Println(errors.As(err, &exhausted), exhausted.Attempts, exhausted.MaxElapsed)
	// Output: true 1 1m0s
}

// The server is down. The first call uses up the budget for retries, so the second call is not retried.
func ExampleConfig_retryBudget() {
	s, err := scheduler.New(scheduler.Config{
		Limit:       bucket.Unlimited,
		Retry:       retry.Policy{Initial: time.Millisecond},
		RetryBudget: &retry.Budget{Ratio: 0.1, PerSecond: 0.1, Burst: 5},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	for range 2 {
		err := s.Do(context.Background(), func(context.Context) error {
			return retry.Transient(errors.New("connection refused"))
		})
		var exhausted *retry.ExhaustedError
		errors.As(err, &exhausted)
		fmt.Println(exhausted.Attempts, "attempt(s)")
	}
	// Output:
	// 6 attempt(s)
	// 1 attempt(s)
}

// The caller often knows best what an error means.
func ExampleClassify() {
	s := newCalls()
	defer s.Close()
	errStale := errors.New("stale read")
	attempts := 0
	err := s.Do(context.Background(), func(context.Context) error {
		if attempts++; attempts == 1 {
			return errStale
		}
		return nil
	}, scheduler.Classify(func(err error) retry.Verdict {
		if errors.Is(err, errStale) {
			return retry.Verdict{Kind: retry.KindTransient}
		}
		return retry.Network(err)
	}))
	fmt.Println(attempts, err)
	// Output: 2 <nil>
}

func ExampleOnProgress() {
	s := newCalls()
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

func ExampleHandle() {
	s := newCalls()
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
	// scheduler: the call has not ended yet: receive from Done first
	// <nil> 1
}

// The number of a call leads from its handle to its events.
func ExampleHandle_Call() {
	s := newCalls()
	defer s.Close()
	sub := s.Subscribe(events.Of(events.Succeeded))
	h, err := s.Submit(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		panic(err)
	}
	ev := <-sub.C
	fmt.Println(ev.Kind, ev.Call == h.Call(), h.Call())
	// Output: succeeded true 1
}

// Cancel ends a waiting call, and cancels the context of a running one.
func ExampleHandle_Cancel() {
	s := newCalls()
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
	fmt.Println(errors.Is(h.Err(), scheduler.ErrCanceled), errors.Is(h.Err(), context.Canceled))
	// Output: true true
}
