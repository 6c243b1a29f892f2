package stats_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/stats"
)

// A monitor reads the JSON from time to time. It needs no Go type to see whether calls are queued.
func Example() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	process := httptest.NewServer(stats.Handler(s))
	defer process.Close()
	_ = s.Pause()
	if _, err := s.Submit(context.Background(), func(context.Context) error { return nil }); err != nil {
		panic(err)
	}

	res, err := process.Client().Get(process.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	var seen struct {
		Queued int
		Paused bool
	}
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil {
		panic(err)
	}
	fmt.Printf("%+v\n", seen)
	// Output: {Queued:1 Paused:true}
}

// A browser or curl shows the state of a running process.
func ExampleHandler() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1000, time.Hour), MaxInFlight: 8})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	_ = s.Do(context.Background(), func(context.Context) error { return nil })

	mux := http.NewServeMux()
	mux.Handle("GET /debug/scheduler", stats.Handler(s))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/debug/scheduler", nil))

	var state scheduler.Snapshot
	if err := json.Unmarshal(answer.Body.Bytes(), &state); err != nil {
		panic(err)
	}
	fmt.Println(state.Totals.Succeeded, "succeeded,", state.Available, "tokens left, at most", state.MaxInFlight, "at once")
	// Output: 1 succeeded, 999 tokens left, at most 8 at once
}

// A scheduler is one of the process's variables at /debug/vars.
func ExampleVar() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	expvar.Publish("scheduler", stats.Var(s))

	var state scheduler.Snapshot
	if err := json.Unmarshal([]byte(expvar.Get("scheduler").String()), &state); err != nil {
		panic(err)
	}
	fmt.Println(state.Available, "tokens left")
	// Output: 50 tokens left
}

// The most loaded keys, here of calls that a program has summed up from its subscription.
func ExampleKeysHandler() {
	var sums bykey.Sums
	sums.Add(events.Event{Kind: events.Queued, Call: 1, Key: "acme"})
	answer := httptest.NewRecorder()
	stats.KeysHandler(&sums, 10).ServeHTTP(answer, httptest.NewRequest("GET", "/debug/keys", nil))
	var seen bykey.Report
	if err := json.Unmarshal(answer.Body.Bytes(), &seen); err != nil {
		panic(err)
	}
	fmt.Println(seen.Keys[0].Key, seen.Keys[0].Waiting)
	// Output: acme 1
}

// The most loaded keys are one of the process's variables at /debug/vars.
func ExampleKeysVar() {
	var sums bykey.Sums
	expvar.Publish("keys", stats.KeysVar(&sums, 10))
	sums.Add(events.Event{Kind: events.Granted, Call: 1, Key: "acme", Cost: 3})
	var seen bykey.Report
	if err := json.Unmarshal([]byte(expvar.Get("keys").String()), &seen); err != nil {
		panic(err)
	}
	fmt.Println(seen.Keys[0].Key, seen.Keys[0].Spent)
	// Output: acme 3
}
