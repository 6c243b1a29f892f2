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

// One budget for the clients of several libraries: each gets its limiter where that
// library takes one.
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
	limiter := adapters.Limiter{S: s}
	fmt.Println(limiter.Wait(context.Background()))
	fmt.Println(limiter.Allow(), limiter.AllowN(time.Now(), 2))

	urgent := adapters.Limiter{S: s, Options: []scheduler.Option{scheduler.Priority(1)}}
	fmt.Println(urgent.Wait(context.Background()))
	// Output:
	// <nil>
	// true false
	// <nil>
}

// A server that refuses what it can't take at once.
//
//	grpc.NewServer(grpc.UnaryInterceptor(ratelimit.UnaryServerInterceptor(limiter)))
func ExampleLimiter_Limit() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(1)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	limiter := adapters.Limiter{S: s, Options: []scheduler.Option{scheduler.NoWait()}}
	fmt.Println(limiter.Limit(context.Background()))
	fmt.Println(errors.Is(limiter.Limit(context.Background()), scheduler.ErrWouldWait))
	// Output:
	// <nil>
	// true
}

// The wait before each retry, and -1 when there is none.
//
//	backoff.Retry(ctx, operation, backoff.WithBackOff(&adapters.BackOff{Policy: policy}))
func ExampleBackOff() {
	b := &adapters.BackOff{Policy: retry.Policy{MaxRetries: 2, Jitter: retry.None}}
	fmt.Println(b.NextBackOff(), b.NextBackOff(), b.NextBackOff())
	b.Reset()
	fmt.Println(b.NextBackOff())
	// Output:
	// 1s 2s -1ns
	// 1s
}

// The wait of each item by its own failures.
//
//	workqueue.NewTypedRateLimitingQueue(&adapters.Workqueue[string]{Policy: policy})
func ExampleWorkqueue() {
	w := &adapters.Workqueue[string]{Policy: retry.Policy{Initial: 5 * time.Millisecond, Jitter: retry.None}}
	fmt.Println(w.When("pod"), w.When("pod"), w.When("node"), w.NumRequeues("pod"))
	w.Forget("pod")
	fmt.Println(w.When("pod"))
	// Output:
	// 5ms 10ms 5ms 2
	// 5ms
}

// What the client asks before each request.
//
//	resty.New().SetRateLimiter(adapters.Resty{S: s})
func ExampleResty() {
	s, err := scheduler.New(scheduler.Config{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(adapters.Resty{S: s}.Allow(ctx))
	cancel()
	fmt.Println(adapters.Resty{S: s}.Allow(ctx))
	// Output:
	// <nil>
	// context canceled
}
