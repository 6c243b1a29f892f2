package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

// client is a client of a library that takes a limiter, like many.
type client struct {
	limiter interface{ Wait(context.Context) error }
}

func (c client) get(ctx context.Context, path string) error {
	if err := c.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return nil // and so on
}

// A library that can wait for a rate.Limiter can wait for a scheduler.
func Example() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1, time.Hour)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	c := client{limiter: adapters.Limiter{Scheduler: s}}
	fmt.Println(c.get(context.Background(), "/things"))

	soon, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(errors.Is(c.get(soon, "/things"), context.DeadlineExceeded)) // at once
	// Output:
	// <nil>
	// true
}

// The clients of several libraries share one budget. Each takes the limiter in its own way:
//
//	rest.Config{RateLimiter: limiter}                            // k8s.io/client-go
//	gitlab.NewClient(token, gitlab.WithCustomLimiter(limiter))   // GitLab
//	grpc.WithUnaryInterceptor(ratelimit.UnaryClientInterceptor(limiter))
//	retry.StandardOptions{RateLimiter: limiter}                  // aws-sdk-go-v2
//	resty.New().SetRateLimiter(adapters.Resty(limiter))
func ExampleLimiter() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(3)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	limiter := adapters.Limiter{Scheduler: s}
	urgent := adapters.Limiter{Scheduler: s, Options: []scheduler.Option{scheduler.Priority(1)}}
	fmt.Println(limiter.Wait(context.Background()), urgent.Wait(context.Background()))
	fmt.Println(s.Snapshot().Ledger.Spent)
	// Output:
	// <nil> <nil>
	// 2
}

// Wait returns at once if the token would come too late.
func ExampleLimiter_Wait() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1, time.Hour), Level: &bucket.State{}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	soon, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var late *scheduler.DeadlineError
	fmt.Println(errors.As(adapters.Limiter{Scheduler: s}.Wait(soon), &late), late.Wait.Round(time.Minute))
	// Output: true 1h0m0s
}

// Work is left out when there is no token for it.
func ExampleLimiter_Allow() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(2)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	limiter := adapters.Limiter{Scheduler: s}
	for _, sample := range []string{"first", "second", "third"} {
		if limiter.Allow() {
			fmt.Println("logging the", sample)
		}
	}
	// Output:
	// logging the first
	// logging the second
}

// A server refuses requests that would have to wait.
//
//	grpc.NewServer(grpc.UnaryInterceptor(ratelimit.UnaryServerInterceptor(limiter)))
func ExampleLimiter_Limit() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(1)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	limiter := adapters.Limiter{Scheduler: s, Options: []scheduler.Option{scheduler.NoWait()}}
	fmt.Println(limiter.Limit(context.Background()))
	fmt.Println(errors.Is(limiter.Limit(context.Background()), scheduler.ErrWouldWait))
	// Output:
	// <nil>
	// true
}

// A policy replaces the library's own exponential backoff.
//
//	backoff.Retry(ctx, operation, backoff.WithBackOff(&adapters.BackOff{Policy: policy}))
func ExampleBackOff() {
	var b interface{ NextBackOff() time.Duration } = &adapters.BackOff{Policy: retry.Policy{MaxRetries: 3, Jitter: retry.None}}
	for wait := b.NextBackOff(); wait >= 0; wait = b.NextBackOff() {
		fmt.Println("again in", wait)
	}
	// Output:
	// again in 1s
	// again in 2s
	// again in 4s
}

// When no retry is left, NextBackOff returns -1, which is backoff.Stop, until the next operation.
func ExampleBackOff_NextBackOff() {
	b := &adapters.BackOff{Policy: retry.Policy{MaxRetries: 1, Jitter: retry.None}}
	fmt.Println(b.NextBackOff(), int(b.NextBackOff()))
	b.Reset()
	fmt.Println(b.NextBackOff())
	// Output:
	// 1s -1
	// 1s
}

// A queue can't give up an item. A controller can, by the number of its failures.
//
//	workqueue.NewTypedRateLimitingQueue(&adapters.Workqueue[string]{Policy: policy})
func ExampleWorkqueue() {
	w := &adapters.Workqueue[string]{Policy: retry.Policy{Initial: 5 * time.Millisecond, Jitter: retry.None}}
	for w.NumRequeues("pod") < 3 {
		fmt.Println("again in", w.When("pod"))
	}
	w.Forget("pod")
	fmt.Println("given up")
	// Output:
	// again in 5ms
	// again in 10ms
	// again in 20ms
	// given up
}

// Each item waits by the number of its own failures.
func ExampleWorkqueue_When() {
	w := &adapters.Workqueue[string]{Policy: retry.Policy{Initial: 5 * time.Millisecond, Jitter: retry.None}}
	fmt.Println(w.When("pod"), w.When("pod"), w.When("node"))
	// Output: 5ms 10ms 5ms
}

// An item that has succeeded starts anew.
func ExampleWorkqueue_Forget() {
	w := &adapters.Workqueue[string]{Policy: retry.Policy{Initial: 5 * time.Millisecond, Jitter: retry.None}}
	fmt.Println(w.When("pod"), w.When("pod"))
	w.Forget("pod")
	fmt.Println(w.When("pod"))
	// Output:
	// 5ms 10ms
	// 5ms
}

// The client calls Allow before each request.
//
//	resty.New().SetRateLimiter(adapters.Resty{Scheduler: s})
func ExampleResty() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(adapters.Resty{Scheduler: s}.Allow(ctx))
	cancel()
	fmt.Println(adapters.Resty{Scheduler: s}.Allow(ctx))
	// Output:
	// <nil>
	// context canceled
}
