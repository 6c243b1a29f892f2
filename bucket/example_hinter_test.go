package bucket_test

import (
	"context"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

// hintingStore tells the processes that listen of each server's wait.
type hintingStore struct {
	bucket.Store
	told chan func()
}

func (s hintingStore) Hints(ctx context.Context, hint func()) error {
	s.told <- hint
	<-ctx.Done()
	return ctx.Err()
}

func (s hintingStore) Exchange(ctx context.Context, a bucket.Ask) (bucket.Answer, error) {
	answer, err := s.Store.Exchange(ctx, a)
	if a.Hold > 0 {
		hint := <-s.told
		hint()
	}
	return answer, err
}

func ExampleHinter() {
	store := hintingStore{storetest.NewMemory(time.Now), make(chan func(), 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	var hinter bucket.Hinter = store
	go func() { ended <- hinter.Hints(ctx, func() { fmt.Println("exchange now") }) }()

	ask := bucket.Ask{Process: "a", Seq: 1, Hold: time.Minute, Limit: bucket.PerSecond(10), Version: 1}
	if _, err := store.Exchange(ctx, ask); err != nil {
		fmt.Println(err)
	}
	cancel()
	fmt.Println(<-ended)
	// Output:
	// exchange now
	// context canceled
}
