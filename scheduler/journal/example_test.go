package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/journal"
)

// temporary returns the path of a file that remove removes.
func temporary() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "journal-*")
	if err != nil {
		panic(err)
	}
	return filepath.Join(dir, "calls.db"), func() { os.RemoveAll(dir) }
}

// start opens a journal in a temporary folder, with one handler.
func start(handler journal.Handler) (j *journal.Journal, stop func()) {
	path, remove := temporary()
	j, err := journal.Open(path, journal.Config{
		Scheduler: scheduler.Config{Retry: retry.Policy{MaxRetries: retry.None}},
		Handlers:  journal.Handlers{"do": handler},
	})
	if err != nil {
		panic(err)
	}
	return j, func() {
		if err := j.Close(context.Background()); err != nil {
			fmt.Println(err)
		}
		remove()
	}
}

func succeed(context.Context, []byte) error { return nil }
func fail(context.Context, []byte) error    { return errors.New("refused") }

// A process that ends with calls in its journal, and one that goes on with them.
func Example() {
	path, remove := temporary()
	defer remove()
	ctx := context.Background()
	online := false
	cfg := journal.Config{
		Scheduler: scheduler.Config{Limit: bucket.PerSecond(100)},
		Handlers: journal.Handlers{"greet": func(ctx context.Context, payload []byte) error {
			if !online {
				<-ctx.Done() // until the journal is closed
				return context.Cause(ctx)
			}
			return journal.Result(ctx, []byte("hello "+string(payload)))
		}},
	}
	j, err := journal.Open(path, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := j.Submit(ctx, journal.Call{ID: "greeting 1", Handler: "greet", Payload: []byte("world")})
	fmt.Println(id, err)
	now, cancel := context.WithCancel(ctx)
	cancel()
	fmt.Println(j.Close(now))

	online = true
	if j, err = journal.Open(path, cfg); err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close(ctx)
	result, err := j.Wait(ctx, id)
	fmt.Println(string(result), err)
	// Output:
	// greeting 1 <nil>
	// <nil>
	// hello world <nil>
}

// Calls that have failed, one of which is tried again.
func ExampleJournal_Again() {
	path, remove := temporary()
	defer remove()
	ctx := context.Background()
	known := false
	j, err := journal.Open(path, journal.Config{
		Scheduler: scheduler.Config{Retry: retry.Policy{MaxRetries: retry.None}},
		Handlers: journal.Handlers{"charge": func(ctx context.Context, payload []byte) error {
			if info, ok := journal.CallInfo(ctx); ok && !known {
				return fmt.Errorf("%s: no such customer", info.ID)
			}
			return nil
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close(ctx)
	for _, id := range []string{"order 17", "order 18"} {
		if _, err := j.Submit(ctx, journal.Call{ID: id, Handler: "charge"}); err != nil {
			fmt.Println(err)
		}
		_, err := j.Wait(ctx, id)
		var dead *journal.DeadError
		fmt.Println(errors.As(err, &dead), err)
	}
	known = true
	for letter, err := range j.Dead() {
		if err == nil && letter.ID == "order 17" {
			err = j.Again(ctx, letter.ID)
		} else if err == nil {
			err = j.Forget(letter.ID)
		}
		fmt.Println(letter.ID, letter.End, err)
	}
	_, err = j.Wait(ctx, "order 17")
	fmt.Println(err)
	// Output:
	// true journal: call "order 17" is a dead letter after 1 attempt: order 17: no such customer: see Journal.Again and Forget
	// true journal: call "order 18" is a dead letter after 1 attempt: order 18: no such customer: see Journal.Again and Forget
	// order 17 failed <nil>
	// order 18 failed <nil>
	// <nil>
}

func ExampleOpen() {
	path, remove := temporary()
	defer remove()
	j, err := journal.Open(path, journal.Config{Scheduler: scheduler.Config{Limit: bucket.PerMinute(500)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close(context.Background())
	_, err = journal.Open(path, journal.Config{})
	fmt.Println(err != nil)
	// Output: true
}

// A configuration that is tuned: the results of calls are kept for a day, and Open tells how far it is.
func ExampleConfig() {
	path, remove := temporary()
	defer remove()
	j, err := journal.Open(path, journal.Config{
		KeepEnded: 1_000_000, KeepFor: 24 * time.Hour, MaxCrashes: 5,
		Progress: func(done, total int64) { fmt.Fprintf(os.Stderr, "%d %%\r", 100*done/total) },
		Scheduler: scheduler.Config{
			Limit: bucket.PerSecond(10), MaxInFlight: 100, Classify: retry.Network,
			MaxQueued: 1_000_000, Overflow: scheduler.RefuseNew,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(j.Close(context.Background()))
	// Output: <nil>
}

// A call for a customer, whose key keeps it from holding up those of others.
func ExampleCall() {
	j, stop := start(succeed)
	defer stop()
	ctx := context.Background()
	id, err := j.Submit(ctx, journal.Call{
		ID: "order-17", Handler: "do", Payload: []byte(`{"amount": 300}`),
		Key: "acme", Priority: 1, Cost: 2, NotBefore: time.Now().Add(time.Millisecond),
	})
	fmt.Println(id, err)
	_, err = j.Wait(ctx, id)
	fmt.Println(err)
	// Output:
	// order-17 <nil>
	// <nil>
}

func ExampleJournal() {
	j, stop := start(succeed)
	defer stop()
	ctx := context.Background()
	id, err := j.Submit(ctx, journal.Call{Handler: "do"}) // with an ID that Submit makes
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = j.Wait(ctx, id)
	fmt.Println(err, j.Scheduler().Snapshot().Totals.Succeeded)
	// Output: <nil> 1
}

func ExampleReport() {
	j, stop := start(succeed)
	defer stop()
	report := j.Report()
	fmt.Println(report.Calls, "go on,", report.Suspects, "of them first and alone;", report.Dead, "dead letters")
	for handler, calls := range report.Missing {
		fmt.Println(calls, "wait for the handler", handler)
	}
	for _, damage := range report.Damaged {
		fmt.Println(damage.ID, damage.Reason)
	}
	// Output: 0 go on, 0 of them first and alone; 0 dead letters
}

func ExampleDamage() {
	j, stop := start(succeed)
	defer stop()
	for _, damage := range j.Report().Damaged {
		fmt.Println("call", damage.Number, damage.ID, "can't be read:", damage.Reason)
	}
	fmt.Println(len(j.Report().Damaged), "set aside")
	// Output: 0 set aside
}

func ExampleLetter() {
	j, stop := start(fail)
	defer stop()
	ctx := context.Background()
	if _, err := j.Submit(ctx, journal.Call{ID: "order-18", Handler: "do", Payload: []byte("3.00")}); err != nil {
		fmt.Println(err)
	}
	_, _ = j.Wait(ctx, "order-18") // its error is that of the letter
	for letter, err := range j.Dead() {
		fmt.Printf("%s %s %d %v %s %v\n", letter.ID, letter.Payload, letter.Attempts, letter.End, letter.Reason, err)
	}
	// Output: order-18 3.00 1 failed refused <nil>
}

func ExampleDeadError() {
	j, stop := start(fail)
	defer stop()
	ctx := context.Background()
	id, err := j.Submit(ctx, journal.Call{Handler: "do"})
	if err != nil {
		fmt.Println(err)
	}
	_, err = j.Wait(ctx, id)
	if dead := new(journal.DeadError); errors.As(err, &dead) {
		fmt.Println(dead.Reason)
	}
	// Output: refused
}

// A handler that gives the API an idempotency key, and says what it has got.
func ExampleHandler() {
	charge := journal.Handler(func(ctx context.Context, payload []byte) error {
		info, ok := journal.CallInfo(ctx)
		if !ok {
			return errors.New("not called by a journal")
		}
		fmt.Printf("POST %s, Idempotency-Key: %s, attempt %d\n", payload, info.ID, info.Attempt)
		return journal.Result(ctx, []byte("receipt 1"))
	})
	path, remove := temporary()
	defer remove()
	ctx := context.Background()
	j, err := journal.Open(path, journal.Config{Handlers: journal.Handlers{"charge": charge}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close(ctx)
	id, err := j.Submit(ctx, journal.Call{ID: "order-17", Handler: "charge", Payload: []byte("3.00")})
	if err != nil {
		fmt.Println(err)
	}
	receipt, err := j.Wait(ctx, id)
	fmt.Println(string(receipt), err)
	// Output:
	// POST 3.00, Idempotency-Key: order-17, attempt 1
	// receipt 1 <nil>
}

func ExampleHandlers() {
	handlers := journal.Handlers{
		"charge": func(context.Context, []byte) error { return nil },
		"refund": func(context.Context, []byte) error { return nil },
	}
	fmt.Println(len(handlers))
	// Output: 2
}

func ExampleInfo() {
	handler := func(ctx context.Context, _ []byte) error {
		info, ok := journal.CallInfo(ctx)
		if ok && info.Repeated {
			fmt.Println(info.ID, "may have been done already: ask the API")
		}
		return nil
	}
	fmt.Println(handler(context.Background(), nil))
	// Output: <nil>
}

func ExampleCallInfo() {
	j, stop := start(func(ctx context.Context, payload []byte) error {
		info, ok := journal.CallInfo(ctx)
		fmt.Println(info.ID, info.Handler, info.Attempt, info.Repeated, ok)
		return nil
	})
	defer stop()
	ctx := context.Background()
	id, err := j.Submit(ctx, journal.Call{ID: "order-17", Handler: "do"})
	if err != nil {
		fmt.Println(err)
	}
	_, err = j.Wait(ctx, id)
	fmt.Println(err)
	// Output:
	// order-17 do 1 false true
	// <nil>
}

func ExampleResult() {
	j, stop := start(func(ctx context.Context, payload []byte) error {
		return journal.Result(ctx, []byte("hello "+string(payload)))
	})
	defer stop()
	ctx := context.Background()
	id, err := j.Submit(ctx, journal.Call{Handler: "do", Payload: []byte("world")})
	if err != nil {
		fmt.Println(err)
	}
	result, err := j.Wait(ctx, id)
	fmt.Println(string(result), err)
	// Output: hello world <nil>
}

func ExampleFrom() {
	j, stop := start(func(ctx context.Context, payload []byte) error {
		if len(payload) == 0 {
			return nil
		}
		next := payload[1:]
		_, err := journal.From(ctx).Submit(ctx, journal.Call{ID: "rest " + string(next), Handler: "do", Payload: next})
		return err
	})
	defer stop()
	ctx := context.Background()
	if _, err := j.Submit(ctx, journal.Call{ID: "all", Handler: "do", Payload: []byte("x")}); err != nil {
		fmt.Println(err)
	}
	_, err := j.Wait(ctx, "all")
	fmt.Println(err)
	_, err = j.Wait(ctx, "rest ")
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}
