package bucket_test

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
)

// A server allows 1000 requests a day, and its day begins at midnight in California. On this day the
// clocks are put forward there, so the next one has 23 hours.
func ExampleDaily() {
	evening := time.Date(2023, time.March, 12, 4, 0, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Daily(1000, "America/Los_Angeles"), 0, evening)
	if err != nil {
		panic(err)
	}
	b.Take(0, 1000)
	fmt.Println(b.Ready(1), b.Ready(1000), b.Ready(1001))
	// Output: 4h0m0s 4h0m0s 27h0m0s
}

// A plan is billed on the 31st, and in shorter months on the last day.
func ExampleMonthly() {
	limit := bucket.Monthly(100_000, 31, "Europe/Berlin")
	fmt.Println(limit)
	now := time.Date(2026, time.February, 1, 0, 0, 0, 0, time.UTC)
	b, err := bucket.NewAt(limit, 0, now)
	if err != nil {
		panic(err)
	}
	fmt.Println(now.Add(b.NextReset()))
	// Output:
	// 100000 at once every month on day 31 at 00:00 Europe/Berlin
	// 2026-02-27 23:00:00 +0000 UTC
}

// A server counts requests by the hour, and begins again on the hour.
func ExampleEvery() {
	now := time.Date(2026, time.March, 1, 12, 40, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Every(5000, time.Hour), 0, now)
	if err != nil {
		panic(err)
	}
	b.Take(0, 5000)
	fmt.Println(b.Ready(1), b.Ready(5000))
	fmt.Println(bucket.Every(5000, 1500*time.Millisecond).Validate())
	// Output:
	// 20m0s 20m0s
	// bucket: limit's Reset has Every 1.5s: it must be whole seconds
}

// Quotas for each week and each quarter, and one for each hour that begins ten minutes past.
func ExampleQuota() {
	tenPast := time.Date(2026, time.March, 1, 0, 10, 0, 0, time.UTC)
	fmt.Println(bucket.Quota(500, bucket.Reset{Days: 7, Zone: "Europe/Berlin"}))
	fmt.Println(bucket.Quota(9000, bucket.Reset{Months: 3}))
	fmt.Println(bucket.Quota(60, bucket.Reset{Every: time.Hour, From: tenPast.Unix()}))
	// Output:
	// 500 at once every 7 days from 2001-01-01 00:00 Europe/Berlin
	// 9000 at once every 3 months from 2001-01-01 00:00 UTC
	// 60 at once every 1h0m0s from 2026-03-01 00:10:00 UTC
}

// A server counts an hour from the first request on, as GitHub does.
func ExampleReset() {
	hourly := bucket.Reset{Every: time.Hour, FromFirst: true}
	b, err := bucket.NewAt(bucket.Quota(5000, hourly), 0, time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	b.Take(25*time.Minute, 1)
	fmt.Println(b.NextReset())
	// Output: 1h25m0s
}

// A limit with a Reset needs the time of day at the bucket's origin. Its machine may not have the time
// zone, and then the error says so.
func ExampleNewAt() {
	began := time.Date(2026, time.March, 1, 20, 0, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Daily(10, ""), 0, began)
	fmt.Println(began.Add(b.NextReset()), err)
	_, err = bucket.NewAt(bucket.Daily(10, "Mars/Base"), 0, began)
	fmt.Println(err)
	_, err = bucket.New(bucket.Daily(10, ""), 0)
	fmt.Println(err)
	// Output:
	// 2026-03-02 00:00:00 +0000 UTC <nil>
	// bucket: limit's Reset has Zone "Mars/Base": unknown time zone Mars/Base: use a name such as "America/Los_Angeles", and if this machine has no time zone files, import _ "time/tzdata"
	// bucket: a limit with a Reset needs the time of day: make the bucket with NewAt or Restore
}

// The machine slept from 20:00 until 09:00, and the bucket's instants stood still.
func ExampleBucket_SetWall() {
	evening := time.Date(2026, time.March, 1, 20, 0, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Daily(10, ""), 0, evening)
	if err != nil {
		panic(err)
	}
	b.Take(0, 10)
	b.SetWall(time.Second, evening.Add(13*time.Hour))
	fmt.Println(b.Available(), b.NextReset())
	// Output: 10 15h0m1s
}

// An hour that began at 12:00 is over at 13:00, and the next one at 14:00.
func ExampleBucket_NextReset() {
	now := time.Date(2026, time.March, 1, 12, 40, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Every(10, time.Hour), 0, now)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.NextReset())
	b.Advance(b.NextReset())
	fmt.Println(b.NextReset())
	// Output:
	// 20m0s
	// 1h20m0s
}

// A call took four tokens before midnight and ends after it. The new day did not pay for them.
func ExampleBucket_RefundFrom() {
	evening := time.Date(2026, time.March, 1, 23, 0, 0, 0, time.UTC)
	b, err := bucket.NewAt(bucket.Daily(10, ""), 0, evening)
	if err != nil {
		panic(err)
	}
	b.Take(0, 4)
	b.Take(time.Hour, 5) // midnight
	b.RefundFrom(2*time.Hour, 0, 4)
	fmt.Println(b.Available())
	b.RefundFrom(2*time.Hour, time.Hour, 5)
	fmt.Println(b.Available())
	// Output:
	// 5
	// 10
}
