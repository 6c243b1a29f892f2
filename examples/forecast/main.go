// Forecast predicts how long a number of calls will take under a limit, and draws it:
//
//	go run ./forecast -calls 20000 -limit 500 -burst 50 -latency 2s -failures 0.05 -o forecast.svg
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/forecast"
)

func main() {
	calls := flag.Int("calls", 20_000, "how many calls there are")
	limit := flag.Int64("limit", 500, "tokens a minute")
	burst := flag.Int64("burst", 50, "tokens at once")
	inFlight := flag.Int("inflight", 0, "calls that run at once; 0 means no limit")
	cost := flag.Int64("cost", 1, "tokens for each attempt")
	latency := flag.Duration("latency", 2*time.Second, "shortest time of an attempt; the longest is twice that")
	failures := flag.Float64("failures", 0.05, "share of attempts that fail, from 0 to 1")
	out := flag.String("o", "", "SVG file to draw the forecast into")
	flag.Parse()
	log.SetFlags(0)

	f, err := forecast.Predict(
		scheduler.Config{Limit: bucket.PerMinute(*limit).Burst(*burst), MaxInFlight: *inFlight},
		forecast.Workload{Calls: *calls, Cost: *cost, Latency: *latency, MaxLatency: 2 * *latency, Failures: *failures},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f)
	if *out == "" {
		return
	}
	file, err := os.Create(*out)
	if err != nil {
		log.Fatal(err)
	}
	if err := f.WriteSVG(file); err != nil {
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}
