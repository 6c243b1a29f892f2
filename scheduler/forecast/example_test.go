package forecast_test

import (
	"errors"
	"fmt"
	"os"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/forecast"
)

// A program asks how long its work will take before it begins.
func Example() {
	f, err := forecast.Predict(
		scheduler.Config{Limit: bucket.PerMinute(60).Burst(10), MaxInFlight: 4},
		forecast.Workload{Calls: 100, Latency: 3 * time.Second},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready in", f.Took, "with up to", f.MostQueued, "calls in the queue")
	// Output:
	// ready in 1m33s with up to 96 calls in the queue
}

// Predict tells how long 500 calls take at 100 a minute, and how long if one attempt in ten
// fails.
func ExamplePredict() {
	cfg := scheduler.Config{Limit: bucket.PerMinute(100).Burst(10)}
	for _, failures := range []float64{0, 0.1} {
		f, err := forecast.Predict(cfg, forecast.Workload{Calls: 500, Latency: 2 * time.Second, Failures: failures})
		if err != nil {
			panic(err)
		}
		fmt.Println(f)
	}
	// Output:
	// 500 calls take 4m56s: 500 succeed in 500 attempts; half of them wait up to 2m24s, the last 4m54s; up to 490 wait at once
	// 500 calls take 5m23s: 500 succeed in 545 attempts; half of them wait up to 2m34s, the last 5m21s; up to 490 wait at once
}

// Predict tells whether many cheap calls delay the urgent ones too much.
func ExampleWorkload() {
	crowd := forecast.Workload{Calls: 1000}
	urgent := forecast.Workload{Calls: 10, Every: 10 * time.Second, Timeout: time.Second}
	for urgent.Priority = range 2 {
		f, err := forecast.Predict(scheduler.Config{Limit: bucket.PerMinute(100), PriorityStep: time.Hour}, crowd, urgent)
		if err != nil {
			panic(err)
		}
		fmt.Println(f.Totals.Refused, "of the urgent calls come too late")
	}
	// Output:
	// 10 of the urgent calls come too late
	// 0 of the urgent calls come too late
}

// Predict tells whether a long run is delayed by the limit or by the cap of 20 calls at once.
func ExampleForecast() {
	work := forecast.Workload{Calls: 20_000, Latency: 2 * time.Second, MaxLatency: 10 * time.Second, Failures: 0.05}
	for _, most := range []int{20, 100} {
		f, err := forecast.Predict(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50), MaxInFlight: most}, work)
		if err != nil {
			panic(err)
		}
		fmt.Println("it takes", f.Took.Round(time.Minute), "with up to", f.MostRunning, "at once and", f.Totals.Retries, "retries")
	}
	// Output:
	// it takes 1h46m0s with up to 20 at once and 1099 retries
	// it takes 42m0s with up to 71 at once and 1096 retries
}

// A forecast has samples over time, for a chart.
func ExampleSample() {
	f, err := forecast.Predict(scheduler.Config{Limit: bucket.PerSecond(1)}, forecast.Workload{Calls: 4})
	if err != nil {
		panic(err)
	}
	for _, at := range f.Samples {
		fmt.Println(at.At, "queued", at.Queued, "granted", at.Attempts)
	}
	// Output:
	// 0s queued 0 granted 0
	// 0s queued 3 granted 1
	// 1s queued 2 granted 2
	// 2s queued 1 granted 3
	// 3s queued 0 granted 4
}

// WriteSVG draws a picture for a report.
func ExampleForecast_WriteSVG() {
	f, err := forecast.Predict(scheduler.Config{}, forecast.Workload{Calls: 5000})
	if err != nil {
		panic(err)
	}
	file, err := os.CreateTemp("", "forecast-*.svg")
	if err != nil {
		panic(err)
	}
	defer os.Remove(file.Name())
	fmt.Println(errors.Join(f.WriteSVG(file), file.Close()))
	// Output: <nil>
}

// Predict tells what a tenant that floods the queue does to 49 others, each with ten calls.
func ExamplePart() {
	flood := forecast.Workload{Calls: 10_000}
	others := forecast.Workload{Calls: 490}
	cfg := scheduler.Config{Limit: bucket.PerSecond(100).Burst(1)}
	for _, keys := range []bool{false, true} {
		if keys {
			flood.Key, others.Key, others.Keys = "flood", "tenant", 49
		}
		f, err := forecast.Predict(cfg, flood, others)
		if err != nil {
			panic(err)
		}
		fmt.Println("the others wait up to", f.Parts[1].WorstWait)
	}
	// Output:
	// the others wait up to 1m44.89s
	// the others wait up to 5s
}
