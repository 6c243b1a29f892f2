package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// state is what a process leaves to the next one, as JSON.
type state struct {
	Left     []scheduler.Unfinished // the calls, by name
	Level    bucket.State           // of the budget
	LastCall uint64                 // the highest number of a call
}

// The calls that do not end in one process go on in the next, with their places and the level of the budget.
func Example_restart() {
	ctx := context.Background()
	jobs := map[string]func(context.Context) error{} // what each name stands for, in both processes
	for _, name := range []string{"a", "b", "c", "d"} {
		jobs[name] = func(context.Context) error { fmt.Println(name, "is made"); return nil }
	}
	limit := bucket.Per(2, 24*time.Hour)

	first, err := scheduler.New(scheduler.Config{Limit: limit, MaxInFlight: 1})
	if err != nil {
		panic(err)
	}
	var end state
	var handles []*scheduler.Handle
	for _, name := range []string{"a", "b", "c", "d"} {
		h, err := first.Submit(ctx, jobs[name], scheduler.Name(name))
		if err != nil {
			panic(err)
		}
		end.LastCall = max(end.LastCall, h.Call())
		handles = append(handles, h)
	}
	<-handles[0].Done()
	<-handles[1].Done()
	soon, cancel := context.WithCancel(ctx)
	cancel() // a real program gives running calls some time here; the two others would wait for hours
	end.Left, _ = first.Shutdown(soon)
	end.Level = first.Snapshot().Level
	file, err := json.Marshal(end)
	if err != nil {
		panic(err)
	}

	var begin state
	if err := json.Unmarshal(file, &begin); err != nil {
		panic(err)
	}
	second, err := scheduler.New(scheduler.Config{Limit: limit, MaxInFlight: 1, Level: &begin.Level, LastCall: begin.LastCall})
	if err != nil {
		panic(err)
	}
	defer second.Close()
	for _, u := range begin.Left {
		h, err := second.Submit(ctx, jobs[u.Name], scheduler.Resumed(u))
		if err != nil {
			panic(err) // the call is still in the file
		}
		fmt.Println(u.Name, "is call", h.Call(), "and number", h.Estimate().Position, "in the queue")
	}
	fmt.Println(second.Snapshot().Available, "tokens")
	// Output:
	// a is made
	// b is made
	// c is call 3 and number 1 in the queue
	// d is call 4 and number 2 in the queue
	// 0 tokens
}
