package bucket_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// Each user has a bucket of one limit. A bucket that is as new is not kept, and a user without one gets
// one that was full at the start.
func ExamplePacked() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	full, users := b.Pack(), map[string]bucket.Packed{}
	take := func(now time.Duration, user string, n int64) bool {
		p, ok := users[user]
		if !ok {
			p = full
		}
		b.Unpack(p)
		ok = b.Take(now, n)
		users[user] = b.Pack()
		return ok
	}
	fmt.Println(take(0, "ann", 8), take(0, "ann", 8), take(0, "bob", 8))
	fmt.Println(take(time.Second, "ann", 8))
	for user, p := range users {
		b.Unpack(p)
		b.Advance(time.Second)
		if b.AsNew() {
			delete(users, user)
		}
	}
	fmt.Println(slices.Collect(maps.Keys(users)))
	// Output:
	// true false true
	// true
	// [ann]
}

func ExampleBucket_Pack() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 8)
	saved := b.Pack()
	b.Take(0, 2)
	fmt.Println(b.Available())
	b.Unpack(saved)
	fmt.Println(b.Available())
	// Output:
	// 0
	// 2
}

// A bucket is as new when it has its capacity and the fraction of a token that a full bucket holds.
func ExampleBucket_AsNew() {
	b, err := bucket.New(bucket.Limit{Capacity: 10, Refill: 3, Per: time.Second}, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.AsNew())
	b.Advance(time.Nanosecond)
	fmt.Println(b.AsNew(), b.Take(time.Second, 3), b.AsNew())
	b.Advance(2 * time.Second)
	fmt.Println(b.Available(), b.AsNew())
	// Output:
	// false
	// true true false
	// 10 true
}
