package bucket_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
)

// Two processes buy tokens of one budget. What the second buys comes after what the first has bought.
func ExampleShared() {
	var store bucket.Shared
	limit := bucket.PerSecond(10)
	begin := bucket.LearnTime.Microseconds() // a new store sells nothing before
	for _, process := range []string{"a", "b"} {
		store.Exchange("run-1", 0, bucket.Ask{Process: process, Seq: 1, Limit: limit, Version: 1})
	}
	for _, process := range []string{"a", "b"} {
		answer := store.Exchange("run-1", begin, bucket.Ask{Process: process, Seq: 2, Want: 3, Ahead: time.Second, Limit: limit, Version: 1})
		fmt.Printf("%s gets %d tokens at level %d\n", process, answer.Tokens, answer.Level)
	}
	// Output:
	// a gets 3 tokens at level 0
	// b gets 3 tokens at level -3
}

// The tokens of an answer become valid one after the other.
func ExampleAnswer() {
	a := bucket.Answer{Tokens: 4, Level: 1, Part: 0, Refill: 1, Per: 100_000} // a token each 100 ms
	for k := range a.Tokens {
		units := (k+1-a.Level)*a.Per - a.Part
		wait := time.Duration((units+a.Refill-1)/a.Refill) * time.Microsecond
		fmt.Println("token", k+1, "after", wait)
	}
	// Output:
	// token 1 after 0s
	// token 2 after 100ms
	// token 3 after 200ms
	// token 4 after 300ms
}

// If an answer is lost, the process sends the same ask again.
func ExampleAsk() {
	var store bucket.Shared
	ask := bucket.Ask{Process: "a", Seq: 1, Limit: bucket.PerSecond(10), Version: 1}
	answer := store.Exchange("run-1", 0, ask)

	now := bucket.LearnTime.Microseconds()
	ask.Seq, ask.Epoch, ask.Want = 2, answer.Epoch, 1
	fmt.Println(store.Exchange("run-1", now, ask).Level)
	fmt.Println(store.Exchange("run-1", now+1000, ask).Level) // the same answer

	ask.Seq = 3
	fmt.Println(store.Exchange("run-1", now+1000, ask).Level)
	// Output:
	// 0
	// 0
	// -1
}

// localStore is a budget that the schedulers of one program share.
type localStore struct {
	mu     sync.Mutex
	shared bucket.Shared
}

func (s *localStore) Exchange(_ context.Context, a bucket.Ask) (bucket.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared.Exchange("this program", time.Now().UnixMicro(), a), nil
}

// A store in memory is a Shared with a lock and a clock. There is one ready for use in package storetest.
func ExampleStore() {
	var store bucket.Store = &localStore{}
	answer, err := store.Exchange(context.Background(), bucket.Ask{Process: "a", Seq: 1, Limit: bucket.PerSecond(10)})
	fmt.Println(answer.Tokens, answer.Learning, err)
	// Output: 0 2.25s <nil>
}
