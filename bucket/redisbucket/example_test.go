package redisbucket_test

import (
	"context"
	"fmt"
	"os"

	"github.com/redis/rueidis"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/scheduler"
)

// All processes that run this share ten requests a second.
func Example() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv("REDIS_ADDRESS")}})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	store, err := redisbucket.New(client, "openai")
	if err != nil {
		panic(err)
	}
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(10), Store: store})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	err = s.Do(context.Background(), func(context.Context) error {
		fmt.Println("a request")
		return nil
	})
	fmt.Println(err)
	// Output:
	// a request
	// <nil>
}

func ExampleNew() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv("REDIS_ADDRESS")}})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	_, err = redisbucket.New(client, "{openai}")
	fmt.Println(err)
	// Output: redisbucket: name is "{openai}": it must not be empty, and must have no braces
}

// An operator makes a budget that is full.
func ExampleStore() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv("REDIS_ADDRESS")}})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	store, err := redisbucket.New(client, "anthropic")
	if err != nil {
		panic(err)
	}
	fmt.Println(store.Create(context.Background(), bucket.PerMinute(60)))
	fmt.Println(store.Create(context.Background(), bucket.PerMinute(60)))
	// Output:
	// <nil>
	// bucket: the shared budget exists already
}
