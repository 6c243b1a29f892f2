package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// newStreams returns a scheduler for examples of streams.
func newStreams() *scheduler.Scheduler {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	return s
}

func ExampleStream() {
	s := newStreams()
	defer s.Close()
	words := slices.Values([]string{"port", "and", "starboard"})
	length := func(_ context.Context, word string) (int, error) { return len(word), nil }
	for res := range scheduler.Stream(context.Background(), s, words, length, scheduler.Ordered()) {
		fmt.Println(res.Index, res.Input, res.Value, res.Err)
	}
	// Output:
	// 0 port 4 <nil>
	// 1 and 3 <nil>
	// 2 starboard 9 <nil>
}

func ExampleOptionsFor() {
	s := newStreams()
	defer s.Close()
	nothing := func(context.Context, string) (struct{}, error) { return struct{}{}, nil }
	costs := scheduler.OptionsFor(func(prompt string) []scheduler.Option {
		return []scheduler.Option{scheduler.Cost(int64(len(prompt)))}
	})
	for range scheduler.Stream(context.Background(), s, slices.Values([]string{"short", "rather longer"}), nothing, costs) {
	}
	fmt.Println(s.Snapshot().Ledger.Spent)
	// Output: 18
}

func ExampleResult() {
	s := newStreams()
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

// The result of the second input is there first, but waits for that of the first.
func ExampleOrdered() {
	s := newStreams()
	defer s.Close()
	second := make(chan struct{})
	call := func(_ context.Context, name string) (string, error) {
		if name == "slow" {
			<-second
		} else {
			close(second)
		}
		return name, nil
	}
	for res := range scheduler.Stream(context.Background(), s, slices.Values([]string{"slow", "quick"}), call, scheduler.Ordered()) {
		fmt.Println(res.Value)
	}
	// Output:
	// slow
	// quick
}

// The options of each call and those of the stream itself can be collected in one slice.
func ExampleStreamOption() {
	s := newStreams()
	defer s.Close()
	opts := []scheduler.StreamOption{scheduler.Cost(2), scheduler.Ordered()}
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	for res := range scheduler.Stream(context.Background(), s, slices.Values([]int{10, 11}), double, opts...) {
		fmt.Println(res.Input, res.Value)
	}
	// Output:
	// 10 20
	// 11 22
}

// Stream reads at most four inputs of an endless sequence ahead of the results.
func ExampleLookAhead() {
	s := newStreams()
	defer s.Close()
	var read atomic.Int64
	endless := func(yield func(int64) bool) {
		for yield(read.Add(1)) {
		}
	}
	double := func(_ context.Context, n int64) (int64, error) { return 2 * n, nil }
	for res := range scheduler.Stream(context.Background(), s, endless, double, scheduler.Ordered(), scheduler.LookAhead(4)) {
		fmt.Println(res.Value, read.Load() <= 5)
		break
	}
	// Output: 2 true
}

// At most two functions run at once. Other calls of the scheduler are not bounded by that.
func ExampleParallel() {
	s := newStreams()
	defer s.Close()
	var running, most atomic.Int64
	convert := func(_ context.Context, n int) (int, error) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		time.Sleep(time.Millisecond)
		return 2 * n, nil
	}
	numbers := slices.Values([]int{1, 2, 3, 4, 5, 6})
	for res := range scheduler.Stream(context.Background(), s, numbers, convert, scheduler.Parallel(2), scheduler.Ordered()) {
		fmt.Print(res.Value, " ")
	}
	fmt.Println(most.Load() <= 2)
	// Output: 2 4 6 8 10 12 true
}

// The first error stops the stream. The first result that has an error says why.
func ExampleStopOnError() {
	s := newStreams()
	defer s.Close()
	get := func(ctx context.Context, key string) (string, error) {
		if key == "wrong" {
			return "", errors.New("401 Unauthorized")
		}
		<-ctx.Done() // a slow request
		return "", ctx.Err()
	}
	keys := slices.Values([]string{"good", "wrong"})
	for res := range scheduler.Stream(context.Background(), s, keys, get, scheduler.StopOnError()) {
		var stopped *scheduler.StoppedError
		fmt.Println(res.Input, errors.As(res.Err, &stopped), res.Err)
	}
	// Output:
	// wrong false 401 Unauthorized
	// good true scheduler: the stream was stopped by the error of input 1: 401 Unauthorized (attempts made: 1, the last failed with: context canceled)
}

// What was ended by a stop can be sent again later, apart from what has failed itself.
func ExampleStoppedError() {
	err := error(&scheduler.StoppedError{Index: 7, Err: errors.New("401 Unauthorized")})
	var stopped *scheduler.StoppedError
	if errors.As(err, &stopped) {
		fmt.Println("ended by input", stopped.Index)
	}
	// Output: ended by input 7
}

// Results can be written as lines of JSON.
func ExampleResult_MarshalJSON() {
	text, err := json.Marshal([]scheduler.Result[string, int]{
		{Index: 0, Input: "one", Value: 3, Call: 1, Attempts: 1},
		{Index: 1, Input: "two", Err: errors.New("404 Not Found"), Call: 2, Attempts: 1},
	})
	fmt.Println(string(text), err)
	// Output: [{"index":0,"input":"one","value":3,"call":1,"attempts":1},{"index":1,"input":"two","err":"404 Not Found","call":2,"attempts":1}] <nil>
}

func ExampleProgress_MarshalJSON() {
	text, err := json.Marshal(scheduler.Progress{State: scheduler.Waiting, Call: 7, Attempt: 1, MaxAttempts: 6, Position: 3, Wait: time.Second})
	fmt.Println(string(text), err)
	// Output: {"state":"waiting","call":7,"attempt":1,"max_attempts":6,"position":3,"wait":1000000000,"available":0} <nil>
}
