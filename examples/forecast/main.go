// Forecast says how long a number of calls will take under a limit, and draws it:
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
)

func main() {
	calls := flag.Int("calls", 20_000, "how many calls there are")
	limit := flag.Int64("limit", 500, "tokens a minute")
	burst := flag.Int64("burst", 50, "tokens at once")
	inFlight := flag.Int("inflight", 0, "calls at once; 0: no cap")
	cost := flag.Int64("cost", 1, "tokens an attempt pays")
	latency := flag.Duration("latency", 2*time.Second, "how long an attempt takes; some take twice as long")
	failures := flag.Float64("failures", 0.05, "the part of the attempts that fail")
	out := flag.String("o", "", "draw it into this SVG file")
	flag.Parse()
	log.SetFlags(0)

	f, err := scheduler.Predict(
		scheduler.Config{Limit: bucket.PerMinute(*limit).Burst(*burst), MaxInFlight: *inFlight},
		scheduler.Workload{Calls: *calls, Cost: *cost, Latency: *latency, MaxLatency: 2 * *latency, Failures: *failures},
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
